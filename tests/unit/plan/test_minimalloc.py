"""The eleven hard instances published with MiniMalloc (ASPLOS 2023), each packed by its bound.

All are known to fit 1,048,576 bytes; the most bytes alive at once are 986,112 to 1,048,576.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from whet.plan import Buffer, pack, validate_placements

CAPACITY = 1_048_576


def _instance(shared_data: Path, letter: str) -> list[Buffer]:
    path = shared_data / "minimalloc" / f"{letter}.{CAPACITY}.csv"
    if not path.exists():
        pytest.skip(f"no {path.name} in the shared data")
    with path.open() as file:
        return [
            Buffer(row["id"], int(row["size"]), int(row["lower"]), int(row["upper"]))
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("letter", "ABCFGHI")
def test_packed_at_the_bound_with_default_effort(shared_data: Path, letter: str) -> None:
    packing = pack(_instance(shared_data, letter))
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes == packing.lower_bound <= CAPACITY
    assert packing.optimal


def test_packed_below_the_published_capacity(shared_data: Path) -> None:
    packing = pack(_instance(shared_data, "D"))
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes < CAPACITY


@pytest.mark.slow
@pytest.mark.parametrize(("letter", "gap"), [("D", 0.03), ("E", 0), ("J", 0.03), ("K", 0)])
def test_packed_close_to_the_bound_with_more_effort(
    shared_data: Path, letter: str, gap: float
) -> None:
    packing = pack(_instance(shared_data, letter), effort=165_000)
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes <= (1 + gap) * packing.lower_bound
