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


@pytest.mark.parametrize("letter", "ACHIK")
def test_packed_at_the_bound_with_default_effort(shared_data: Path, letter: str) -> None:
    packing = pack(_instance(shared_data, letter))
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes == packing.lower_bound <= CAPACITY
    assert packing.optimal
