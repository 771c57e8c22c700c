"""Between the graph's quantised types and the integer definitions of `ops.integer`."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from whet.errors import ShapeError
from whet.ir.element import Element, Quant
from whet.ir.node import Node, Value
from whet.ops.integer.quantization import Affine, Rounding

Constants = TypeVar("Constants")


def quant_of(value: Value | None) -> Quant:
    """The quantised element of an operand. Raises ShapeError where it has none."""
    element = None if value is None else value.tensor.element
    if not isinstance(element, Quant):
        raise ShapeError(f"a quantised operand was expected, not {element}")
    return element


def affine(element: Quant) -> Affine:
    """A per-tensor quantised element as the integer definitions take it."""
    if len(element.scale) != 1:
        raise ShapeError("one scale for the whole tensor was expected", why=str(element))
    store = element.store.dtype.name
    assert store in ("int8", "uint8", "int16", "int32")
    return Affine(element.scale[0], element.zero[0], store)  # type: ignore[arg-type]


def affine_of(element: Element) -> Affine:
    """As `affine`. Raises ShapeError where the element is not quantised."""
    if not isinstance(element, Quant):
        raise ShapeError(f"a quantised element was expected, not {element}")
    return affine(element)


def operand(node: Node, index: int) -> Affine:
    """The quantisation of an operand."""
    return affine(quant_of(node.inputs[index]))


def result(node: Node) -> Affine:
    """The quantisation of the first result."""
    return affine(quant_of(node.outputs[0]))


def rounding(node: Node) -> Rounding:
    """How the node rounds: as its result's type says."""
    chosen = quant_of(node.outputs[0]).rounding
    return "double" if chosen == "double" else "single"


def clamped(constants: Constants, node: Node) -> Constants:
    """Constants with the node's `clamp` (codes low, high), where it has one."""
    clamp = node["clamp"]
    if not isinstance(clamp, tuple):
        return constants
    low, high = clamp
    return replace(constants, low=low, high=high)  # type: ignore[type-var]
