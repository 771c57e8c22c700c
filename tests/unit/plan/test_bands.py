"""Buffers around one centre: apart while they live, and never much more memory."""

from __future__ import annotations

from hypothesis import given, settings

from tests.unit.plan.programs import buffer_lists
from whet.plan import Buffer, pack, validate_placements
from whet.plan.bands import GROWTH, in_bands


@settings(max_examples=100, deadline=None)
@given(buffer_lists())
def test_buffers_stay_apart_in_an_arena_that_is_hardly_larger(buffers: list[Buffer]) -> None:
    packed = pack(buffers, effort=200)
    banded = in_bands(packed)
    assert [p.buffer for p in banded.placements] == buffers
    validate_placements(banded.placements, banded.arena_bytes)
    assert banded.arena_bytes <= packed.arena_bytes * (1 + GROWTH)


def test_a_chain_has_two_centres() -> None:
    sizes = [4096, 8192, 2048, 4096, 1024, 512]
    buffers = [Buffer(str(i), size, i, i + 2) for i, size in enumerate(sizes)]
    banded = in_bands(pack(buffers))
    assert banded.arena_bytes == 4096 + 8192
    centres = [placed.offset + placed.buffer.size // 2 for placed in banded.placements]
    assert len(set(centres)) == 2
    assert centres[0::2] == centres[:1] * 3


def test_buffers_stay_where_bands_would_take_much_more() -> None:
    wide = [Buffer("a", 1024, 0, 1), Buffer("b", 1024, 0, 1), Buffer("c", 2048, 1, 2)]
    packed = pack(wide)
    assert in_bands(packed) == packed
