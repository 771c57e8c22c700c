"""Known devices: figures from data sheets, one TOML file each."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import get_args, get_type_hints

from whet.errors import InputError

KINDS = ("microcontroller", "board", "laptop", "server")


@dataclass(frozen=True, slots=True)
class Device:
    """One machine a model may be meant for.

    kind: one of KINDS. target: the compilation target that reaches it. cores share ram_kib;
    flash_kib 0 where there is none that is mapped. f32_flops_per_cycle and int8_ops_per_cycle: of
    one core, a multiply-add is two. bandwidth_gb_s: of the memory that holds activations, all
    cores. cache_kib: data, first level first. power_w: (idle, busy), empty where not published.
    """

    name: str
    title: str
    kind: str
    cpu: str
    target: str
    cores: int
    clock_mhz: int
    ram_kib: int
    flash_kib: int
    vector: str
    f32_flops_per_cycle: float
    int8_ops_per_cycle: float
    bandwidth_gb_s: float
    cache_kib: tuple[int, ...]
    power_w: tuple[float, ...]
    source: str

    @property
    def f32_gflop_s(self) -> float:
        """Peak float speed of all cores, GFLOP/s."""
        return self.cores * self.clock_mhz * self.f32_flops_per_cycle / 1e3

    @property
    def int8_gop_s(self) -> float:
        """Peak 8-bit integer speed of all cores, GOP/s."""
        return self.cores * self.clock_mhz * self.int8_ops_per_cycle / 1e3


@cache
def devices() -> dict[str, Device]:
    """Every known device by name, smallest memory first."""
    folder = files("whet.devices") / "known"
    found = [
        parse_device(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    ordered = sorted(found, key=lambda d: (KINDS.index(d.kind), d.ram_kib, d.name))
    return {d.name: d for d in ordered}


def device(name: str) -> Device:
    """A known device.

    Raises:
        InputError: there is none of that name; the hint is the nearest one.
    """
    known = devices()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = close[0] if close else ", ".join(known)
        raise InputError("unknown device", name, hint=hint)
    return known[name]


def parse_device(name: str, text: str) -> Device:
    """A Device from its TOML; every field is required and typed.

    Raises:
        InputError: a key is missing, unknown or of the wrong type.
    """
    try:
        given: dict[str, object] = {"name": name, **tomllib.loads(text)}
    except tomllib.TOMLDecodeError as error:
        raise InputError("cannot read the device", name, str(error)) from None
    hints = get_type_hints(Device)
    wrong = sorted(given.keys() ^ hints.keys())
    if wrong:
        raise InputError("a device's keys are fixed", name, f"'{wrong[0]}' is extra or missing")
    values: dict[str, object] = {}
    for field in fields(Device):
        values[field.name] = _typed(given[field.name], hints[field.name], f"{name} {field.name}")
    if values["kind"] not in KINDS:
        raise InputError("unknown kind of device", name, str(values["kind"]), ", ".join(KINDS))
    build: type = Device
    made: Device = build(**values)
    return made


def _typed(value: object, hint: object, where: str) -> object:
    if isinstance(value, list):
        return tuple(_typed(item, get_args(hint)[0], where) for item in value)
    if type(value) is hint:
        return value
    raise InputError("bad value in a device", where, f"{value!r}")
