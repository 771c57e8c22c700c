"""What a run of the suite prints, and docs/conformance.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

from tests.conformance.cases import KINDS, Case
from tests.conformance.outcome import Outcome, group_of

PATH = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"

Results = Mapping[str, Mapping[str, Outcome]]

# ONNX Backend Scoreboard, stable builds, 2 July 2026; onnx 1.22 has 1,914 CPU cases.
PEERS_SOURCE = "ONNX Backend Scoreboard (github.com/onnx/backend-scoreboard), stable, 2 July 2026"
PEERS_TOTAL = 1914
PEERS = {
    "onnx reference evaluator (Python)": 1882,
    "emx-onnx-cgen 1.3.5 (C)": 1873,
    "ONNX Runtime 1.27": 1571,
    "OpenVINO execution provider": 1387,
    "jaxonnxruntime": 585,
    "OpenCV": 267,
}


def passed(outcomes: Mapping[str, Outcome]) -> int:
    """How many passed; nothing but a passed case counts."""
    return sum(outcome.passed for outcome in outcomes.values())


def groups(outcomes: Mapping[str, Outcome]) -> list[tuple[str, list[str]]]:
    """Failing cases by reason, the largest group first."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, outcome in outcomes.items():
        if not outcome.passed:
            found[group_of(outcome)].append(name)
    return sorted(found.items(), key=lambda group: (-len(group[1]), group[0]))


def summary(results: Results) -> str:
    """Failures grouped by reason, then one line a runner: `meaning: N passed of M`."""
    lines: list[str] = []
    for runner, outcomes in results.items():
        for reason, names in groups(outcomes):
            few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            lines.append(f"{runner}: {len(names):4d}  {reason}  ({few})")
        lines.append("")
    lines += [
        f"{runner}: {passed(found)} passed of {len(found)}" for runner, found in results.items()
    ]
    return "\n".join(lines)


def document(results: Results, cases: Mapping[str, Case]) -> str:
    """docs/conformance.md, whole."""
    return "\n".join(_document(results, cases)) + "\n"


def _document(results: Results, cases: Mapping[str, Case]) -> Iterator[str]:
    yield from (
        "# ONNX conformance",
        "",
        "Written by `make conformance`, which runs every CPU case of `onnx.backend.test` in the",
        f"installed onnx {onnx.__version__} twice: through Whet's NumPy meaning, and through the C",
        "that Whet emits, compiled and run on this machine. Outputs are compared by onnx's own",
        "runner: type and shape exactly, values within the case's tolerance. A case that Whet",
        "refuses counts as failed.",
        "",
        "| cases | " + " | ".join(results) + " | of |",
        "|---|" + "---:|" * (len(results) + 1),
    )
    for kind in (*KINDS, "all"):
        names = [name for name, case in cases.items() if kind in (case.kind, "all")]
        counts = [sum(found[name].passed for name in names) for found in results.values()]
        cells = " | ".join(f"{count:,}" for count in counts)
        yield f"| {kind} | {cells} | {len(names):,} |"
    yield from _shares(results)
    yield from _failures(results)


def _shares(results: Results) -> Iterator[str]:
    yield from (
        "",
        "## Beside others",
        "",
        "| engine | passed | of | share |",
        "|---|---:|---:|---:|",
    )
    rows = [(f"Whet, {runner}", passed(found), len(found)) for runner, found in results.items()]
    rows += [(name, count, PEERS_TOTAL) for name, count in PEERS.items()]
    for name, count, total in rows:
        yield f"| {name} | {count:,} | {total:,} | {100 * count / total:.1f} % |"
    yield from (
        "",
        f"Others: {PEERS_SOURCE}, with onnx 1.22. Later versions of onnx have more cases, so",
        "compare shares.",
    )


def _failures(results: Results) -> Iterator[str]:
    for runner, outcomes in results.items():
        yield from ("", f"## What fails: {runner}")
        found = groups(outcomes)
        if not found:
            yield from ("", "Nothing.")
        for reason, names in found:
            yield from ("", f"{len(names)} x {reason}", "")
            yield from (f"* `{name}`: {outcomes[name]}" for name in sorted(names))
