"""What follows the requantisation of an int8 contraction, as its kernels compute it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from whet.emit.lowered import CodesStep, Extra, In, Weight
from whet.ir.graph import Graph
from whet.ir.leaf import data_of
from whet.ir.node import Array, Node, Value
from whet.ops.affine import clamped, operand, result, rounding
from whet.ops.convert import bitcast
from whet.ops.elementwise import add as sum_op
from whet.ops.integer.addition import Addition, add, addition_constants
from whet.ops.integer.quantization import Activation
from whet.ops.integer.requantize import Multiplier

# Of the offset of a sum in f32: a code is 1, and a sum is off by less than this.
NUDGES = tuple(sign * step * 2.0**-20 for step in range(24) for sign in (1, -1))
LINEAR_ZERO = 0x4B400000  # of requantize.h
EXTRAS = 3  # inputs of a contraction before those of its epilogue


@dataclass(frozen=True, slots=True)
class Tail:
    """The steps after the requantisation, the tables they read, and the last clamp."""

    steps: tuple[CodesStep, ...]
    tables: tuple[Array, ...]
    low: int
    high: int


def tail(node: Node, low: int, high: int, held: int = 0, *, fused: bool = False) -> Tail:
    """The node's epilogue. low, high: the clamp of the contraction itself.

    held: how many constants the lowering has before the tables. fused: of the target.
    """
    body = node["epilogue"]
    steps: list[CodesStep] = []
    tables: list[Array] = []
    if not isinstance(body, Graph):
        return Tail((), (), low, high)
    made = body.inputs[0]
    for inner in body.nodes:
        if inner.op.family == "leaf":
            continue
        if inner.op is sum_op:
            constants = addition_of(inner)
            steps.append(_residual(node, body, inner, made, constants, (low, high), fused))
            low, high = constants.low, constants.high
        elif inner.op is not bitcast:
            steps.append(CodesStep("table_s8", (Weight(held + len(tables)),), low, high))
            tables.append(_signed(data_of(inner.input(1))))
            low, high = -128, 127
        made = inner.outputs[0]
    return Tail(tuple(steps), tuple(tables), low, high)


def low_steps(steps: tuple[CodesStep, ...]) -> tuple[CodesStep, ...]:
    """The steps on LINEAR_ZERO + code, the code in the low 16 bits; none where they need codes."""
    if [step.function for step in steps] != ["add_linear_s8"]:
        return ()
    (step,) = steps
    zero = LINEAR_ZERO
    name = "add_linear_low_s8"
    return (replace(step, function=name, low=zero + step.low, high=zero + step.high),)


def addition_of(node: Node) -> Addition:
    """The integer constants of a quantised sum. Raises ShapeError where its scales have none."""
    a, b = operand(node, 0), operand(node, 1)
    return clamped(addition_constants(a, b, result(node), Activation.NONE, rounding(node)), node)


def _signed(table: Array) -> Array:
    """A table by the byte of a code, in the order of the codes as numbers."""
    return np.ascontiguousarray(np.roll(table.view(np.int8), 128))


def _residual(
    node: Node,
    body: Graph,
    inner: Node,
    made: Value,
    c: Addition,
    limits: tuple[int, int],
    fused: bool,
) -> CodesStep:
    """made + residual, whichever of the two comes first."""
    swapped = inner.inputs[1] is made
    other = inner.inputs[0 if swapped else 1]
    index = EXTRAS + body.inputs.index(other) - 1
    extra = Extra(In(index), int(str(node.outputs[0].shape[-1])))
    if c.a_by is None or c.b_by is None or c.y_by is None:
        x_m, r_m = (c.b_m, c.a_m) if swapped else (c.a_m, c.b_m)
        constant = (1 << (c.t - 1)) - c.a_zero * c.a_m - c.b_zero * c.b_m
        return CodesStep("add_single_s8", (extra, x_m, r_m, constant, c.t, c.y_zero), *limits)
    zeros = (c.b_zero, c.a_zero) if swapped else (c.a_zero, c.b_zero)
    x_by, r_by = (c.b_by, c.a_by) if swapped else (c.a_by, c.b_by)
    found = _linear(c, swapped, limits) if fused else None
    if found is not None:
        return CodesStep("add_linear_s8", (extra, *found), *limits)
    by = (*_by(x_by), *_by(r_by), *_by(c.y_by))
    return CodesStep("add_double_s8", (extra, *zeros, *by, c.y_zero), *limits)


def _linear(
    c: Addition, swapped: bool, limits: tuple[int, int]
) -> tuple[float, float, float] | None:
    """The sum as x * scale + r * scale + offset in f32, where every pair of codes agrees."""
    assert c.a_by is not None
    assert c.b_by is not None
    assert c.y_by is not None
    x = np.arange(limits[0], limits[1] + 1)[:, None]
    r = np.arange(-128, 128)[None]
    want = add(r, x, c) if swapped else add(x, r, c)
    whole = _real(c.y_by) * 2.0**c.left_shift
    a, b = np.float32(_real(c.a_by) * whole), np.float32(c.sign * _real(c.b_by) * whole)
    x_scale, r_scale = (b, a) if swapped else (a, b)
    zeros = (c.b_zero, c.a_zero) if swapped else (c.a_zero, c.b_zero)
    middle = c.y_zero - float(x_scale) * zeros[0] - float(r_scale) * zeros[1]
    for nudge in NUDGES:
        offset = np.float32(middle + nudge)
        partial = (r * float(r_scale) + float(offset)).astype(np.float32)
        total = (x * float(x_scale) + partial).astype(np.float32)
        narrow = np.abs(total).max() < (1 << 15) - 2
        if narrow and (np.clip(np.rint(total), c.low, c.high) == want).all():
            return float(x_scale), float(r_scale), float(offset)
    return None


def _real(by: Multiplier) -> float:
    return math.ldexp(float(by.m), -int(by.t))


def _by(by: Multiplier) -> tuple[int, int]:
    """m and the shift right after the doubling high product."""
    return int(by.m), int(by.t) - 31
