"""From files to a model's inputs, and from its outputs to something to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError, WhetError
from whet.media.arrays import decode_csv, decode_npy, decode_npz
from whet.media.audio import decode_wav
from whet.media.config import (
    Config,
    InputConfig,
    parse_config,
    read_config,
    render_config,
)
from whet.media.image import decode_image
from whet.media.limits import nearest, read_file
from whet.media.tensor import Array, Sample, TensorSpec, conform
from whet.media.tflite_metadata import metadata_config
from whet.media.views import Presentation, Values

PathLike = str | Path

_MAGIC = (
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
    (b"RIFF", "audio"),
    (b"BM", "image"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"P5", "image"),
    (b"P6", "image"),
)
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A model's inputs and outputs with the Config that reads the ones and shows the others."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    config: Config
    origin: str = ""

    def read(self, paths: Sequence[PathLike] | Mapping[str, PathLike]) -> dict[str, Array]:
        """Each input's array, C-contiguous, of its shape and dtype.

        paths: one file for each input, in order or by name, or one `.npz` that holds them all.
        Pictures and sound go through the input's steps. Arrays (npy, npz, CSV) go through them when
        the input's source is "array"; for other sources an array is taken as the finished input.
        Raises InputError.
        """
        files = self._assigned(paths)
        return {spec.name: self._read_one(spec, *files[spec.name]) for spec in self.inputs}

    def present(self, outputs: Mapping[str, NDArray[np.generic]]) -> Presentation:
        """The declared views of the outputs; an output that no view shows is shown as values."""
        specs = {spec.name: spec for spec in self.outputs}
        shown = {name for view in self.config.views for name in view.outputs()}
        views = list(self.config.views)
        views += [Values(spec.name) for spec in self.outputs if spec.name not in shown]
        parts = [view.present(outputs, specs) for view in views]
        return Presentation(
            tuple(table for part in parts for table in part.tables),
            tuple(picture for part in parts for picture in part.pictures),
        )

    def to_toml(self) -> str:
        """The Config as self-contained TOML (labels inline), for `parse_pipeline`."""
        return render_config(self.config)

    def _assigned(
        self, paths: Sequence[PathLike] | Mapping[str, PathLike]
    ) -> dict[str, tuple[bytes, str, str]]:
        names = [spec.name for spec in self.inputs]
        if isinstance(paths, Mapping):
            for name in paths:
                if name not in names:
                    raise InputError(f"no input is named {name}", hint=nearest(name, names))
            chosen = {name: Path(path) for name, path in paths.items()}
        else:
            if len(paths) > len(names):
                raise InputError(
                    "too many input files", why=f"{len(paths)} for {len(names)} inputs"
                )
            chosen = {name: Path(path) for name, path in zip(names, paths, strict=False)}
        files: dict[str, tuple[bytes, str, str]] = {}
        for name, path in chosen.items():
            data = read_file(path)
            files[name] = (data, str(path), sniff(data, path))
        if len(files) == 1:
            ((data, where, kind),) = files.values()
            if kind == "npz":
                return dict.fromkeys(names, (data, where, kind))
        missing = [name for name in names if name not in files]
        if missing:
            raise InputError("an input has no file", missing[0], hint=f"{missing[0]}=FILE")
        return files

    def _read_one(self, spec: TensorSpec, data: bytes, where: str, kind: str) -> Array:
        declared = dict(self.config.inputs).get(spec.name, InputConfig("array"))
        if kind in ("image", "audio") and declared.source != kind:
            raise InputError(
                f"input {spec.name} takes no {kind}",
                where,
                f"nothing says how {kind} becomes {spec}",
                f'[input.{spec.name}] with source = "{kind}" in a TOML beside the model',
            )
        sample = _decode(data, where, kind, spec, len(self.inputs))
        if kind in ("image", "audio") or declared.source == "array":
            for step in declared.steps:
                try:
                    sample = step.apply(sample, spec)
                except WhetError as error:
                    raise InputError(
                        error.what, error.where or where, error.why, error.hint
                    ) from None
        return conform(sample.data, spec, where)


def sniff(data: bytes, path: Path) -> str:
    """What a file holds, by its first bytes: image, audio, npy, npz or csv."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return "image" if data[8:12] == b"WEBP" else kind
    if path.suffix.lower() in _TEXT_SUFFIXES:
        return "csv"
    raise InputError(
        "unknown kind of input", str(path), hint="an image, a wav, an npy, an npz or a CSV file"
    )


def _decode(data: bytes, where: str, kind: str, spec: TensorSpec, inputs: int) -> Sample:
    if kind == "image":
        return Sample(decode_image(data, where))
    if kind == "audio":
        return Sample(*decode_wav(data, where))
    if kind == "npy":
        return Sample(decode_npy(data, where))
    if kind == "csv":
        return Sample(decode_csv(data, where))
    arrays = decode_npz(data, where)
    if spec.name in arrays:
        return Sample(arrays[spec.name])
    if inputs == 1 and len(arrays) == 1:
        return Sample(next(iter(arrays.values())))
    raise InputError(f"no array is named {spec.name}", where, hint=nearest(spec.name, arrays))


def make_pipeline(
    config: Config, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], origin: str = ""
) -> Pipeline:
    """A Pipeline whose Config names only what the model has; InputError otherwise."""
    names = [spec.name for spec in inputs]
    for name, _ in config.inputs:
        if name not in names:
            raise InputError(f"no input is named {name}", origin, hint=nearest(name, names))
    results = [spec.name for spec in outputs]
    for view in config.views:
        for name in view.outputs():
            if name not in results:
                raise InputError(f"no output is named {name}", origin, hint=nearest(name, results))
    return Pipeline(tuple(inputs), tuple(outputs), config, origin)


def parse_pipeline(
    text: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], origin: str
) -> Pipeline:
    """A Pipeline from TOML text whose labels are inline, as `Pipeline.to_toml` writes it."""
    return make_pipeline(parse_config(text, origin), inputs, outputs, origin)


def load_pipeline(
    model: PathLike,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    toml: PathLike | None = None,
) -> Pipeline:
    """The Pipeline of a model file.

    It is declared by `toml`, else by the TOML beside the model (same name), else by the metadata
    inside a `.tflite`. Without any, arrays are read as they are and outputs shown as values.
    """
    path = Path(model)
    beside = path.with_suffix(".toml")
    if toml is not None or beside.is_file():
        chosen = Path(toml) if toml is not None else beside
        return make_pipeline(read_config(chosen), inputs, outputs, str(chosen))
    if path.suffix.lower() == ".tflite":
        config = metadata_config(read_file(path), str(path), inputs, outputs)
        if config is not None:
            return make_pipeline(config, inputs, outputs, f"{path} (metadata)")
    return make_pipeline(Config(), inputs, outputs)
