"""Resized images and detections."""

from __future__ import annotations

from whet.errors import ModelError
from whet.importers.flexbuffer import read_options
from whet.importers.tflite.layer import Layer, as_element, row
from whet.ir.dim import static_shape
from whet.ir.element import F32
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops.bilinear import bilinear
from whet.ops.gather import gather
from whet.ops.integer.resize import nearest_positions
from whet.ops.postprocess import detection_postprocess


def _size(layer: Layer) -> tuple[int, int]:
    height, width = layer.ints(1)
    if min(height, width) < 1 or height * width > 1 << 26:
        raise ModelError(f"an image of {height} by {width}", where=layer.name)
    return height, width


@row("RESIZE_BILINEAR")
def resize_bilinear(layer: Layer) -> Value:
    return bilinear(
        layer[0], size=_size(layer), align_corners=bool(layer.option(2, "B")),
        half_pixel=bool(layer.option(3, "B")), ties_up=layer.legacy,
    )  # fmt: skip


@row("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(layer: Layer) -> Value:
    y, options = layer[0], (bool(layer.option(0, "B")), bool(layer.option(1, "B")))
    for axis, (size, out) in enumerate(
        zip(static_shape(y.shape[1:3]), _size(layer), strict=True), 1
    ):
        y = gather(y, constant(nearest_positions(size, out, *options)), axis=axis)
    return y


@row("TFLite_Detection_PostProcess")
def detections(layer: Layer) -> tuple[Value, ...]:
    """Boxes, classes, scores and count; the file gives their shapes as unknown."""
    options = read_options(layer.operator.custom_options, layer.name)
    try:
        scales = tuple(float(options[f"{axis}_scale"]) for axis in "yxhw")
        most, classes = int(options["max_detections"]), int(options["num_classes"])
        score, overlap = options["nms_score_threshold"], options["nms_iou_threshold"]
    except KeyError as error:
        raise ModelError(f"detections without {error}", where=layer.name) from None
    return detection_postprocess.many(
        *(as_element(layer[i], F32) for i in range(3)),
        detections=most, categories=int(options.get("max_classes_per_detection", 1)),
        per_class=int(options.get("detections_per_class", 100)), classes=classes,
        least_score=float(score), most_overlap=float(overlap), scales=scales,
        regular=bool(options.get("use_regular_nms", False)),
    )  # fmt: skip
