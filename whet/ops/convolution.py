"""`conv`: N-d convolution, channels last."""

from __future__ import annotations

from itertools import product

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size, bounds, static_size
from whet.ir.element import Quant
from whet.ir.graph import Graph
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import affine, clamped, operand, quant_of
from whet.ops.epilogue import applied, checked
from whet.ops.integer import contraction as integer
from whet.ops.integer.quantization import Activation

Ints = tuple[int, ...]


def window_extent(size: Size, kernel: int, stride: int, dilation: int, pads: int) -> Size:
    """How many windows fit along one axis."""
    return (size + (pads - dilation * (kernel - 1) - 1)) // stride + 1


def check_padding(*padding: int) -> None:
    """Raise ShapeError where a window op is to cut its operand instead of padding it."""
    if any(p < 0 for p in padding):
        raise ShapeError("negative padding", hint="slice the operand instead")


def _infer(
    x: Type, w: Type, bias: Type | None = None, *extras: Type, stride: Ints, dilation: Ints,
    low: Ints, high: Ints, groups: int = 1, epilogue: Attr = None, clamp: Attr = None,
    float32_product: bool = False,
) -> Type:  # fmt: skip
    """x: [N, *S, C]; w: [O, *K, C/groups]; bias: [O]. Result [N, *S', O]."""
    spatial = x.rank - 2
    if spatial < 1 or w.rank != x.rank or not len(stride) == len(low) == len(high) == spatial:
        raise ShapeError(f"convolution of {x} with {w}")
    check_padding(*low, *high)
    if x.shape[-1] != w.shape[-1] * groups or static_size(w.shape[0]) % groups:
        raise ShapeError(f"convolution of {x} with {w} in {groups} groups: channels do not fit")
    if bias is not None and bias.shape != (w.shape[0],):
        raise ShapeError(f"bias {bias} for {w.shape[0]} channels")
    out = tuple(
        window_extent(
            x.shape[i + 1], static_size(w.shape[i + 1]), stride[i], dilation[i], low[i] + high[i]
        )
        for i in range(spatial)
    )
    if any(bounds(d)[1] < 1 for d in out):
        raise ShapeError(f"convolution of {x} with {w}: the kernel is larger than the padded input")
    return checked(Type((x.shape[0], *out, w.shape[0]), x.element), extras, epilogue)


def correlate(x: Array, w: Array, node: Node) -> Array:
    """The sum of products without bias, in the arrays' own precision; x already padded."""
    stride, dilation = node.integers("stride"), node.integers("dilation")
    groups = node.integer("groups", 1)
    kernel, outs, per = w.shape[1:-1], w.shape[0] // groups, w.shape[-1]
    extent = [
        (d - dl * (k - 1) - 1) // s + 1
        for d, k, s, dl in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((x.shape[0], *extent, w.shape[0]), np.result_type(x, w))
    flat = w.reshape(w.shape[0], -1, per)
    for t, tap in enumerate(product(*(range(k) for k in kernel))):
        index = tuple(
            slice(i * dl, i * dl + (e - 1) * s + 1, s)
            for i, dl, e, s in zip(tap, dilation, extent, stride, strict=True)
        )
        window = x[(slice(None), *index)]
        taps = flat[:, t]
        if per == 1 and outs == 1:
            y += window * taps[:, 0]
            continue
        for g in range(groups):
            part = window[..., g * per : (g + 1) * per]
            y[..., g * outs : (g + 1) * outs] += part @ taps[g * outs : (g + 1) * outs].T
    return y


def padded(x: Array, node: Node, fill: int | float = 0) -> Array:
    """x with the convolution's padding written out."""
    widths = [(0, 0), *zip(node.integers("low"), node.integers("high"), strict=True), (0, 0)]
    return np.pad(x, widths, constant_values=fill) if any(map(any, widths)) else x


def _evaluate(node: Node, x: Array, w: Array, bias: Array | None = None, *extras: Array) -> Array:
    if x.dtype.kind in "fV" and x.dtype.itemsize < 4:
        x, w = x.astype(np.float32), w.astype(np.float32)
    y = correlate(padded(x, node), w, node)
    return applied(node, y if bias is None else y + bias, extras)


def _quantized(node: Node, x: Array, w: Array, bias: Array | None = None, *extras: Array) -> Array:
    """Exact sums in 32 bits, then requantised; see `integer.contraction`."""
    window, constants = window_of(node), contraction_of(node)
    flat = x.ndim == 3
    if flat:
        x, w = x[:, None], w[:, None]
    if w.shape[-1] == 1 and node.integer("groups", 1) == x.shape[-1]:
        y = integer.depthwise_conv2d(x, w.transpose(3, 1, 2, 0), bias, window, constants)
    else:
        y = integer.conv2d(x, w, bias, window, constants)
    return applied(node, y[:, 0] if flat else y, extras)


def window_of(node: Node) -> integer.Window:
    """The window of a node with one or two spatial axes."""

    def pair(values: Ints, missing: int) -> tuple[int, int]:
        return (values[0], values[1]) if len(values) == 2 else (missing, values[0])

    low, high = pair(node.integers("low"), 0), pair(node.integers("high"), 0)
    stride, dilation = pair(node.integers("stride"), 1), pair(node.integers("dilation"), 1)
    return integer.Window(stride, dilation, (low[0], high[0]), (low[1], high[1]))


def sum_element(node: Node) -> Quant:
    """How a quantised contraction represents its sums: its result, or what its epilogue takes."""
    body = node["epilogue"]
    return quant_of(body.inputs[0] if isinstance(body, Graph) else node.outputs[0])


def contraction_of(node: Node) -> integer.Contraction:
    """The integer constants of a quantised convolution or matrix product, up to its epilogue."""
    w, to = quant_of(node.inputs[1]), sum_element(node)
    x = operand(node, 0)
    constants = integer.contraction_constants(
        x, w.scale, affine(to), Activation.NONE, "double" if to.rounding == "double" else "single",
        w_zero=w.zero[0], wide=x.store == "int16", float32_product=bool(node["float32_product"]),
    )  # fmt: skip
    return clamped(constants, node)


conv = Op("conv", _infer, _evaluate, "contraction", _quantized)
