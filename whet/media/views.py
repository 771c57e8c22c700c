"""Views: what a model's outputs mean to a person, as tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError
from whet.media.bitmap import encode_png
from whet.media.limits import MAX_PIXELS
from whet.media.tensor import Array, TensorSpec, dequantise

Cell = str | int | float
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the names of the columns, and rows as long as they."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def to_json(self) -> dict[str, str | list[dict[str, Cell]]]:
        """{"title": ..., "rows": [{column: cell}]}."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows}


@dataclass(frozen=True, slots=True)
class Presentation:
    """Everything to show for one run: tables, and pictures as PNG bytes by name."""

    tables: tuple[Table, ...]
    pictures: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


def _label(labels: tuple[str, ...], index: int) -> str:
    return labels[index] if 0 <= index < len(labels) else str(index)


def _value(
    outputs: Mapping[str, Array], specs: Mapping[str, TensorSpec], name: str
) -> NDArray[np.float64]:
    if name not in outputs:
        raise InputError("the model gave no such output", name)
    return dequantise(outputs[name], specs[name])


@dataclass(frozen=True, slots=True)
class Classes:
    """The `top` classes of one output's last axis; `softmax` for outputs that are logits.

    More than one row of scores (a batch, a sequence) is averaged over when `mean` is set; otherwise
    the first row is shown. Classes below `threshold` are left out.
    """

    output: str
    labels: tuple[str, ...] = ()
    top: int = 5
    softmax: bool = False
    mean: bool = False
    threshold: float = 0.0

    def check(self) -> str:
        return "" if 0 < self.top <= MAX_ROWS else f"top is 1 to {MAX_ROWS}"

    def outputs(self) -> tuple[str, ...]:
        return (self.output,)

    def present(
        self, outputs: Mapping[str, Array], specs: Mapping[str, TensorSpec]
    ) -> Presentation:
        values = _value(outputs, specs, self.output)
        if values.ndim == 0 or values.size == 0:
            raise InputError("no classes to show", self.output, f"shape {values.shape}")
        rows = values.reshape(-1, values.shape[-1])
        if self.softmax:
            rows = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows /= rows.sum(axis=1, keepdims=True)
        scores = rows.mean(axis=0) if self.mean else rows[0]
        best = np.argsort(-scores, kind="stable")[: self.top]
        shown = tuple(
            (_label(self.labels, int(i)), round(float(scores[i]), 6), int(i))
            for i in best
            if not self.threshold or scores[i] >= self.threshold
        )
        return Presentation((Table(self.output, ("label", "score", "class"), shown),))


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes of a detector that ends in TFLite_Detection_PostProcess.

    boxes (1, n, 4) are top, left, bottom, right as shares of the picture; classes and scores are
    (1, n); count (1,) says how many hold. Labels are counted from class 0.
    """

    boxes: str
    classes: str
    scores: str
    count: str = ""
    labels: tuple[str, ...] = ()
    threshold: float = 0.3

    def check(self) -> str:
        return ""

    def outputs(self) -> tuple[str, ...]:
        return tuple(name for name in (self.boxes, self.classes, self.scores, self.count) if name)

    def present(
        self, outputs: Mapping[str, Array], specs: Mapping[str, TensorSpec]
    ) -> Presentation:
        boxes = _value(outputs, specs, self.boxes)
        classes = _value(outputs, specs, self.classes).reshape(-1)
        scores = _value(outputs, specs, self.scores).reshape(-1)
        if boxes.size != 4 * scores.size or classes.size != scores.size:
            raise InputError("the outputs are no detections", self.boxes, f"shape {boxes.shape}")
        count = scores.size
        if self.count:
            given = _value(outputs, specs, self.count).reshape(-1)
            count = int(min(count, max(given[0], 0.0))) if given.size else 0
        edges = boxes.reshape(-1, 4)
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                _label(self.labels, int(classes[i])),
                round(float(scores[i]), 6),
                *(round(float(edge), 4) for edge in edges[i]),
            )
            for i in range(min(count, MAX_ROWS))
            if scores[i] >= self.threshold
        )
        columns = ("label", "score", "top", "left", "bottom", "right")
        return Presentation((Table("detections", columns, rows),))


@dataclass(frozen=True, slots=True)
class Mask:
    """A class for each pixel: a table of shares, and a PNG whose palette tells classes apart.

    The output is (1, height, width, classes) scores, or (1, height, width) class numbers.
    """

    output: str
    labels: tuple[str, ...] = ()

    def check(self) -> str:
        return ""

    def outputs(self) -> tuple[str, ...]:
        return (self.output,)

    def present(
        self, outputs: Mapping[str, Array], specs: Mapping[str, TensorSpec]
    ) -> Presentation:
        values = _value(outputs, specs, self.output)
        if values.ndim == 4 and values.shape[0] == 1:
            values = values[0]
        if values.ndim == 3 and values.shape[2] > 1:
            values = values.argmax(axis=2)
        plane = values.squeeze()
        if plane.ndim != 2 or not 0 < plane.size <= MAX_PIXELS:
            raise InputError("the output is no mask", self.output, f"shape {values.shape}")
        classes = np.clip(np.nan_to_num(plane), 0, 255).astype(np.uint8)
        counts = np.bincount(classes.reshape(-1), minlength=256)
        order = np.argsort(-counts, kind="stable")
        rows = tuple(
            (_label(self.labels, int(i)), round(float(counts[i] / classes.size), 6), int(i))
            for i in order
            if counts[i]
        )
        picture = encode_png(classes, class_palette())
        table = Table(self.output, ("label", "share", "class"), rows)
        return Presentation((table,), ((f"{self.output}.png", picture),))


def class_palette() -> NDArray[np.uint8]:
    """256 colours (256, 3) in which near class numbers look different (the PASCAL VOC colour map).

    Bits 0, 1, 2 of the class become the top bits of red, green, blue, bits 3, 4, 5 the next, ...
    """
    classes = np.arange(256)
    colors = np.zeros((256, 3), np.uint8)
    for level in range(8):
        for channel in range(3):
            bit = (classes >> (3 * level + channel)) & 1
            colors[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colors


@dataclass(frozen=True, slots=True)
class Values:
    """The numbers of one output: shape, range, mean, and the first few."""

    output: str
    first: int = 8

    def check(self) -> str:
        return "" if 0 < self.first <= MAX_ROWS else f"first is 1 to {MAX_ROWS}"

    def outputs(self) -> tuple[str, ...]:
        return (self.output,)

    def present(
        self, outputs: Mapping[str, Array], specs: Mapping[str, TensorSpec]
    ) -> Presentation:
        values = _value(outputs, specs, self.output)
        shape = "x".join(map(str, values.shape)) or "scalar"
        head = " ".join(f"{v:.6g}" for v in values.reshape(-1)[: self.first])
        span: tuple[Cell, ...] = (0.0, 0.0, 0.0)
        if values.size:
            span = tuple(float(v) for v in (values.min(), values.mean(), values.max()))
        columns = ("shape", "min", "mean", "max", "first")
        return Presentation((Table(self.output, columns, ((shape, *span, head),)),))
