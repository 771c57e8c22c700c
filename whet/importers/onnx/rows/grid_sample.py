"""GridSample."""

from __future__ import annotations

from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.convolution import channels_first, channels_last
from whet.ir.node import Value
from whet.ops.convert import convert
from whet.ops.grid_sample import grid_sample

RENAMED = {"bilinear": "linear", "bicubic": "cubic"}  # before version 20


@row("GridSample")
def sample(layer: Layer) -> Value:
    x, mode = layer[0], layer.text("mode", "linear")
    y = grid_sample(
        channels_last(x), convert(layer[1], to=x.tensor.element), mode=RENAMED.get(mode, mode),
        padding=layer.text("padding_mode", "zeros"),
        align_corners=bool(layer.integer("align_corners")),
    )  # fmt: skip
    return channels_first(y)
