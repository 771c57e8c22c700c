"""Where the shares of a run's threads begin, as `thread_share` of share.h has it in C."""

from __future__ import annotations


def share_bounds(units: int, threads: int) -> list[int]:
    """The first unit of each thread, and after them all the number of units."""
    return [units * part // threads for part in range(threads + 1)]
