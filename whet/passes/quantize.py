"""Quantise(op(dequantise(x))) -> op on the codes: the integer meaning of the op.

A result may differ from the float computation by one code: the integer meaning is exact up to its
single rounding, the float one is not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.ir.dim import Size, static_size
from whet.ir.element import F32, I8, I32, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops.convert import convert, quantize
from whet.ops.convolution import conv
from whet.ops.elementwise import add, maximum, minimum, mul, sub
from whet.ops.matmul import matmul
from whet.ops.movement import broadcast
from whet.ops.pooling import average_pool
from whet.ops.reduction import reduce_mean, reduce_sum
from whet.passes.codes import codes_of, is_code, real_constant
from whet.rewrite.rule import Example, Replacement, Rule, Uses, rule

Clamp = tuple[int, int]
MAX_AXES = 4


def peeled(node: Node, uses: Uses) -> tuple[Value, Quant, Clamp | None] | None:
    """What a quantise rounds, seen through clips by constants, which become a clamp of codes.

    None where the node is no quantise to 8-bit codes of something only it reads.
    """
    x, to = node.input(0), node["to"]
    if not isinstance(to, Quant) or not is_code(to) or x.tensor.element != F32:
        return None
    low, high, clipped = -128, 127, False
    while x.op in (maximum, minimum) and uses(x) == 1:
        a, b = x.node.inputs
        bound = known(b)
        if bound is None:
            a, bound = b, known(a)
        if bound is None or bound.size != 1 or a is None or a.shape != x.shape:
            return None
        code = int(quantize(bound.reshape(()), to))
        clipped = True
        if x.op is maximum:
            low = min(max(low, code), high)
        else:
            high = max(min(high, code), low)
        x = a
    return (x, to, (low, high) if clipped else None) if uses(x) == 1 else None


def _weights(value: Value | None, axis: int) -> Value | None:
    """Constant int8 weights, symmetric or with one zero, with one scale or one along `axis`."""
    if value is None or value.op is not convert:
        return None
    w = value.node.input(0)
    element = w.tensor.element
    if known(w) is None or not isinstance(element, Quant) or element.store != I8:
        return None
    if element.axis not in (None, axis) or len(set(element.zero)) != 1:
        return None
    return w


def _bias(real: Array, x: Quant, w: Quant, channels: int) -> Value | None:
    """A bias as int32 codes of scale x.scale * w.scale."""
    if real.size not in (1, channels) or any(d != 1 for d in real.shape[:-1]):
        return None
    flat = np.broadcast_to(real.reshape(-1), (channels,)).astype(np.float64)
    scales = np.float64(x.scale[0]) * np.asarray(w.scale, np.float64)
    with np.errstate(all="ignore"):
        real_codes = np.rint(flat / scales)
    if not np.isfinite(real_codes).all():
        return None
    codes = np.clip(real_codes, -(2**31), 2**31 - 1).astype(np.int32)
    axis = None if len(scales) == 1 else 0
    scale = tuple(float(s) for s in scales)
    return constant(codes, Quant(I32, scale, (0,) * len(scale), axis))


def _conv_example() -> Graph:
    x = parameter("x", Type((1, 4, 4, 2), F32))
    w = constant(np.arange(-12, 12, dtype=np.int8).reshape(3, 2, 2, 2), Quant(I8, (0.03,), (0,)))
    q = convert(convert(x, to=Quant(I8, (0.05,), (3,))), to=F32)
    y = conv(
        q, convert(w, to=F32), constant(np.array([1, -1, 0], np.float32)), stride=(1, 1),
        dilation=(1, 1), low=(1, 0), high=(0, 1),
    )  # fmt: skip
    y = maximum(y, constant(np.float32(0)))
    return Graph((x,), (convert(convert(y, to=Quant(I8, (0.06,), (-128,))), to=F32),), ("y",))


@rule(convert, example=_conv_example)
def quantized_contraction(node: Node, uses: Uses) -> Replacement:
    """quantise(clip(conv(dequantise(x), dequantise(w)) + b)) -> conv(x, w, b) on codes; matmul
    alike."""
    found = peeled(node, uses)
    if found is None:
        return None
    y, to, clamp = found
    extra: Array | None = None
    if y.op is add:
        y, extra = _biased(y, uses)
    if y.op not in (conv, matmul) or y.node["epilogue"] is not None or uses(y) > 1:
        return None
    x = codes_of(y.node.inputs[0])
    w = _weights(y.node.inputs[1], 0 if y.op is conv else 1)
    if x is None or w is None or not x.tensor.static or len(w.shape) > MAX_AXES:
        return None
    if y.op is matmul and len(w.shape) != 2:
        return None
    bias = real_constant(y.node.operand(2))
    if y.node.operand(2) is not None and bias is None:
        return None
    inputs = [x, w]
    if bias is not None or extra is not None:
        real = sum(b.astype(np.float64) for b in (bias, extra) if b is not None)
        channels = static_size(y.shape[-1])
        x_element, w_element = x.tensor.element, w.tensor.element
        assert isinstance(x_element, Quant)
        assert isinstance(w_element, Quant)
        coded = _bias(np.asarray(real), x_element, w_element, channels)
        if coded is None:
            return None
        inputs.append(coded)
    attrs = {} if clamp is None else {"clamp": clamp}
    return y.node.replace(tuple(inputs), element=to, **attrs).outputs[0]


def _biased(y: Value, uses: Uses) -> tuple[Value, Array | None]:
    """The contraction and the constant of a sum."""
    for a, b in (y.node.inputs, y.node.inputs[::-1]):
        real = real_constant(b)
        if a is not None and real is not None and a.op in (conv, matmul) and a.shape == y.shape:
            return a, real
    return y, None


def _binary(op: Op) -> Example:
    def make() -> Graph:
        x, y = parameter("x", Type((2, 3), F32)), parameter("y", Type((3,), F32))
        a = convert(convert(x, to=Quant(I8, (0.05,), (3,))), to=F32)
        b = convert(convert(y, to=Quant(I8, (0.03,), (-5,))), to=F32)
        to = Quant(I8, (0.2,), (1,))
        return Graph((x, y), (convert(convert(op(a, b), to=to), to=F32),), ("z",))

    return make


@rule(convert, example=_binary(add))
def quantized_arithmetic(node: Node, uses: Uses) -> Replacement:
    """quantise(clip(dequantise(a) + dequantise(b))) -> a + b on codes; - and * alike."""
    found = peeled(node, uses)
    if found is None or found[0].op not in (add, sub, mul):
        return None
    y, to, clamp = found
    operands = tuple(codes_of(v) for v in y.node.inputs)
    if None in operands:
        return None
    shaped = tuple(_whole(v, y.shape) for v in operands if v is not None)
    attrs = {} if clamp is None else {"clamp": clamp}
    return y.node.replace(shaped, element=to, **attrs).outputs[0]


def _whole(value: Value, shape: tuple[Size, ...]) -> Value:
    """An operand of one element or of the whole shape, which is what the kernels read."""
    alone = value.shape == shape or value.tensor.elements == 1
    return value if alone else broadcast(value, shape=shape)


def _mean_example() -> Graph:
    x = parameter("x", Type((1, 3, 3, 2), F32))
    q = convert(convert(x, to=Quant(I8, (0.05,), (3,))), to=F32)
    y = reduce_mean(q, axes=(1, 2), keep=True)
    return Graph((x,), (convert(convert(y, to=Quant(I8, (0.04,), (-3,))), to=F32),), ("y",))


@rule(convert, example=_mean_example)
def quantized_reduction(node: Node, uses: Uses) -> Replacement:
    """quantise(mean(dequantise(x))) -> mean(x) on codes; sum and average_pool alike."""
    x, to = node.input(0), node["to"]
    if x.op not in (reduce_mean, reduce_sum, average_pool) or uses(x) > 1:
        return None
    q = codes_of(x.node.inputs[0])
    if q is None or not isinstance(to, Quant) or not is_code(to):
        return None
    if x.op is not average_pool:
        return x.node.replace((q,), element=to).outputs[0]
    element = q.tensor.element
    assert isinstance(element, Quant)
    if x.node["count_pad"] and any((*x.node.integers("low"), *x.node.integers("high"))):
        return None
    pooled = x.node.replace((q,), element=element).outputs[0]
    return pooled if element == to else convert(pooled, to=replace(to))


QUANTIZE: tuple[Rule, ...] = (quantized_contraction, quantized_arithmetic, quantized_reduction)
