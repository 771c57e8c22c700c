"""How small an arena could be: no plan can beat the bytes that live at once."""

from __future__ import annotations

from collections.abc import Sequence

from whet.plan.lifetime import Buffer

__all__ = ["grain", "live_bytes", "lower_bound", "round_up"]


def round_up(value: int, step: int) -> int:
    """The least multiple of `step` that is not below `value`."""
    return -(-value // step) * step


def grain(buffers: Sequence[Buffer]) -> int:
    """The least alignment among the buffers: every offset and the arena are multiples of it."""
    return min((buffer.alignment for buffer in buffers), default=1)


def live_bytes(buffers: Sequence[Buffer]) -> list[int]:
    """Bytes alive at each step from 0, every size rounded up to the grain."""
    unit = grain(buffers)
    change = [0] * (max((buffer.end for buffer in buffers), default=0) + 1)
    for buffer in buffers:
        size = round_up(buffer.size, unit)
        change[buffer.start] += size
        change[buffer.end] -= size
    live = []
    total = 0
    for delta in change[:-1]:
        total += delta
        live.append(total)
    return live


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The most bytes alive at any step: a lower bound of every arena that is whole grains long."""
    unit = grain(buffers)
    events = sorted(
        event
        for buffer in buffers
        for event in (
            (buffer.start, round_up(buffer.size, unit)),
            (buffer.end, -round_up(buffer.size, unit)),
        )
    )
    total = most = 0
    for _, delta in events:
        total += delta
        most = max(most, total)
    return most
