"""TFLite metadata as a Config: normalisation, rates, labels.

A `.tflite` may carry a FlatBuffer named TFLITE_METADATA (schema "M001") among its buffers, and the
files it refers to in a ZIP appended to the model. Nothing in either is trusted. Field numbers are
those of the published schemas of the model and of its metadata.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from whet.errors import ModelError
from whet.importers.flatbuffer import Buffer, Table
from whet.media.array_steps import Normalise
from whet.media.audio_steps import PadTrim, Resample
from whet.media.config import Config, InputConfig, Step, View, parse_labels
from whet.media.image_steps import Grayscale, Resize
from whet.media.limits import MAX_ARCHIVE_MEMBERS, MAX_LABEL_BYTES
from whet.media.tensor import TensorSpec
from whet.media.views import Classes, Detections, Mask

_IMAGE, _AUDIO = 2, 4
_GRAYSCALE = 2
_NORMALISE, _THRESHOLD = 1, 3
_AXIS_LABELS, _VALUE_LABELS = 2, 3
_ROLES = {
    "location": "boxes",
    "locations": "boxes",
    "category": "classes",
    "classes": "classes",
    "score": "scores",
    "scores": "scores",
    "number of detections": "count",
}


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """What the metadata says of one tensor."""

    name: str
    content: int = 0
    grayscale: bool = False
    rate: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    threshold: float = 0.0
    axis_labels: tuple[str, ...] = ()
    value_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What the metadata says of a model: its name, and its tensors in the model's order."""

    name: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


def read_metadata(model: bytes, where: str) -> ModelMetadata | None:
    """The metadata of a `.tflite`, or None if it has none; ModelError where it is malformed."""
    if model[4:8] != b"TFL3":
        return None
    root = Buffer(model, where).root()
    entry = next((e for e in root.tables(6) if e.text(0) == "TFLITE_METADATA"), None)
    if entry is None:
        return None
    buffers, index = root.tables(4), entry.integer(1, "I")
    data = buffers[index].raw(0) if index < len(buffers) else b""
    if data[4:8] != b"M001":
        raise ModelError("malformed metadata", where, "its buffer is not a metadata table")
    top = Buffer(data, where).root()
    graphs = top.tables(3)
    if not graphs:
        return ModelMetadata(top.text(0), (), ())
    files = _Files(model, where)
    inputs = tuple(_tensor(table, files) for table in graphs[0].tables(2))
    outputs = tuple(_tensor(table, files) for table in graphs[0].tables(3))
    return ModelMetadata(top.text(0), inputs, outputs)


class _Files:
    """The files in the ZIP behind the model, by exact name, each read once and bounded."""

    def __init__(self, model: bytes, where: str) -> None:
        self.where = where
        self.members: dict[str, tuple[str, ...]] = {}
        self.archive: zipfile.ZipFile | None = None
        if not zipfile.is_zipfile(io.BytesIO(model)):
            return
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(model))
        except Exception as error:  # damaged directories raise anything
            raise self._broken(error) from None
        if len(self.archive.infolist()) > MAX_ARCHIVE_MEMBERS:
            raise ModelError("malformed metadata", where, "too many associated files")

    def _broken(self, error: Exception) -> ModelError:
        reason = str(error) or type(error).__name__
        return ModelError("malformed associated file", self.where, reason)

    def labels(self, name: str) -> tuple[str, ...]:
        """The lines of a file; empty when the archive does not hold it."""
        if name not in self.members:
            self.members[name] = self._read(name)
        return self.members[name]

    def _read(self, name: str) -> tuple[str, ...]:
        if self.archive is None or name not in self.archive.namelist():
            return ()
        try:
            with self.archive.open(name) as file:
                data = file.read(MAX_LABEL_BYTES + 1)
        except Exception as error:  # damaged members raise zlib, struct and zipfile errors
            raise self._broken(error) from None
        if len(data) > MAX_LABEL_BYTES:
            raise ModelError("malformed associated file", self.where, f"{name} is too large")
        return parse_labels(data, name)


def _tensor(table: Table, files: _Files) -> TensorMetadata:
    content = table.table(3)
    kind = content.integer(0, "B") if content else 0
    properties = content.table(1) if content else None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    threshold = 0.0
    for unit in table.tables(4):
        options, which = unit.table(1), unit.integer(0, "B")
        if options is not None and which == _NORMALISE:
            mean, std = tuple(options.reals(0)), tuple(options.reals(1))
        elif options is not None and which == _THRESHOLD:
            threshold = options.real(0)
    labels: dict[int, tuple[str, ...]] = {}
    for file in table.tables(6):
        labels.setdefault(file.integer(2, "b"), files.labels(file.text(0)))
    return TensorMetadata(
        table.text(0),
        kind,
        kind == _IMAGE and properties is not None and properties.integer(0, "b") == _GRAYSCALE,
        properties.integer(0, "I") if kind == _AUDIO and properties is not None else 0,
        mean,
        std,
        threshold,
        labels.get(_AXIS_LABELS, ()),
        labels.get(_VALUE_LABELS, ()),
    )


def metadata_config(
    model: bytes, where: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> Config | None:
    """The Config that a `.tflite`'s metadata asks for, or None without metadata.

    inputs, outputs: the model's, in its own order. A uint8 picture input takes pixels as its codes,
    as the metadata's own runtime does; other types are normalised (and then quantised).
    """
    found = read_metadata(model, where)
    if found is None:
        return None
    pairs = zip(inputs, found.inputs, strict=False)
    entries = [(spec.name, entry) for spec, tensor in pairs if (entry := _input(spec, tensor))]
    return Config(tuple(entries), tuple(_views(outputs, found.outputs)))


def _input(spec: TensorSpec, tensor: TensorMetadata) -> InputConfig | None:
    steps: list[Step] = []
    if tensor.content == _IMAGE and len(spec.shape) == 4 and min(spec.shape[1:3]) > 0:
        steps.append(Resize(height=spec.shape[1], width=spec.shape[2]))
        if tensor.grayscale or spec.shape[3] == 1:
            steps.append(Grayscale())
        if tensor.mean and tensor.std and spec.dtype != "uint8":
            steps.append(Normalise(tensor.mean, tensor.std))
        return InputConfig("image", tuple(steps))
    if tensor.content == _AUDIO and tensor.rate > 0 and spec.shape and spec.shape[-1] > 0:
        steps += [Resample(tensor.rate), PadTrim(spec.shape[-1])]
        return InputConfig("audio", tuple(steps))
    return None


def _views(outputs: Sequence[TensorSpec], found: Sequence[TensorMetadata]) -> list[View]:
    pairs = list(zip(outputs, found, strict=False))
    roles = {_ROLES.get(tensor.name.lower(), ""): (spec.name, tensor) for spec, tensor in pairs}
    if {"boxes", "classes", "scores"} <= roles.keys():
        boxes, classes, scores = (roles[role][0] for role in ("boxes", "classes", "scores"))
        count = roles["count"][0] if "count" in roles else ""
        return [Detections(boxes, classes, scores, count, roles["classes"][1].value_labels)]
    views: list[View] = []
    for spec, tensor in pairs:
        if tensor.axis_labels and len(spec.shape) == 4 and spec.shape[1] > 1:
            views.append(Mask(spec.name, tensor.axis_labels))
        elif tensor.axis_labels:
            views.append(Classes(spec.name, tensor.axis_labels, threshold=tensor.threshold))
    return views
