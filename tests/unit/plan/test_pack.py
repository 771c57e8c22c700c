"""pack: valid, repeatable, never below the bound; exact on small cases."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plan.programs import buffer_lists
from whet.plan import Buffer, live_bytes, lower_bound, pack, validate_placements


def test_buffers_that_never_meet_share_one_place() -> None:
    packing = pack([Buffer("a", 100, 0, 2), Buffer("b", 128, 2, 3), Buffer("c", 7, 5, 6)])
    assert packing.arena_bytes == packing.lower_bound == 128
    assert [placed.offset for placed in packing.placements] == [0, 0, 0]
    assert packing.optimal


def test_each_offset_keeps_its_own_alignment() -> None:
    buffers = [Buffer("a", 20, 0, 2, 4), Buffer("b", 20, 0, 2, 32), Buffer("c", 3, 0, 2, 1)]
    packing = pack(buffers)
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes <= 55


def test_nothing_needs_no_arena() -> None:
    assert pack([]).arena_bytes == 0


def test_the_bound_counts_whole_grains_at_the_fullest_step() -> None:
    buffers = [Buffer("a", 65, 0, 2), Buffer("b", 64, 1, 3), Buffer("c", 1, 3, 4)]
    assert live_bytes(buffers) == [128, 192, 64, 64]
    assert lower_bound(buffers) == 192


@settings(max_examples=100, deadline=None)
@given(buffer_lists())
def test_every_packing_is_valid_and_repeatable(buffers: list[Buffer]) -> None:
    packing = pack(buffers, effort=200)
    validate_placements(packing.placements, packing.arena_bytes)
    assert packing.arena_bytes >= packing.lower_bound == max(live_bytes(buffers))
    assert pack(buffers, effort=200) == packing


def _least_arena(buffers: list[Buffer]) -> int:
    """The least arena, by first fit in every order: some order is that of an optimum."""

    def placed(order: tuple[Buffer, ...]) -> int:
        done: list[tuple[int, Buffer]] = []
        for buffer in order:
            at = 0
            for offset, other in sorted(done, key=lambda pair: pair[0]):
                apart = other.end <= buffer.start or buffer.end <= other.start
                if not apart and offset < at + buffer.size:
                    at = max(at, -(-(offset + other.size) // buffer.alignment) * buffer.alignment)
            done.append((at, buffer))
        return max(offset + buffer.size for offset, buffer in done)

    return min(map(placed, permutations(buffers)))


@settings(max_examples=60, deadline=None)
@given(buffer_lists(max_size=6), st.data())
def test_small_cases_are_packed_exactly(buffers: list[Buffer], data: st.DataObject) -> None:
    alignments = data.draw(st.sampled_from([[64], [64], [16, 64], [1, 4, 32]]))
    buffers = [replace(b, alignment=data.draw(st.sampled_from(alignments))) for b in buffers]
    packing = pack(buffers)
    validate_placements(packing.placements, packing.arena_bytes)
    unit = min(buffer.alignment for buffer in buffers)
    assert packing.arena_bytes == -(-_least_arena(buffers) // unit) * unit
    # Buffers of several alignments may take more effort to prove than to pack.
    assert packing.optimal or len({buffer.alignment for buffer in buffers}) > 1
