"""Quantised elementwise ops, pooling, reductions and softmax: portable integer C."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Scratch, Weight
from whet.errors import ShapeError
from whet.ir.dim import bounds, static_size
from whet.ir.element import F32, Quant
from whet.ir.node import Array, Node, Value
from whet.ir.type import size_product
from whet.kernels.conv_f32 import image, pair
from whet.kernels.kernel import kernel
from whet.kernels.pooling import pooled_rows
from whet.kernels.reduction import runs
from whet.kernels.share import RUNS, THREADS, Shared, flat, rows, together
from whet.ops import elementwise as e
from whet.ops.affine import affine, clamped, operand, result, rounding
from whet.ops.channels_last import channels_last
from whet.ops.convert import convert, integer_limits
from whet.ops.integer.addition import addition_constants
from whet.ops.integer.quantization import Activation, Affine
from whet.ops.integer.reduction import mean_constants, sum_constants
from whet.ops.integer.softmax import softmax_constants
from whet.ops.integer.unary import rescale_constants
from whet.ops.lookup import lookup
from whet.ops.normalization import softmax, softmax8_of
from whet.ops.pooling import average_pool, max_pool
from whet.ops.reduction import reduce_mean, reduce_sum
from whet.targets.target import Target

# About what an element takes that is rounded to a code, or read from one.
NANOSECONDS = 0.2
# Channels that quantize_channels_last has room for.
PLANES = 4
STORES = {"int8": "I8", "uint8": "U8", "int16": "I16", "int32": "I32"}


def store(a: Affine) -> Name:
    """The storage type as the integer headers name it."""
    return Name(f"INTEGER_{STORES[a.store]}")


def rounding_name(node: Node) -> Name:
    """The rounding as the integer headers name it."""
    return Name(f"WHET_{rounding(node).upper()}")


def quantised(node: Node) -> bool:
    """Whether the op is computed on codes: per-tensor scales throughout."""
    elements = [v.tensor.element for v in (*node.inputs, node.outputs[0]) if v is not None]
    return all(isinstance(q, Quant) and len(q.scale) == 1 for q in elements)


def scalar(value: Array) -> int:
    """A multiplier's part that is one number."""
    return int(np.asarray(value).reshape(-1)[0])


def _stride(value: Value, node: Node) -> int | None:
    """1 for an operand shaped like the result, 0 for a single element, None for neither."""
    if value.shape == node.outputs[0].shape:
        return 1
    return 0 if value.tensor.elements == 1 else None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Elements of two operands and a result; head: n, the operands' strides and their storage."""

    each: Shared
    strides: tuple[int, int]
    head: tuple[Argument, ...]

    def given(self, index: int) -> In:
        """An operand where a call's share begins."""
        return self.each.at(In(index), self.strides[index])

    def lowered(self, call: Call) -> Lowered:
        """The call as a lowering."""
        return Lowered((call,), ("integer_elementwise.h",), parallel=self.each.units)


def elementwise_pairs(node: Node) -> Pairs | None:
    """The elements and how the operands are walked; None where they broadcast otherwise."""
    a, b = node.inputs[0], node.inputs[1]
    if not quantised(node) or a is None or b is None:
        return None
    first, second = _stride(a, node), _stride(b, node)
    if first is None or second is None or operand(node, 0).store != operand(node, 1).store:
        return None
    each = flat(node.outputs[0].tensor.elements, NANOSECONDS)
    return Pairs(each, (first, second), (each.count, first, second, store(result(node))))


@kernel("integer_add", e.add, e.sub)
def add(node: Node, target: Target) -> Lowered | None:
    pairs = elementwise_pairs(node)
    if pairs is None:
        return None
    made = addition_constants(
        operand(node, 0), operand(node, 1), result(node), Activation.NONE, rounding(node),
        subtract=node.op is e.sub,
    )  # fmt: skip
    c = clamped(made, node)
    ends = (c.y_zero, c.low, c.high, pairs.each.to(Out()))
    a, b = (pairs.given(0), c.a_zero), (pairs.given(1), c.b_zero)
    if c.a_by is None or c.b_by is None or c.y_by is None:
        call = Call("integer_add_single", (*pairs.head, *a, c.a_m, *b, c.b_m, c.t, *ends))
    else:
        a_by, b_by, y = ((scalar(by.m), scalar(by.t)) for by in (c.a_by, c.b_by, c.y_by))
        call = Call(
            "integer_add_double",
            (*pairs.head, c.left_shift, c.sign, *a, *a_by, *b, *b_by, *y, *ends),
        )
    return pairs.lowered(call)


@kernel("integer_table", lookup)
def table(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if x is None or x.tensor.element.size != 1 or node.outputs[0].tensor.element.size != 1:
        return None
    each = flat(x.tensor.elements, 0.05)
    call = Call("integer_table", (each.count, each.at(In(0)), In(1), each.to(Out())))
    return Lowered((call,), ("integer_elementwise.h",), parallel=each.units)


@kernel("integer_pool", average_pool, max_pool)
def pool(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if not quantised(node) or x is None or not x.tensor.static or len(x.shape) > 4:
        return None
    if any(d != 1 for d in node.integers("dilation")):
        return None
    y = result(node)
    low, high = node.integers("clamp") if node["clamp"] else (y.low, y.high)
    b, h, w, c = image(x.shape)
    _, oh, ow, _ = image(node.outputs[0].shape)
    stride, before = pair(node.integers("stride"), 1), pair(node.integers("low"), 0)
    each = pooled_rows(node) if len(x.shape) == 4 else rows(oh, 0.0)
    windows = (each.count, ow, *pair(node.integers("kernel"), 1), *stride)
    pads = (each.after(before[0], -stride[0]), before[1])
    ends = (store(y), int(node.op is average_pool), In(0), low, high, each.to(Out(), ow * c))
    call = Call("integer_pool2d", (b, h, w, c, *windows, *pads, *ends))
    return Lowered((call,), ("integer_reduction.h",), parallel=each.units)


@kernel("integer_sum", reduce_mean, reduce_sum)
def total(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if not quantised(node) or x is None or not x.tensor.static:
        return None
    axes = node.integers("axes")
    spans = runs(x.shape, axes)
    if len(spans) != 1:
        return None
    count = math.prod(static_size(x.shape[a]) for a in axes)
    constants_of = mean_constants if node.op is reduce_mean else sum_constants
    c = constants_of(operand(node, 0), result(node), count, rounding(node))
    by = (scalar(c.by.m), scalar(c.by.t), c.y_zero, c.low, c.high, rounding_name(node))
    outer, n, inner = spans[0]
    run = (store(operand(node, 0)), In(0), c.x_zero * c.count, *by, Out())
    if together(outer, n, inner):
        call = Call("integer_sum_parts", (n, inner, *run, Scratch(), *THREADS))
        scratch = 4 * RUNS * static_size(inner)
        return Lowered((call,), ("integer_reduction.h",), scratch=scratch, together=True)
    return Lowered((Call("integer_sum", (*spans[0], *run)),), ("integer_reduction.h",))


@kernel("integer_softmax", softmax)
def softmax_rows(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if not quantised(node) or x is None or node.integer("axis") != len(x.shape) - 1:
        return None
    if softmax8_of(node) is not None:
        return None
    beta, y = node.attrs.get("beta", 1.0), result(node)
    assert isinstance(beta, float)
    if y.store == "int32":
        return None
    depth = x.shape[-1]
    c = softmax_constants(operand(node, 0), beta, rounding(node), y.store)
    each = rows(x.tensor.elements // depth, 2.0 * bounds(depth)[1])
    head: tuple[Argument, ...] = (each.count, depth, store(operand(node, 0)), store(y))
    given, made = each.at(In(0), depth), each.to(Out(), depth)
    if rounding(node) == "single":
        call = Call("integer_softmax_single", (*head, given, Weight(0), made))
        tables: tuple[Array, ...] = (c.exp_table,)
    else:
        by = (scalar(c.by.m), scalar(c.by.t), c.diff_min)
        call, tables = Call("integer_softmax_double", (*head, given, *by, made)), ()
    return Lowered((call,), ("integer_reduction.h",), tables, parallel=each.units)


@kernel("quantize", convert)
def represent(node: Node, target: Target) -> Lowered | None:
    x, to = node.inputs[0], node["to"]
    if x is None or not (isinstance(x.tensor.element, Quant) or isinstance(to, Quant)):
        return None
    source, each = x.tensor.element, flat(x.tensor.elements, NANOSECONDS)
    n, given, made = each.count, each.at(In(0)), each.to(Out())
    if isinstance(source, Quant) and isinstance(to, Quant):
        return _rescaled(node, source, to)
    if isinstance(to, Quant) and len(to.scale) == 1 and source == F32:
        y = affine(to)
        limits: tuple[Argument, ...] = (to.scale[0], to.zero[0], y.low, y.high, made)
        if to.rounding == "double":
            call = Call("integer_quantize", (n, store(y), given, *limits))
            return Lowered((call,), ("integer_boundary.h",), parallel=each.units)
        if to.store.size > 2:
            return None
        call = Call(f"quantize_{to.store}", (n, given, *limits))
        return Lowered((call,), ("quantize.h",), parallel=each.units)
    if isinstance(source, Quant) and len(source.scale) == 1 and to == F32:
        by = (source.scale[0], source.zero[0])
        call = Call(f"dequantize_{source.store}", (n, given, *by, made))
        return Lowered((call,), ("quantize.h",), parallel=each.units)
    return None


@kernel("quantize_channels_last", channels_last)
def represent_channels_last(node: Node, target: Target) -> Lowered | None:
    x, to = node.input(0), node["to"]
    assert isinstance(to, Quant)
    batch, channels, *image = x.shape
    few = bounds(channels)[1] <= PLANES
    if not few or to.rounding == "double" or to.store.size > 2:
        return None
    plane = size_product(tuple(image))
    each = flat(plane, static_size(batch * channels) * NANOSECONDS)
    limits = (to.scale[0], to.zero[0], *integer_limits(to.store), each.to(Out(), channels))
    head = (batch, channels, plane, each.count, each.at(In(0)))
    call = Call(f"quantize_channels_last_{to.store}", (*head, *limits))
    return Lowered((call,), ("quantize.h",), parallel=each.units)


def _rescaled(node: Node, source: Quant, to: Quant) -> Lowered | None:
    each = flat(node.outputs[0].tensor.elements, NANOSECONDS)
    n, given, made = each.count, each.at(In(0)), each.to(Out())
    if len(source.scale) != 1 or len(to.scale) != 1:
        return None
    if source.scale == to.scale and source.store.size == to.store.size == 1:
        shift = to.zero[0] - source.zero[0]
        same_range = abs(shift) == (128 if source.store != to.store else 0)
        if same_range:
            call = Call(f"rebase_{source.store}_{to.store}", (n, given, shift, made))
            return Lowered((call,), ("quantize.h",), parallel=each.units)
    x, y = affine(source), affine(to)
    try:
        c = rescale_constants(x, y, "double" if to.rounding == "double" else "single")
    except ShapeError:
        return None
    by = (scalar(c.by.m), scalar(c.by.t), c.y_zero, c.low, c.high, rounding_name(node))
    call = Call("integer_rescale", (n, store(x), store(y), given, c.x_zero, *by, made))
    return Lowered((call,), ("integer_elementwise.h",), parallel=each.units)
