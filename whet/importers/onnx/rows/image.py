"""ImageDecoder: an encoded picture in, pixels out. It has a meaning (by Pillow) but no kernel."""

from __future__ import annotations

import io

import numpy as np

from whet.errors import InputError
from whet.importers.onnx.layer import Layer, row
from whet.importers.onnx.rows.sequence import fresh, told
from whet.ir.element import I64, U8
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops.sequence import ANY

MODES = {"RGB": "RGB", "BGR": "RGB", "Grayscale": "L"}


def _infer(data: Type, *, format: str, made: Type) -> tuple[Type, ...]:
    """Pixels [height, width, channels], u8; height and width."""
    return made, Type((), I64), Type((), I64)


def _evaluate(node: Node, data: Array) -> tuple[Array, ...]:
    """Raises InputError where Pillow is missing or cannot read the picture."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("pictures need Pillow", node.origin, hint="pip install pillow") from error
    kind = str(node["format"])
    try:
        with Image.open(io.BytesIO(data.tobytes())) as image:
            pixels = np.asarray(image.convert(MODES[kind]))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError("not a picture that Pillow reads", node.origin, str(error)) from error
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    pixels = pixels[:, :, ::-1] if kind == "BGR" else pixels
    return pixels, np.array(pixels.shape[0], np.int64), np.array(pixels.shape[1], np.int64)


image_decoder = Op("image_decoder", _infer, _evaluate)


@row("ImageDecoder")
def decoded(layer: Layer) -> Value:
    kind = layer.text("pixel_format", "RGB")
    channels = 1 if MODES.get(kind) == "L" else 3
    made = fresh(layer, Type((ANY, ANY, channels), U8))
    if kind not in MODES:
        raise InputError(f"unknown pixel format {kind}", layer.name)
    return told(layer, image_decoder.many(layer[0], format=kind, made=made))
