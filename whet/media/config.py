"""The TOML that declares how inputs are read and outputs shown, and its dataclasses.

    [input.image]
    source = "image"                      # image, audio or array
    steps = [
      { step = "resize", height = 224, width = 224 },
      { step = "normalise", mean = 127.5, std = 127.5 },
    ]

    [[view]]
    kind = "classes"                      # classes, detections, mask or values
    output = "scores"
    labels = "labels.txt"                 # a file beside this one, or an array of strings
    softmax = true

Every key is a field of the dataclass that its `step` or `kind` names.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args, get_type_hints

from whet.errors import InputError
from whet.media.array_steps import Affine, Cast, Clip, Normalise, Quantise, Reshape, Transpose
from whet.media.audio_steps import (
    KeywordFrontEnd,
    LogMel,
    Mfcc,
    PadTrim,
    Peak,
    PreEmphasis,
    Resample,
    StackFrames,
)
from whet.media.image_steps import CenterCrop, Grayscale, Layout, Resize, SwapChannels
from whet.media.limits import MAX_CONFIG_BYTES, MAX_LABEL_BYTES, MAX_LABELS, nearest, read_file
from whet.media.views import Classes, Detections, Mask, Values

Step = (
    Affine | Cast | CenterCrop | Clip | Grayscale | KeywordFrontEnd | Layout | LogMel | Mfcc
    | Normalise | PadTrim | Peak | PreEmphasis | Quantise | Resample | Reshape | Resize
    | StackFrames | SwapChannels | Transpose
)  # fmt: skip
View = Classes | Detections | Mask | Values

_STEPS: tuple[type[Step], ...] = (
    Affine, Cast, CenterCrop, Clip, Grayscale, KeywordFrontEnd, Layout, LogMel, Mfcc, Normalise,
    PadTrim, Peak, PreEmphasis, Quantise, Resample, Reshape, Resize, StackFrames, SwapChannels,
    Transpose,
)  # fmt: skip


def _key(kind: type[Step] | type[View]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


STEPS: Mapping[str, type[Step]] = {_key(step): step for step in _STEPS}
VIEWS: Mapping[str, type[View]] = {_key(view): view for view in (Classes, Detections, Mask, Values)}
SOURCES = ("image", "audio", "array")
_NAMES: Mapping[object, str] = {
    float: "finite number",
    int: "whole number",
    str: "string",
    bool: "true or false",
}


@dataclass(frozen=True, slots=True)
class InputConfig:
    """How one input is read: from what kind of file, through which steps."""

    source: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Every declared input by name, and every view."""

    inputs: tuple[tuple[str, InputConfig], ...] = ()
    views: tuple[View, ...] = ()


def read_config(path: Path) -> Config:
    """The Config in a TOML file; InputError names the file, the key and the near match."""
    data = read_file(path, MAX_CONFIG_BYTES)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("cannot read the TOML", str(path), "it is not UTF-8 text") from None
    return parse_config(text, str(path), path.parent)


def parse_config(text: str, where: str, folder: Path | None = None) -> Config:
    """The Config in TOML text. Label files are looked for in `folder`; None refuses them."""
    try:
        tree: dict[str, object] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("cannot read the TOML", where, str(error)) from None
    _known(tree, ("input", "view"), where)
    inputs = [
        (name, _input(_table(entry, f"{where} [input.{name}]"), f"{where} [input.{name}]"))
        for name, entry in _table(tree.get("input", {}), f"{where} [input]").items()
    ]
    views = [
        _view(_table(entry, f"{where} [[view]] {i}"), f"{where} [[view]] {i}", folder)
        for i, entry in enumerate(_list(tree.get("view", []), f"{where} [[view]]"), 1)
    ]
    return Config(tuple(inputs), tuple(views))


def _input(entry: dict[str, object], where: str) -> InputConfig:
    _known(entry, ("source", "steps"), where)
    source = entry.get("source")
    if not isinstance(source, str) or source not in SOURCES:
        raise InputError("bad source", where, f"{source!r}", f"one of {', '.join(SOURCES)}")
    steps: list[Step] = []
    for i, item in enumerate(_list(entry.get("steps", []), where), 1):
        place = f"{where} step {i}"
        fields = dict(_table(item, place))
        name = fields.pop("step", None)
        if not isinstance(name, str) or name not in STEPS:
            raise InputError(f"unknown step {name!r}", place, hint=nearest(str(name), STEPS))
        kind = STEPS[name]
        build: Callable[..., Step] = kind
        step = build(**_fields(kind, fields, f"{place} ({name})"))
        _check(step, f"{place} ({name})")
        steps.append(step)
    return InputConfig(source, tuple(steps))


def _view(entry: dict[str, object], where: str, folder: Path | None) -> View:
    fields = dict(entry)
    name = fields.pop("kind", None)
    if not isinstance(name, str) or name not in VIEWS:
        raise InputError(f"unknown view {name!r}", where, hint=nearest(str(name), VIEWS))
    if isinstance(fields.get("labels"), str):
        fields["labels"] = list(_label_file(str(fields["labels"]), folder, where))
    kind = VIEWS[name]
    build: Callable[..., View] = kind
    view = build(**_fields(kind, fields, f"{where} ({name})"))
    _check(view, f"{where} ({name})")
    return view


def _check(item: Step | View, where: str) -> None:
    problem = item.check()
    if problem:
        raise InputError("bad value", where, problem)


def _label_file(name: str, folder: Path | None, where: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if folder is None or not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise InputError("refusing the label file", where, name, "a file beside the TOML")
    return parse_labels(read_file(folder / name, MAX_LABEL_BYTES), name)


def parse_labels(data: bytes, where: str) -> tuple[str, ...]:
    """One label a line; trailing empty lines are dropped."""
    lines = data.decode("utf-8", errors="replace").rstrip().splitlines()
    if len(lines) > MAX_LABELS:
        raise InputError("too many labels", where, f"{len(lines):,}; at most {MAX_LABELS:,}")
    return tuple(line.strip() for line in lines)


def _known(entry: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in known:
            raise InputError(f"unknown key '{key}'", where, hint=nearest(key, known))


def _table(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError("expected a table", where, f"got {value!r}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise InputError("expected an array", where, f"got {value!r}")
    return value


def _fields(
    kind: type[Step] | type[View], given: dict[str, object], where: str
) -> dict[str, object]:
    """The TOML values as the constructor's arguments, each of its field's declared type."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    _known(given, tuple(field.name for field in fields), where)
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in given]
    if missing:
        raise InputError(f"missing key '{missing[0]}'", where)
    return {key: _coerced(value, hints[key], f"{where} {key}") for key, value in given.items()}


def _coerced(value: object, hint: object, where: str) -> object:
    element = get_args(hint)
    if element:
        items = value if isinstance(value, list) else [value]
        return tuple(_coerced(item, element[0], where) for item in items)
    if isinstance(value, bool | str) and type(value) is hint:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 62:
        if hint is float:
            return float(value)
        if hint is int and isinstance(value, int):
            return value
    raise InputError("bad value", where, f"{value!r} is no {_NAMES.get(hint, 'value')}")


def render_config(config: Config) -> str:
    """The Config as TOML that `parse_config` reads back to an equal Config; labels are inline."""
    lines: list[str] = []
    for name, entry in config.inputs:
        lines += [f"[input.{json.dumps(name)}]", f"source = {json.dumps(entry.source)}"]
        lines += ["steps = ["]
        lines += [f"  {{ step = {_inline(step)} }}," for step in entry.steps]
        lines += ["]", ""]
    for view in config.views:
        lines += ["[[view]]", "kind = " + _inline(view, "\n"), ""]
    return "\n".join(lines)


def _inline(item: Step | View, separator: str = ", ") -> str:
    parts = [json.dumps(_key(type(item)))]
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if value != field.default:
            parts.append(f"{field.name} = {_toml(value)}")
    return separator.join(parts)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, str) else repr(value)
