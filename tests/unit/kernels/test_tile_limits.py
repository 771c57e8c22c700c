"""Tiles and blocks have room in the arrays that the headers keep them in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.kernels.native import INCLUDE
from whet.kernels.recurrent_f32 import DIGITS, SUMS, block
from whet.kernels.sequence_s8 import _block as coded_block
from whet.kernels.tiling import ACCUMULATORS, VECTORS, tiles_f32
from whet.targets.host import host


def test_no_header_counts_the_sums_of_a_tile_itself() -> None:
    arrays = re.compile(r"\b(?:vf|vi|vw_part) (?:\w+\[\w+\], )?\w+\[(?:8|16|32)\]")
    texts = {path.name: path.read_text() for path in INCLUDE.glob("*.h")}
    counted = {name: found for name, text in texts.items() if (found := arrays.findall(text))}
    assert not counted


@pytest.mark.parametrize("registers", [8, 16, 32, 64])
def test_tiles_have_room(registers: int) -> None:
    found = tiles_f32(registers)
    assert found == sorted(set(found), key=lambda tile: tile[::-1])
    assert all(mr * nv <= ACCUMULATORS and nv <= VECTORS for mr, nv in found)
    assert all(mr * nv + nv + 1 < registers for mr, nv in found)


@pytest.mark.parametrize("registers", [8, 16, 32])
@pytest.mark.parametrize("hidden", [1, 37, 500])
def test_blocks_have_room(hidden: int, registers: int) -> None:
    target = replace(host(), registers=registers)
    for gates in (3, 4):
        for digits in (False, True):
            assert 1 <= block(gates, hidden, target, digits=digits) * gates <= SUMS
        assert DIGITS * gates * block(gates, hidden, target, digits=True) <= max(registers, 12)
    assert 1 <= coded_block(hidden, target) * 4 <= ACCUMULATORS
