"""Work is cut into units that threads share evenly, and covered once."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from whet.emit.lowered import Access, In, Nest, Out, Portion
from whet.kernels import share
from whet.kernels.strides import row_major
from whet.kernels.tiling import Tile
from whet.targets.host import host


def longest(block: int, rows: int, panels: list[int], threads: int) -> float:
    """The longest share of units of up to `block` rows by one panel, over an even one."""
    units = [min(block, rows - at) * panel for at in range(0, rows, block) for panel in panels]
    cuts = [len(units) * part // threads for part in range(threads + 1)]
    shares = [sum(units[a:b]) for a, b in pairwise(cuts)]
    return max(shares) * threads / sum(units)


@pytest.mark.parametrize("seed", range(40))
def test_no_block_that_fits_would_be_shared_better(seed: int) -> None:
    numbers = random.Random(seed)
    rows, threads = numbers.randint(1, 60), numbers.choice((2, 3, 4, 8))
    panels = [4] * numbers.randint(0, 6) + [numbers.randint(1, 4)]
    most, by_rows = numbers.randint(1, rows), numbers.random() < 0.5
    found = share.balanced(most, rows, panels, threads, by_rows=by_rows)
    assert 1 <= found <= most
    limit = min(most, -(-rows // threads) if by_rows else rows)
    tried = {-(-rows // j) for j in range(1, rows + 1)}
    best = min(longest(b, rows, panels, threads) for b in tried if b <= limit)
    assert longest(found, rows, panels, threads) <= max(best, share.UNEVEN) + 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_the_largest_block_that_is_even_is_found_first(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = random.Random(seed)
    rows, threads = numbers.randint(1, 60), numbers.choice((2, 3, 4, 8))
    panels, most = [4] * numbers.randint(0, 6) + [numbers.randint(1, 4)], numbers.randint(1, rows)
    asked: list[int] = []

    def counted(block: int, rows: int, panels: list[int], threads: int, images: int) -> float:
        asked.append(block)
        return longest(block, rows, panels, threads)

    monkeypatch.setattr(share, "_uneven", counted)
    found = share.balanced(most, rows, panels, threads, by_rows=False)
    sizes = sorted({-(-rows // j) for j in range(1, rows + 1)}, reverse=True)
    uneven = {s: longest(s, rows, panels, threads) for s in sizes if s <= most}
    even = [s for s in uneven if uneven[s] <= share.UNEVEN]
    assert found == (even[0] if even else min(uneven, key=lambda s: uneven[s]))
    assert asked == [s for s in uneven if not even or s >= found]


def test_one_thread_keeps_the_block_of_the_kernel() -> None:
    assert share.balanced(7, 49, [4, 4, 1], 1, by_rows=True) == 7


def test_threads_get_rows_of_their_own() -> None:
    assert share.balanced(100, 100, [4, 4], 2, by_rows=True) == 50
    assert share.balanced(100, 100, [4, 4], 2, by_rows=False) == 100


def test_weights_that_no_cache_holds_are_read_once() -> None:
    panels = [3] * 10 + [2]
    assert share.balanced(7, 7, panels, 2, by_rows=False, weight_bytes=9 << 20) == 7
    assert share.balanced(7, 7, panels, 2, by_rows=False, weight_bytes=9 << 10) < 7


def test_a_block_of_any_number_of_rows_is_found_at_once() -> None:
    rows, images = 10**9, 10**9
    assert share.balanced(64, rows, [4], 2, by_rows=False, images=images) == 64
    assert share.balanced(rows, rows, [4], 2, by_rows=True) == rows // 2


def test_little_work_is_not_split() -> None:
    assert share.flat(1000, 0.1).units is None
    assert share.flat(1000, 0.1).count == 1000
    assert share.rows(4, 100.0).at(In(0), 7) == In(0)


def test_a_flat_range_is_cut_into_whole_vectors() -> None:
    each = share.flat(100_000, 0.1)
    assert each.units == math.ceil(100_000 / share.GRAIN)
    assert each.count == Portion(100_000, share.GRAIN)
    assert each.to(Out()) == Out(each=share.GRAIN)


def copy(shape: tuple[int, ...], perm: tuple[int, ...]) -> Nest:
    strides = row_major(tuple(shape[perm.index(d)] for d in range(len(shape))))
    read = Access(In(0), tuple(strides[p] for p in perm))
    return Nest(shape, Access(Out(), row_major(shape)), (read,))


def test_a_nest_is_shared_along_its_outermost_long_axis() -> None:
    (nest,) = (found := share.nests(copy((3, 200, 64), (2, 1, 0)))).statements
    assert isinstance(nest, Nest)
    assert (nest.axis, nest.grain, found.parallel) == (1, 1, 200)


def test_nests_are_shared_together() -> None:
    found = share.nests(copy((300, 40), (1, 0)), copy((20, 90), (1, 0)))
    assert found.parallel == share.UNITS
    assert all(isinstance(n, Nest) and n.grain == 1 for n in found.statements)


@pytest.mark.parametrize(("m", "block"), [(197, 70), (49, 50), (125, 42), (2304, 1160)])
def test_threads_have_the_same_rows_of_a_product_whatever_its_columns(m: int, block: int) -> None:
    for n in (32, 64, 96):
        tile = share.balanced_gemm(Tile(14, 2, block), m, n, 32, replace(host(), threads=2), 1)
        blocks = -(-m // tile.block)
        assert blocks % 2 == 0
        assert abs(2 * tile.block * (blocks // 2) - m) <= blocks
        assert tile.block <= block


def test_heavy_weights_are_shared_by_columns() -> None:
    tile = share.balanced_gemm(Tile(8, 4, 64), 4, 1024, 1024, replace(host(), threads=2), 1)
    assert tile.block >= 4
