"""`detection_postprocess`: boxes from anchors, the best of those that overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import static_shape, static_size
from whet.ir.element import F32
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type


@dataclass(frozen=True, slots=True)
class Settings:
    """How many are kept, and above which score and below which overlap.

    scales: (y, x, h, w) of the encodings. per_class: suppress each class on its own.
    """

    detections: int
    categories: int
    per_class: int
    classes: int
    least_score: float
    most_overlap: float
    scales: tuple[float, float, float, float]
    regular: bool


def _infer(
    boxes: Type, scores: Type, anchors: Type, *, detections: int, categories: int, per_class: int,
    classes: int, least_score: float, most_overlap: float, scales: tuple[float, ...], regular: bool,
) -> tuple[Type, ...]:  # fmt: skip
    """boxes [1, N, 4 or more] (y, x, h, w encoded), scores [1, N, classes (+ 1 background)],
    anchors [N, 4], all f32 -> boxes [1, M, 4] (top, left, bottom, right), classes [1, M], scores
    [1, M], count [1]; M = detections, times `categories` where classes are suppressed together.
    """
    n = anchors.shape[0]
    fits = boxes.rank == scores.rank == 3 and boxes.shape[:2] == scores.shape[:2] == (1, n)
    if not fits or anchors.shape != (n, 4) or not isinstance(n, int) or not boxes.static:
        raise ShapeError(f"detections of {boxes}, {scores} and {anchors}")
    if any(t.element != F32 for t in (boxes, scores, anchors)):
        raise ShapeError("detections of anything but f32")
    columns, values = static_size(scores.shape[2]), static_size(boxes.shape[2])
    if columns not in (classes, classes + 1) or values < 4:
        raise ShapeError(f"{columns} scores for {classes} classes")
    if min(detections, categories, per_class) < 1 or detections * categories > 1 << 16:
        raise ShapeError(f"{detections} detections of {categories} categories")
    if len(scales) != 4 or not all(scales):
        raise ShapeError(f"scales {scales}")
    m = detections if regular else detections * min(categories, classes)
    return Type((1, m, 4), F32), Type((1, m), F32), Type((1, m), F32), Type((1,), F32)


def settings(node: Node) -> Settings:
    """The attributes of a node."""

    def real(value: Attr) -> float:
        assert isinstance(value, int | float)
        return float(value)

    given = node["scales"]
    assert isinstance(given, tuple)
    y, x, h, w = (real(v) for v in given)
    classes = node.integer("classes")
    return Settings(
        node.integer("detections"), min(node.integer("categories"), classes),
        node.integer("per_class"), classes, real(node["least_score"]), real(node["most_overlap"]),
        (y, x, h, w), bool(node["regular"]),
    )  # fmt: skip


def decoded(boxes: Array, anchors: Array, scales: tuple[float, ...]) -> Array:
    """Corners (top, left, bottom, right) of encoded boxes [N, 4], in f32."""
    codes = boxes[:, :4] / np.array(scales, np.float32)
    center = codes[:, :2] * anchors[:, 2:] + anchors[:, :2]
    half = np.float32(0.5) * np.exp(codes[:, 2:]) * anchors[:, 2:]
    return np.concatenate([center - half, center + half], axis=1)


def overlap(corners: Array, box: int, others: Array) -> Array:
    """Intersection over union of a box with others; 0 where one of them has no area."""
    one, many = corners[box], corners[others]
    sides = np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    area, areas = (one[2:] - one[:2]).prod(), (many[:, 2:] - many[:, :2]).prod(axis=1)
    shared = common / (area + areas - common)
    return np.where((areas <= 0) | (area <= 0), 0, shared).astype(np.float32)


def suppressed(corners: Array, scores: Array, most: int, s: Settings) -> list[int]:
    """At most `most` boxes, best first, none of which overlaps a better one too much."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= np.float32(s.least_score)]
    kept: list[int] = []
    while len(order) and len(kept) < most:
        kept.append(int(order[0]))
        rest = order[1:]
        order = rest[overlap(corners, kept[-1], rest) <= np.float32(s.most_overlap)]
    return kept


def _regular(corners: Array, scores: Array, s: Settings) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for c in range(s.classes):
        best = suppressed(corners, scores[:, c], s.per_class, s)
        found = sorted([*found, *((box, c) for box in best)], key=lambda bc: -scores[bc])
        found = found[: s.detections]
    return found


def _together(corners: Array, scores: Array, s: Settings) -> list[tuple[int, int]]:
    order = np.argsort(-scores, axis=1, kind="stable")[:, : s.categories]
    kept = suppressed(corners, scores.max(axis=1), s.detections, s)
    return [(box, int(c)) for box in kept for c in order[box]]


def _evaluate(node: Node, boxes: Array, scores: Array, anchors: Array) -> tuple[Array, ...]:
    s = settings(node)
    corners = decoded(boxes[0], anchors, s.scales)
    labelled = scores[0][:, scores.shape[2] - s.classes :]
    found = (_regular if s.regular else _together)(corners, labelled, s)
    shown = [np.zeros(static_shape(v.shape), np.float32) for v in node.outputs]
    for i, (box, c) in enumerate(found):
        shown[0][0, i], shown[1][0, i], shown[2][0, i] = corners[box], c, labelled[box, c]
    shown[3][0] = len(found)
    return tuple(shown)


detection_postprocess = Op("detection_postprocess", _infer, _evaluate)
"""Source: TensorFlow Lite's custom operator TFLite_Detection_PostProcess. Equal scores keep the
order of the boxes; rows beyond the count are zero."""
