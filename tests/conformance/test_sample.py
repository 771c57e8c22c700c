"""A seeded sample of onnx.backend.test through both runners; `make conformance` runs all of it."""

from __future__ import annotations

import random

import pytest

from tests.conformance.cases import all_cases
from tests.conformance.known import known_failures, regressions
from tests.conformance.outcome import Runner
from tests.conformance.runners import RUNNERS
from tests.conformance.workers import run_cases

SEED = 2033
CASES = 300
PARTS = 12


def sample(part: int) -> list[str]:
    """The names of one part of the sample."""
    names = random.Random(SEED).sample(sorted(all_cases()), CASES)
    return names[part::PARTS]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.name)
def test_sample(runner: Runner, part: int) -> None:
    cases = [all_cases()[name] for name in sample(part)]
    found = dict(run_cases(cases, runner, jobs=1))
    assert not regressions(runner.name, found)


def test_known_failures_are_cases() -> None:
    names = {runner.name for runner in RUNNERS}
    for runner, listed in known_failures().items():
        assert runner in names
        assert set(listed) <= all_cases().keys()
