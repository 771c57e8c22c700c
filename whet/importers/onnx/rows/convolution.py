"""Convolution and what is read like it; ONNX is channels first, the graph channels last."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.ir.dim import static_shape
from whet.ir.node import Value
from whet.ops.convolution import conv
from whet.ops.movement import transpose


def channels_last(x: Value) -> Value:
    """[N, C, *S] -> [N, *S, C]."""
    rank = len(x.shape)
    return transpose(x, perm=(0, *range(2, rank), 1))


def channels_first(x: Value) -> Value:
    """[N, *S, C] -> [N, C, *S]."""
    rank = len(x.shape)
    return transpose(x, perm=(0, rank - 1, *range(1, rank - 1)))


def window(layer: Layer, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """stride, dilation, low and high of a window op, auto_pad resolved."""
    n = len(kernel)
    stride = layer.integers("strides", (1,) * n)
    dilation = layer.integers("dilations", (1,) * n)
    pads = layer.integers("pads", (0,) * (2 * n))
    if not len(stride) == len(dilation) == n or len(pads) != 2 * n or min((*stride, *dilation)) < 1:
        raise ModelError("strides, dilations or pads do not fit the kernel", where=layer.name)
    auto = layer.text("auto_pad", "NOTSET")
    low, high = pads[:n], pads[n:]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = []
        for d, k, s, dl in zip(layer[0].shape[2:], kernel, stride, dilation, strict=True):
            if not isinstance(d, int):
                raise ModelError("auto_pad of a free dimension", where=layer.name)
            totals.append(max(0, (-(-d // s) - 1) * s + dl * (k - 1) + 1 - d))
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        low, high = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        low = high = (0,) * n
    return {"stride": stride, "dilation": dilation, "low": low, "high": high}


@row("Conv")
def convolution(layer: Layer) -> Value:
    return convolved(layer, layer[0], layer[1], layer.optional(2))


def convolved(layer: Layer, x: Value, w: Value, bias: Value | None) -> Value:
    """The convolution a layer's attributes describe, of operands stored as ONNX stores them."""
    kernel = static_shape(w.shape[2:])
    given = layer.integers("kernel_shape", kernel)
    if given != kernel:
        raise ModelError(f"kernel_shape {given} but weights are {kernel}", where=layer.name)
    y = conv(
        channels_last(x), channels_last(w), bias, groups=layer.integer("group", 1),
        **window(layer, kernel),
    )  # fmt: skip
    return channels_first(y)
