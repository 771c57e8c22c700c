"""Tiles and blocks have room in the arrays that the headers keep them in."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module

import pytest

from tests.kernels.native import INCLUDE
from whet.kernels.kernel import load_all
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
    load_all()  # in its order, for what is registered last is tried first
    floats, codes = (import_module(f"whet.kernels.{n}") for n in ("recurrent_f32", "sequence_s8"))
    target = replace(host(), registers=registers)
    for gates in (3, 4):
        for digits in (False, True):
            vectors = floats.block(gates, hidden, target, digits=digits)
            assert 1 <= vectors * gates <= floats.SUMS
    assert 1 <= codes._block(hidden, target) * codes.GATES <= ACCUMULATORS
