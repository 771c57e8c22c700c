"""A scalar body as C statements: the C twin of `ops.elementwise`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whet.emit.expression import literal
from whet.errors import UnsupportedError, UnsupportedOp
from whet.ir.element import Element, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant_op, data_of, parameter_op
from whet.ir.node import Node

NARROW = ("f16", "bf16")
SMALL_FLOATS = ("f8e4m3fn", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "f8e8m0", "f4e2m1")
PACKED = ("i4", "u4", "i2", "u2")
ROUND_MODES = {"up": "F8E8M0_UP", "down": "F8E8M0_DOWN", "nearest": "F8E8M0_NEAREST"}

INFIX = {
    "add": "+", "sub": "-", "mul": "*", "bit_and": "&", "bit_or": "|", "bit_xor": "^",
    "equal": "==", "less": "<", "less_equal": "<=",
}  # fmt: skip
TYPED = {name: f"{name}_{{s}}" for name in ("min", "max", "sign", "is_nan", "is_inf", "sigmoid",
                                             "gelu", "shift_left", "shift_right")}  # fmt: skip
MATH = [
    "mod",
    "fmod",
    "pow",
    "atan2",
    "exp",
    "log",
    "sqrt",
    "expm1",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "floor",
    "ceil",
    "round",
    "trunc",
]


def suffix(element: Element) -> str:
    """The kernel headers' name for an element's storage."""
    store = element if isinstance(element, Scalar) else element.store
    if store.kind == "b" or store.name in SMALL_FLOATS or store.name in ("u4", "u2"):
        return "u8"
    return "i8" if store.name in ("i4", "i2") else store.name


def wide(element: Element) -> str:
    """The suffix of the type an element is computed in."""
    s = suffix(element)
    return "f32" if s in NARROW or _is_small(element) else s


def load(element: Element, place: str) -> str:
    """Read an element from memory as a number; the unused bits of a packed one mean nothing."""
    if _is_small(element):
        return f"cast_f32_of_{element}({place})"
    if str(element) in PACKED:
        return f"cast_{element}_of_i32({place})"
    return f"widen_{suffix(element)}({place})" if suffix(element) in NARROW else place


def store(element: Element, value: str) -> str:
    """A number as it is written to memory."""
    if _is_small(element):
        return _small(str(element), value, saturate=False, round_mode="down")
    return f"narrow_{suffix(element)}({value})" if suffix(element) in NARROW else value


def _is_small(element: Element) -> bool:
    return isinstance(element, Scalar) and element.name in SMALL_FLOATS


def _small(name: str, value: str, saturate: bool, round_mode: str) -> str:
    """The code of a float in one of the small formats."""
    arguments = [] if name == "f4e2m1" else [str(int(saturate))]
    if name == "f8e8m0":
        arguments.append(ROUND_MODES[round_mode])
    return f"cast_{name}_of_f32({', '.join([value, *arguments])})"


@dataclass(frozen=True, slots=True)
class Lines:
    """C statements and the expressions that hold a body's outputs."""

    statements: tuple[str, ...]
    results: tuple[str, ...]


def body(graph: Graph, arguments: Sequence[str]) -> Lines:
    """The statements of a scalar body whose inputs are the given C expressions."""
    names = {v.node: a for v, a in zip(graph.inputs, arguments, strict=True)}
    lines: list[str] = []
    for node in graph.nodes:
        if node.op is parameter_op:
            continue
        if node.op is constant_op:
            names[node] = _constant(node)
            continue
        operands = [names[v.node] for v in node.operands]
        name = f"t{len(lines)}"
        kind = wide(node.outputs[0].tensor.element)
        lines.append(f"const {kind} {name} = {expression(node, operands)};")
        names[node] = name
    return Lines(tuple(lines), tuple(names[v.node] for v in graph.outputs))


def _constant(node: Node) -> str:
    data = data_of(node.outputs[0])
    return literal(data.reshape(()).item(), wide(node.outputs[0].tensor.element))


def expression(node: Node, operands: Sequence[str]) -> str:
    """One scalar op over C expressions.

    Raises:
        UnsupportedError: the op has no scalar C form.
    """
    first = node.input(0)
    name, s = node.op.name, wide(first.tensor.element)
    if name in INFIX:
        text = f"{operands[0]} {INFIX[name]} {operands[1]}"
        small = s in ("i8", "i16", "u8", "u16") and node.op.name in ("add", "sub", "mul")
        return f"({s})({text})" if small else text
    if name == "div":
        return (
            f"{operands[0]} / {operands[1]}"
            if s[0] == "f"
            else f"math_div_{s}({', '.join(operands)})"
        )
    if name in ("neg", "bit_not"):
        flip = "!" if str(first.tensor.element) == "bool" else "~" if name == "bit_not" else "-"
        return f"({s})({flip}{operands[0]})"
    if name == "abs":
        return f"math_abs_{s}({operands[0]})" if s[0] == "f" else _integer_abs(s, operands[0])
    if name == "select":
        return f"{operands[0]} ? {operands[1]} : {operands[2]}"
    if name == "convert":
        return _convert(node, first.tensor.element, operands[0])
    if name in TYPED:
        return f"{TYPED[name].format(s=s)}({', '.join(operands)})"
    if name in MATH:
        return f"math_{name}_{s}({', '.join(operands)})"
    raise UnsupportedError([UnsupportedOp(name, node.origin, "no scalar C form")])


def _integer_abs(s: str, x: str) -> str:
    return x if s[0] == "u" else f"({s})({x} < 0 ? -{x} : {x})"


def _convert(node: Node, source: Element, x: str) -> str:
    target = node["to"]
    if not isinstance(target, Scalar) or not isinstance(source, Scalar):
        raise UnsupportedError(
            [UnsupportedOp("convert", node.origin, "quantised in a scalar body")]
        )
    to, kind, read = wide(target), target.kind, wide(source)
    if kind == "b":
        return f"{x} != 0"
    if kind in "iu" and source.kind == "f":
        x = f"{'to_u64_f64' if target.name == 'u64' else 'to_i64_f64'}({x})"
    if target.name in PACKED:
        return f"cast_{target}_of_i32((i32)({x}))"
    if _is_small(target):
        saturate, mode = bool(node.attrs.get("saturate", True)), str(node["round"] or "up")
        return load(target, _small(target.name, f"(f32)({x})", saturate, mode))
    if suffix(target) in NARROW:
        narrow = f"cast_f16_of_f64({x})" if (target.name, read) == ("f16", "f64") else None
        return load(target, narrow or store(target, f"(f32)({x})"))
    return f"({to})({x})"
