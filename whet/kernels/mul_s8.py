"""Products of codes element by element, or of rows with one row for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whet.emit.headers import header_number
from whet.emit.lowered import Call, In, Lowered, Name, Out
from whet.ir.dim import Size
from whet.ir.node import Node, Value
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.kernels.linear_s8 import Linear, linear
from whet.kernels.quantized import NANOSECONDS, quantised, rounding_name, scalar, store
from whet.kernels.share import Shared, rows
from whet.ops.affine import clamped, operand, result, rounding
from whet.ops.broadcast import is_row
from whet.ops.elementwise import mul
from whet.ops.integer.multiplication import Multiplication, multiplication_constants
from whet.ops.integer.quantization import Activation
from whet.ops.integer.requantize import Multiplier
from whet.targets.target import Target

# Rows shorter than this, in elements, are read with those beside them as one.
SHORT = header_number("mul_s8.h", "MUL_BLOCK")


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows of a width, shared by threads.

    steps: for each operand the elements from a row to the next, and from an element to the next.
    """

    rows: Shared
    width: Size
    steps: tuple[tuple[Size, int], tuple[Size, int]]

    def given(self, index: int) -> In:
        """An operand where a call's share begins."""
        return self.rows.at(In(index), self.steps[index][0])

    @property
    def made(self) -> Out:
        """The result where a call's share begins."""
        return self.rows.to(Out(), self.width)


def _walk(node: Node) -> Walk | None:
    """None where an operand is neither whole, nor one row, nor one element."""
    a, b = node.inputs[0], node.inputs[1]
    if not quantised(node) or a is None or b is None:
        return None
    if operand(node, 0).store != operand(node, 1).store:
        return None
    shape = node.outputs[0].shape
    axis = len(shape) - 1 if is_row(a.shape, shape) or is_row(b.shape, shape) else _axis(shape)
    width = size_product(shape[axis:])
    steps = [_steps(v, shape, width) for v in (a, b)]
    if steps[0] is None or steps[1] is None:
        return None
    nanoseconds = NANOSECONDS * width if isinstance(width, int) else 0.0
    each = rows(size_product(shape[:axis]), nanoseconds)
    return Walk(each, width, (steps[0], steps[1]))


def _axis(shape: tuple[Size, ...]) -> int:
    """The last axis from which on rows are long."""
    axis, width = len(shape), 1
    while axis and width < SHORT and isinstance(size := shape[axis - 1], int):
        axis, width = axis - 1, width * size
    return axis


def _steps(value: Value, shape: tuple[Size, ...], width: Size) -> tuple[Size, int] | None:
    if value.shape == shape:
        return (width, 1)
    if value.tensor.elements == 1:
        return (0, 0)
    return (0, 1) if is_row(value.shape, shape) else None


def _constants(node: Node) -> Multiplication:
    factors = operand(node, 0), operand(node, 1)
    made = multiplication_constants(*factors, result(node), Activation.NONE, rounding(node))
    return clamped(made, node)


@kernel("integer_mul", mul)
def lower_portable(node: Node, target: Target) -> Lowered | None:
    walk = _walk(node)
    if walk is None:
        return None
    c = _constants(node)
    a, b = ((walk.given(i), *walk.steps[i], zero) for i, zero in enumerate((c.a_zero, c.b_zero)))
    by = (scalar(c.by.m), scalar(c.by.t), c.y_zero, c.low, c.high, rounding_name(node))
    call = Call(
        "integer_mul", (walk.rows.count, walk.width, store(result(node)), *a, *b, *by, walk.made)
    )
    return Lowered((call,), ("integer_elementwise.h",), parallel=walk.rows.units)


@kernel("mul_s8", mul)
def lower(node: Node, target: Target) -> Lowered | None:
    walk = _walk(node)
    if walk is None or not target.fused or not isinstance(walk.width, int):
        return None
    if {store(a) for a in (operand(node, 0), result(node))} != {Name("INTEGER_I8")}:
        return None
    c = _constants(node)
    found = _linear(c)
    if found is None or (0, 0) in walk.steps:
        return None
    # The operand with a row for each of the result's comes first.
    zeros, (one, other) = (c.a_zero, c.b_zero), (0, 1) if walk.steps[0][0] else (1, 0)
    factors = (walk.given(one), zeros[one], walk.given(other), walk.steps[other][0], zeros[other])
    by = (float(found.scale[0]), float(found.offset[0]), c.low, c.high)
    call = Call("mul_s8", (walk.rows.count, walk.width, *factors, *by, walk.made))
    return Lowered((call,), ("mul_s8.h",), parallel=walk.rows.units)


def _linear(c: Multiplication) -> Linear | None:
    """The multiply-add of a product of int8 codes, where it gives codes in 16 bits."""
    ends = np.multiply.outer(*(np.array([-128, 127]) - zero for zero in (c.a_zero, c.b_zero)))
    bounds = (np.array([ends.min()]), np.array([ends.max()]))
    by = Multiplier(np.atleast_1d(c.by.m), np.atleast_1d(c.by.t))
    found = linear(by, c.y_zero, bounds, (c.low, c.high), c.rounding, free=False)
    return found if found is not None and found.narrow else None
