"""Transposed, deformed and integer convolutions, and regions of interest."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.convolution import channels_first, channels_last, window
from whet.ir.dim import Size, static_shape
from whet.ir.node import Value
from whet.ops.convolution_transpose import conv_transpose, deform_conv
from whet.ops.movement import reshape, transpose
from whet.ops.region import max_roi_pool, roi_align


@row("ConvTranspose")
def transposed(layer: Layer) -> Value:
    x, w, groups = layer[0], layer[1], layer.integer("group", 1)
    kernel = static_shape(w.shape[2:])
    rank = len(kernel)
    stride = layer.integers("strides", (1,) * rank)
    dilation = layer.integers("dilations", (1,) * rank)
    extra = layer.integers("output_padding", (0,) * rank)
    full = tuple(
        (d - 1) * s + dl * (k - 1) + 1 + e
        for d, s, dl, k, e in zip(x.shape[2:], stride, dilation, kernel, extra, strict=True)
    )
    low, size = _placed(layer, full, stride)
    y = conv_transpose(
        channels_last(x), _outputs_first(w, groups), layer.optional(2), stride=stride,
        dilation=dilation, low=low, size=size, groups=groups,
    )  # fmt: skip
    return channels_first(y)


def _placed(
    layer: Layer, full: tuple[Size, ...], stride: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[Size, ...]]:
    """What is cut off the start of the full result, and the size that is kept."""
    rank = len(full)
    pads = layer.integers("pads", (0,) * (2 * rank))
    auto = layer.text("auto_pad", "NOTSET")
    size: tuple[Size, ...] = layer.integers("output_shape")[-rank:]
    if not size and not auto.startswith("SAME"):
        low, high = pads[:rank], pads[rank:]
        return low, tuple(f - a - b for f, a, b in zip(full, low, high, strict=True))
    size = size or tuple(d * s for d, s in zip(layer[0].shape[2:], stride, strict=True))
    totals = []
    for f, n in zip(full, size, strict=True):
        cut = f - n
        if not isinstance(cut, int):
            raise ModelError("automatic padding of a free dimension", where=layer.name)
        totals.append(max(cut, 0))
    upper = auto == "SAME_UPPER"
    return tuple(t // 2 if upper else t - t // 2 for t in totals), size


def _outputs_first(w: Value, groups: int) -> Value:
    """[C, O/groups, *K] -> [O, *K, C/groups]."""
    channels, outputs, *kernel = w.shape
    rank = len(kernel)
    parts = reshape(w, shape=(groups, channels // groups, outputs, *kernel))
    turned = transpose(parts, perm=(0, 2, *range(3, 3 + rank), 1))
    return reshape(turned, shape=(outputs * groups, *kernel, channels // groups))


@row("DeformConv")
def deformed(layer: Layer) -> Value:
    """ONNX has offsets as [N, offset_group * KH * KW * 2, H', W']."""
    x, w, offset, mask = layer[0], layer[1], layer[2], layer.optional(4)
    kernel = static_shape(w.shape[2:])
    attrs = window(layer, kernel)
    attrs.pop("high")
    y = deform_conv(
        channels_last(x), channels_last(w), channels_last(offset),
        None if mask is None else channels_last(mask), layer.optional(3),
        groups=layer.integer("group", 1), offset_groups=layer.integer("offset_group", 1), **attrs,
    )  # fmt: skip
    return channels_first(y)


@row("RoiAlign")
def regions(layer: Layer) -> Value:
    """Before version 16 coordinates are not half-pixel."""
    default = "half_pixel" if layer.version >= 16 else "output_half_pixel"
    y = roi_align(
        channels_last(layer[0]), layer[1], layer.whole(2),
        size=(layer.integer("output_height", 1), layer.integer("output_width", 1)),
        scale=layer.real("spatial_scale", 1.0), ratio=layer.integer("sampling_ratio"),
        largest=layer.text("mode", "avg") == "max",
        half_pixel=layer.text("coordinate_transformation_mode", default) == "half_pixel",
    )  # fmt: skip
    return channels_first(y)


@row("MaxRoiPool")
def pooled(layer: Layer) -> Value:
    y = max_roi_pool(
        channels_last(layer[0]), layer[1], size=layer.integers("pooled_shape"),
        scale=layer.real("spatial_scale", 1.0),
    )  # fmt: skip
    return channels_first(y)
