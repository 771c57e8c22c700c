"""Checks of sizes that only a run can make: no kernel reads or writes outside its operands."""

from __future__ import annotations

from dataclasses import replace

from whet.emit.lowered import Call, Lowered
from whet.ir.dim import Size, bounds

Shape = tuple[Size, ...]


def equal(a: Size, b: Size) -> tuple[Call, ...]:
    """Two sizes are the same."""
    return () if a == b else (Call("check_equal", (a, b), checked=True),)


def at_most(a: Size, b: Size) -> tuple[Call, ...]:
    """a <= b."""
    certain = a == b or bounds(a)[1] <= bounds(b)[0]
    return () if certain else (Call("check_at_most", (a, b), checked=True),)


def broadcasts(shape: Shape, out: Shape) -> tuple[Call, ...]:
    """Each size of a shape is 1 or the one it is walked along."""
    pairs = zip(reversed(shape), reversed(out), strict=False)
    return tuple(Call("check_broadcast", (d, n), checked=True) for d, n in pairs if d not in (1, n))


def after(checks: tuple[Call, ...], lowered: Lowered) -> Lowered:
    """The statements after checks; one thread runs what may fail."""
    if not checks:
        return lowered
    return replace(
        lowered,
        statements=(*dict.fromkeys(checks), *lowered.statements),
        headers=(*lowered.headers, "whole.h"),
        parallel=None,
    )
