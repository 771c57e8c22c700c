"""Which step fetches the weights of which later ones, so that they are near when they are read.

Weights lie in the order in which a run reads them, each once: they are a queue, and steps that can
fetch move its front.

      weights   |  step i  | i+1 |    i+2     | i+3 |     ...
                           ^ near when i begins     ^ near when i + 1 begins

A step fetches as late as the capacity of those after it allows, no faster than a line comes, and
never so much that what is near and not read yet fills its share of the second cache.

Each of several threads has a share of the turns. It too fetches from the first byte on, so many
times more at a turn, but a line at most: each of two threads at a pace of 48 asks for 64 bytes a
turn, not for 96, and gets two thirds of the way. All that is planned counts as near even then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from whet.emit.program import Action, Fetch, Step, Strips

__all__ = ["fetch_ahead"]

PACE = 48
"""Bytes that a turn fetches at most: three turns for two lines."""
NEAR = 2
"""The share of the second cache, one over this, for weights that are near and not read yet."""
WORTH = 2048
"""Bytes from which on fetching is worth a stage that does."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The weights [first, past) that an action reads and none before it, and how many bytes it can
    fetch meanwhile."""

    first: int
    past: int
    capacity: int


def fetch_ahead(steps: Sequence[Action], l2: int) -> Sequence[Action]:
    """The actions of a run in order, with what they fetch; as they were where the second cache of
    `l2` bytes has room for all weights."""
    readings, room = _readings(steps), l2 // NEAR
    if not readings or readings[-1].past <= room:
        return steps
    wanted = _wanted(readings, room)
    made, near = list[Action](), 0
    for action, reading, want in zip(steps, readings, wanted, strict=True):
        first = max(near, reading.past)
        nbytes = min(want - first, reading.capacity)
        away = reading.past - max(near, reading.first)
        near = first
        if isinstance(action, Step) and nbytes > WORTH and away <= room // 2:
            turns = action.stage.lowered.turns
            fetch = Fetch(first, turns, -(-nbytes // turns))
            action = replace(action, stage=replace(action.stage, fetches=True), fetch=fetch)
            near += nbytes
        made.append(action)
    return made


def _readings(steps: Sequence[Action]) -> list[_Reading]:
    made, past = list[_Reading](), 0
    for action in steps:
        first = past
        for step in _steps(action):
            arrays = zip(step.weights, step.stage.lowered.constants, strict=True)
            past = max([past, *(place.offset + a.nbytes for place, a in arrays)])
        turns = action.stage.lowered.turns if isinstance(action, Step) else 0
        made.append(_Reading(first, past, turns * PACE))
    return made


def _steps(action: Action) -> tuple[Step, ...]:
    if isinstance(action, Strips):
        return tuple(link.step for link in action.links)
    return (action,) if isinstance(action, Step) else ()


def _wanted(readings: Sequence[_Reading], room: int) -> list[int]:
    """Up to where weights should be near when each action ends."""
    wanted = [readings[-1].past]
    for reading in reversed(readings):
        late = max(reading.past, wanted[-1] - reading.capacity)
        wanted.append(min(late, reading.first + room))
    return wanted[-2::-1]
