"""`--ram` and `--patches`: how much memory a run may take, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import click

from whet import api
from whet.artifact.interface import Json as CardValue
from whet.cli.show import Cell
from whet.compiler.pipeline import Compiled
from whet.emit.port import Port
from whet.errors import InputError
from whet.plan.draw import size_text
from whet.tune.builds import race_builds

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "KIB": 1 << 10, "MIB": 1 << 20}
MOST_PATCHES = 32


@dataclass(frozen=True, slots=True)
class Memory:
    """`--ram` and `--patches`, as `whet.compile` takes them."""

    ram: int | None = None
    patches: tuple[int, int] | Literal["auto"] | None = None


def memory_options(command: Callable[..., object]) -> Callable[..., object]:
    """`--ram` and `--patches`."""
    for option in (
        click.option(
            "--patches",
            metavar="auto|RxC",
            help="Layers in patches: R rows by C columns; auto and no --ram: least arena.",
        ),
        click.option(
            "--ram",
            metavar="SIZE",
            help="Most arena, such as 200KB or 192KiB; layers run in patches where they must.",
        ),
    ):
        command = option(command)
    return command


def parse_memory(ram: str | None, patches: str | None) -> Memory:
    """The options' texts as values; InputError where they mean nothing."""
    size = None if ram is None else _parse_size(ram)
    return Memory(size, None if patches is None else _parse_patches(patches))


def _parse_size(text: str) -> int:
    digits = text.rstrip("KMIBkmib ")
    unit = text[len(digits) :].strip().upper()
    try:
        size = round(float(digits) * UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise InputError("bad --ram", text, hint="--ram 200KB, --ram 192KiB, or a number of bytes")
    return size


def _parse_patches(text: str) -> tuple[int, int] | Literal["auto"]:
    if text == "auto":
        return "auto"
    sizes = text.lower().split("x")
    if len(sizes) != 2 or not all(map(_counts_patches, sizes)):
        hint = f"--patches auto, or --patches 4x4 with 1 to {MOST_PATCHES} rows and columns"
        raise InputError("bad --patches", text, hint=hint)
    return int(sizes[0]), int(sizes[1])


def _counts_patches(text: str) -> bool:
    short = len(text) <= len(str(MOST_PATCHES))
    return short and text.isdecimal() and 1 <= int(text) <= MOST_PATCHES


def memory_facts(compiled: Compiled) -> dict[str, CardValue]:
    """What the patches save and cost; empty where none were asked for.

    time_ratio: the time of a run beside that without patches, on this machine; null elsewhere.
    """
    patched = compiled.patched
    if patched is None:
        return {}
    runs_here = compiled.target.name == "host" and bool(patched.sections)
    return {
        "arena_bytes_without_patches": patched.whole_bytes,
        "patched_stages": [
            {"until": s.cut.node.origin or s.cut.op.name, "rows": s.rows, "columns": s.columns}
            for s in patched.sections
        ],
        "extra_operations": patched.extra,
        "time_ratio": race_builds(_whole(compiled), compiled).ratio if runs_here else None,
    }


def memory_rows(compiled: Compiled, facts: dict[str, CardValue]) -> list[tuple[Cell, ...]]:
    """The facts for people, and what lies outside the arena."""
    patched, ratio = compiled.patched, facts.get("time_ratio")
    if patched is None:
        return []
    program = compiled.program
    outside = f"{_ports_text(program.inputs)} in, {_ports_text(program.outputs)} out"
    rows: list[tuple[Cell, ...]] = [("caller's buffers", f"{outside}, not in the arena")]
    if not patched.sections:
        return [*rows, ("patches", "none needed")]
    grids = ", ".join(f"{s.rows} x {s.columns}" for s in patched.sections)
    timed = f", {ratio:.2f} times the time" if isinstance(ratio, float) else ""
    cost = f"{patched.extra:.1%} more operations{timed}"
    return [
        *rows,
        ("without patches", size_text(patched.whole_bytes)),
        ("patches", f"sections of {grids}"),
        ("their cost", cost),
    ]


def _ports_text(ports: tuple[Port, ...]) -> str:
    return " + ".join(size_text(p.nbytes) if isinstance(p.nbytes, int) else "?" for p in ports)


def _whole(compiled: Compiled) -> Compiled:
    """The same model without patches."""
    return api.compile(compiled.model, compiled.target, choices=compiled.chosen)
