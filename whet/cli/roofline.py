"""Steps beside the roof over them: what limits each, and how near it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from whet.cli.show import Cell, Json
from whet.devices import Roofline
from whet.session.profile import StepTime

STEP_COLUMNS = ("layer", "kernel", "us", "share", "Gop/s", "GB/s", "op/B", "limit", "of roof")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step lies under the roof. limit: arithmetic, or the level of memory its data fits."""

    gop_s: float
    gb_s: float
    intensity: float
    limit: str
    of_roof: float


def place(step: StepTime, machine: Roofline, integer: bool) -> Place:
    """The step under this machine's roof.

    The level of memory is the smallest whose cache holds all that the step moves; the best time is
    the longer of arithmetic at its peak and moving at that level's reading speed.
    """
    seconds = max(step.seconds, 1e-9)
    peak = machine.peak_gop_s(integer)
    moved = step.cost.moved_bytes
    # A level was measured with half of it as working set.
    fitting = [level for level in machine.levels[:-1] if moved <= 2 * level.bytes]
    level = fitting[0] if fitting else machine.levels[-1]
    compute = step.cost.operations / peak / 1e9
    memory = moved / level.read_gb_s / 1e9
    return Place(
        step.cost.operations / seconds / 1e9,
        moved / seconds / 1e9,
        step.cost.operations / moved if moved else 0.0,
        "arithmetic" if compute >= memory else level.name,
        max(compute, memory) / seconds,
    )


def step_rows(
    steps: Sequence[StepTime], machine: Roofline, integer: bool
) -> list[tuple[Cell, ...]]:
    """Rows of STEP_COLUMNS in the order of the run, and their sum."""
    total = sum(step.seconds for step in steps) or 1e-9
    rows: list[tuple[Cell, ...]] = []
    for step in steps:
        at = place(step, machine, integer)
        share, roof = f"{step.seconds / total:.1%}", f"{at.of_roof:.0%}"
        figures = (at.gop_s, at.gb_s, at.intensity)
        names = (step.layer, step.kernel_text)
        rows.append((*names, 1e6 * step.seconds, share, *figures, at.limit, roof))
    operations = sum(step.cost.operations for step in steps)
    best = sum(place(step, machine, integer).of_roof * step.seconds for step in steps)
    speed = operations / total / 1e9
    return [*rows, ("total", "", 1e6 * total, "100%", speed, "", "", "", f"{best / total:.0%}")]


def step_document(step: StepTime, machine: Roofline, integer: bool) -> dict[str, Json]:
    """One step as JSON values."""
    at = place(step, machine, integer)
    return {
        "layer": step.layer,
        "kernel": step.kernel,
        "strips": step.strips,
        "seconds": step.seconds,
        "operations": step.cost.operations,
        "moved_bytes": step.cost.moved_bytes,
        "gop_s": at.gop_s,
        "limit": at.limit,
        "of_roof": at.of_roof,
        "spread": asdict(step.spread) if step.spread else None,
    }
