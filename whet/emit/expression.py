"""Sizes and literals as C expressions."""

from __future__ import annotations

import math
from collections.abc import Callable

from whet.ir.dim import Dim, Operation, Size, Symbol


def symbol(name: str) -> str:
    """The C variable that holds a symbol's value."""
    return "n_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in name)


def size(value: Size, named: Callable[[str], str] = symbol) -> str:
    """A size as a C expression of type i64. named: the expression of a symbol's value."""
    if isinstance(value, int):
        return str(value)
    terms = (_term(atoms, c, named) for atoms, c in value.terms)
    return "(" + " + ".join(terms).replace("+ -", "- ") + ")"


def _term(
    atoms: tuple[Symbol | Operation, ...], coefficient: int, named: Callable[[str], str]
) -> str:
    factors = [_atom(a, named) for a in atoms]
    if coefficient != 1 or not factors:
        factors.insert(0, str(coefficient))
    return " * ".join(factors)


def _atom(atom: Symbol | Operation, named: Callable[[str], str]) -> str:
    if isinstance(atom, Symbol):
        return named(atom.name)
    left, right = size(atom.left, named), size(atom.right, named)
    if atom.kind == "//":
        return f"floordiv_i64({left}, {right})"
    return f"{atom.kind}_i64({left}, {right})"


def multiple(index: str, stride: Size) -> str:
    """index * stride, written as short as it can be."""
    return index if stride == 1 else f"{index} * {size(stride)}"


def is_zero(value: Size) -> bool:
    """Whether a size is the literal 0."""
    return not isinstance(value, Dim) and value == 0


def literal(value: float | int | bool, suffix: str) -> str:
    """A number as a C literal of the type with this suffix (f32, i64, ...)."""
    if suffix in ("f32", "f16", "bf16", "f64") or suffix.startswith(("f8", "f4")):
        return _float(float(value), "" if suffix == "f64" else "f")
    number = int(value)
    if suffix == "u64":
        return f"{number}ull"
    if suffix == "i64":
        return "INT64_MIN" if number == -(2**63) else f"{number}ll"
    if suffix == "u32":
        return f"{number}u"
    return "INT32_MIN" if number == -(2**31) else str(number)


def _float(value: float, suffix: str) -> str:
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return ("-" if value < 0 else "") + f"__builtin_inf{suffix}()"
    text = repr(value)
    return text + ("" if "." in text or "e" in text else ".0") + suffix
