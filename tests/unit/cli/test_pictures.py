"""The memory map and the roofline figures, against small cases worked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cli.small_models import dense
from whet import api
from whet.cli.memory_map import ROWS, memory_map
from whet.cli.roofline import STEP_COLUMNS, place, step_rows
from whet.devices import Level, Roofline
from whet.ops.cost import Cost
from whet.plan.lifetime import Buffer, Placement
from whet.session.profile import StepTime

MACHINE = Roofline(
    "test",
    1,
    1.0,
    100.0,
    400.0,
    (Level("L1", 1000, 50.0, 50.0), Level("memory", 10**6, 10.0, 10.0)),
)


def test_the_map_shows_who_holds_which_bytes(tmp_path: Path) -> None:
    compiled = api.compile(str(dense(tmp_path / "net.onnx")))
    low = Placement(Buffer("v0.0", 64, 0, 2), 0)
    high = Placement(Buffer("v1.0", 64, 1, 3), 64)
    memory = replace(compiled.memory, placements=(low, high), arena_bytes=128)
    lines, legend = memory_map(replace(compiled, memory=memory))
    assert len(lines) == ROWS + 1
    assert lines[0].endswith("|.[magenta]b[/][magenta]b[/]|")
    assert lines[ROWS - 1].endswith("|[cyan]a[/][cyan]a[/].|")
    assert "3 steps" in lines[-1]
    assert [line.split("]")[1][0] for line in legend] == ["a", "b"]
    assert all("64 B" in line for line in legend)


@pytest.mark.parametrize(
    ("operations", "moved", "microseconds", "limit", "of_roof"),
    [
        (100_000, 1000, 2.0, "arithmetic", 0.5),
        (100, 2000, 0.08, "L1", 0.5),
        (100, 100_000, 20.0, "memory", 0.5),
        (0, 0, 1.0, "arithmetic", 0.0),
    ],
)
def test_a_step_lies_under_its_roof(
    operations: int, moved: int, microseconds: float, limit: str, of_roof: float
) -> None:
    step = StepTime("layer", "kernel", microseconds * 1e-6, Cost(operations, 0, moved))
    at = place(step, MACHINE, integer=False)
    assert at.limit == limit
    assert at.of_roof == pytest.approx(of_roof)
    assert at.gop_s == pytest.approx(operations / microseconds / 1e3)


def test_rows_end_with_their_sum() -> None:
    steps = [StepTime("a", "k", 1e-6, Cost(100_000, 0, 10)), StepTime("b", "k", 3e-6, Cost())]
    rows = step_rows(steps, MACHINE, integer=False)
    assert all(len(row) == len(STEP_COLUMNS) for row in rows)
    assert rows[-1][2] == pytest.approx(4.0)
    assert rows[0][3] == "25.0%"
