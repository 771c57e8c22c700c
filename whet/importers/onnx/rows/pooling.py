"""Window pooling."""

from __future__ import annotations

from whet.errors import UnsupportedError, UnsupportedOp
from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.convolution import channels_first, channels_last, window
from whet.ir.node import Value
from whet.ops.pooling import average_pool, max_pool


@row("MaxPool", "AveragePool")
def pool(layer: Layer) -> Value:
    if len(layer.proto.output) > 1:
        unknown = UnsupportedOp("MaxPool", layer.name, "the indices of the maxima are asked for")
        raise UnsupportedError([unknown])
    kernel = layer.integers("kernel_shape")
    attrs = window(layer, kernel)
    if layer.integer("ceil_mode"):
        attrs["high"] = _ceiled(layer, kernel, attrs)
    x = channels_last(layer[0])
    if layer.proto.op_type == "MaxPool":
        return channels_first(max_pool(x, kernel=kernel, **attrs))
    count = bool(layer.integer("count_include_pad"))
    return channels_first(average_pool(x, kernel=kernel, count_pad=count, **attrs))


def _ceiled(
    layer: Layer, kernel: tuple[int, ...], attrs: dict[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Trailing pads that let the last, partial window in; one that starts in them is left out."""
    pads = []
    sizes = zip(
        layer[0].shape[2:], kernel, attrs["stride"], attrs["dilation"], attrs["low"], attrs["high"],
        strict=True,
    )  # fmt: skip
    for d, k, s, dl, low, high in sizes:
        size = int(str(d))
        span = dl * (k - 1) + 1
        count = -(-(size + low + high - span) // s) + 1
        if (count - 1) * s >= size + low:
            count -= 1
        pads.append(max(high, (count - 1) * s + span - size - low))
    return tuple(pads)
