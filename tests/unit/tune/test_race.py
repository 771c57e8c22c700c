"""Who wins a race, and how long it takes: with a clock that the test makes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from whet.tune.race import CLEAR, EARLY_STOPS, FEWEST, MOST_SECONDS, ROUNDS, race


class Clock:
    """Gives each candidate its own seconds, times the noise; counts the turns."""

    def __init__(self, seconds: list[float], noise: float = 0.0) -> None:
        self.seconds, self.noise = seconds, noise
        self.turns: Counter[int] = Counter()
        self.spent = 0.0
        self.random = np.random.default_rng(0)

    def __call__(self, candidate: int, runs: int) -> float:
        self.turns[candidate] += 1
        seconds = self.seconds[candidate] * (1 + self.noise * abs(self.random.normal()))
        self.spent += seconds * runs
        return seconds


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_fastest_wins_with_its_ratio(noise: float) -> None:
    result = race(4, Clock([1e-4, 9e-5, 8e-5, 2e-4], noise))
    assert result.winner == 2
    assert result.ratio == pytest.approx(0.8, abs=0.03)
    assert result.seconds == pytest.approx(8e-5, rel=0.05)
    assert result.default_seconds == pytest.approx(1e-4, rel=0.05)


@pytest.mark.parametrize("gain", [0.0, 0.01, 1 - CLEAR - 0.005])
def test_the_default_stays_where_nothing_is_clearly_faster(gain: float) -> None:
    result = race(3, Clock([1e-5, 1e-5 * (1 - gain), 1.01e-5]))
    assert (result.winner, result.ratio) == (0, 1.0)
    assert result.seconds == result.default_seconds


def test_a_gain_that_is_not_there_in_most_rounds_is_none() -> None:
    flips = iter(range(10_000))

    def timer(candidate: int, runs: int) -> float:
        return 1e-4 if candidate == 0 else 9e-5 if next(flips) % 5 < 3 else 1.5e-4

    assert race(2, timer).winner == 0


def test_the_slow_leave_early() -> None:
    clock = Clock([1e-4, 9e-5, 1.1e-4, 1.5e-4, 9e-4])
    race(5, clock)
    first, second, third, _ = EARLY_STOPS
    assert clock.turns[4] == first
    assert clock.turns[3] == second
    assert clock.turns[2] == third
    assert clock.turns[1] == ROUNDS


def test_a_race_without_rivals_is_over_at_once() -> None:
    clock = Clock([1e-4])
    assert race(1, clock).winner == 0
    assert clock.turns[0] < FEWEST


def test_long_calls_are_not_raced_for_long() -> None:
    clock = Clock([0.2, 0.19, 0.2])
    assert race(3, clock).winner == 1
    assert clock.spent < MOST_SECONDS + FEWEST * 3 * 0.2 + 1
    assert clock.turns[1] >= FEWEST


def test_short_calls_run_many_times_in_a_turn() -> None:
    asked: list[int] = []

    def timer(candidate: int, runs: int) -> float:
        asked.append(runs)
        return 1e-7

    race(2, timer)
    assert max(asked) == 10_000
