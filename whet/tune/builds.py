"""Two builds of a whole model: what its user gets is measured, not the sum of the parts."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from whet.compiler.pipeline import Compiled
from whet.session.samples import random_inputs
from whet.session.timed import TimedSession

# A turn is long beside what disturbs a machine, and rounds enough for a median.
TURN_SECONDS = 5e-3
ROUNDS, MOST_SECONDS = 60, 8.0


@dataclass(frozen=True, slots=True)
class Compared:
    """Seconds of a run of each, and second over first in the median of the rounds."""

    first: float
    second: float
    ratio: float


def race_builds(first: Compiled, second: Compiled) -> Compared:
    """Both built models in turns, one thread, on the same random inputs."""
    arrays = random_inputs(first.program.inputs, seed=0)
    inputs = dict(zip((p.name for p in first.program.inputs), arrays, strict=True))
    sessions = [TimedSession(compiled) for compiled in (first, second)]
    for session in sessions * 3:
        session(inputs)
    once = min(min(session.seconds) for session in sessions)
    turn = max(1, round(TURN_SECONDS / max(once, 1e-7)))
    rounds = max(5, min(ROUNDS, round(MOST_SECONDS / (2 * turn * max(once, 1e-7)))))
    medians: list[list[float]] = [[], []]
    for number in range(rounds):
        order = (0, 1) if number % 2 else (1, 0)
        for which in order:
            sessions[which].seconds.clear()
            for _ in range(turn):
                sessions[which](inputs)
            medians[which].append(median(sessions[which].seconds))
    ratios = [b / a for a, b in zip(*medians, strict=True)]
    return Compared(median(medians[0]), median(medians[1]), median(ratios))
