"""A race of candidates in turns: the slow drop out early, and the default wins unless it is beaten
clearly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

Timer = Callable[[int, int], float]

# One turn of a candidate: long enough for the clock, short beside what disturbs a machine.
TURN_SECONDS = 1e-3
ROUNDS = 24
# After so many rounds, who takes longer than so many times the best leaves.
EARLY_STOPS = {1: 2.0, 3: 1.3, 6: 1.1, 12: 1.04}
# The winner needs less than this share of the default's time, in the median of the rounds, and
# less than the default in three rounds of four.
CLEAR = 0.97
# A call is raced no longer than this, but for at least FEWEST rounds.
MOST_SECONDS, FEWEST = 2.0, 6


@dataclass(frozen=True, slots=True)
class Result:
    """Who won, seconds of a run of the winner and of the default, and their ratio in the median of
    the rounds; 1 where the default won.
    """

    winner: int
    seconds: float
    default_seconds: float
    ratio: float


def race(candidates: int, timer: Timer) -> Result:
    """Race candidates 0 (the default) to `candidates` - 1.

    timer(candidate, runs) gives the seconds of one of so many runs.
    """
    runs = _turn(timer)
    times: dict[int, list[float]] = {c: [] for c in range(candidates)}
    running, spent = list(times), 0.0
    for done in range(1, ROUNDS + 1):
        for c in running if done % 2 else running[::-1]:
            times[c].append(timer(c, runs))
            spent += times[c][-1] * runs
        if done in EARLY_STOPS:
            best = min(median(times[c]) for c in running)
            limit = EARLY_STOPS[done] * best
            running = [c for c in running if c == 0 or median(times[c]) <= limit]
        if len(running) == 1 or (spent > MOST_SECONDS and done >= FEWEST):
            break
    return _judged(times, running)


def _turn(timer: Timer) -> int:
    """Runs in a turn."""
    timer(0, 1)
    once = min(timer(0, 1) for _ in range(3))
    return max(1, min(100_000, round(TURN_SECONDS / max(once, 1e-9))))


def _judged(times: dict[int, list[float]], running: list[int]) -> Result:
    default = median(times[0])
    ratios = {
        c: [a / b for a, b in zip(times[c], times[0], strict=True)] for c in running if c != 0
    }
    if ratios:
        winner = min(ratios, key=lambda c: median(ratios[c]))
        ratio, high = median(ratios[winner]), quantiles(ratios[winner], n=4)[2]
        if ratio < CLEAR and high < 1.0:
            return Result(winner, median(times[winner]), default, ratio)
    return Result(0, default, default, 1.0)
