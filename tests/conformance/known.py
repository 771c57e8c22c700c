"""known_failures.txt: the cases that fail, each with its reason; a list that may only shrink.

Its lines are `runner | case | reason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.conformance.outcome import Outcome

PATH = Path(__file__).with_name("known_failures.txt")
HEADER = """\
# Cases of onnx.backend.test that fail, and why. This list may only shrink: a case that fails and
# is not here, or is here and passes, fails the tests. `python -m tests.conformance --shrink` takes
# out what passes; nothing adds a line but a hand that answers for it.
"""


def known_failures() -> dict[str, dict[str, str]]:
    """runner -> case -> reason."""
    found: dict[str, dict[str, str]] = {}
    for line in PATH.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            runner, case, reason = (part.strip() for part in line.split("|", 2))
            found.setdefault(runner, {})[case] = reason
    return found


def regressions(runner: str, outcomes: Mapping[str, Outcome]) -> list[str]:
    """The failures that are not on the list."""
    listed = known_failures().get(runner, {})
    return [
        f"{name} fails with {runner}: {outcome}"
        for name, outcome in outcomes.items()
        if not outcome.passed and name not in listed
    ]


def surprises(runner: str, outcomes: Mapping[str, Outcome]) -> list[str]:
    """What differs from the list: new failures, and listed cases that pass."""
    listed = known_failures().get(runner, {})
    stale = [
        f"{name} passes with {runner}: take it out of {PATH.name}"
        for name, outcome in outcomes.items()
        if outcome.passed and name in listed
    ]
    return regressions(runner, outcomes) + stale


def shrink(results: Mapping[str, Mapping[str, Outcome]]) -> int:
    """Take out of the list what passes, and give the rest its present reason; returns its length.

    results: runner -> case -> outcome. Cases that were not run stay as they are.
    """
    lines = []
    for runner, listed in known_failures().items():
        for name, reason in listed.items():
            outcome = results.get(runner, {}).get(name)
            if outcome is None:
                lines.append(f"{runner} | {name} | {reason}")
            elif not outcome.passed:
                lines.append(f"{runner} | {name} | {outcome}")
    PATH.write_text(HEADER + "\n".join(sorted(lines)) + "\n", encoding="utf-8")
    return len(lines)
