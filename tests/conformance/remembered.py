"""Outcomes kept by content in build/: a case runs again only when whet or the case changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from tests.conformance.cases import Case
from tests.conformance.outcome import Outcome, Runner
from tests.conformance.workers import run_cases

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "conformance"
SOURCES = (".py", ".h", ".c", ".toml")


@cache
def source_hash() -> str:
    """A hash of everything an outcome depends on but the case: whet and this harness."""
    digest = hashlib.sha256()
    for folder in (ROOT / "whet", ROOT / "tests" / "conformance"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                digest.update(path.relative_to(ROOT).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def outcomes(cases: Sequence[Case], runner: Runner, jobs: int = 2) -> Iterator[tuple[str, Outcome]]:
    """(case name, outcome) of every case, the remembered ones first."""
    path = FOLDER / f"{runner.name.replace(' ', '_')}.json"
    known = _load(path)
    fresh: list[Case] = []
    kept: dict[str, Outcome] = {}
    for case in cases:
        if case.digest in known:
            kept[case.digest] = known[case.digest]
            yield case.name, known[case.digest]
        else:
            fresh.append(case)
    digests = {case.name: case.digest for case in fresh}
    try:
        for name, outcome in run_cases(fresh, runner, jobs):
            # A timeout says as much of the machine's load as of the case.
            if outcome.kind != "timeout":
                known[digests[name]] = outcome
            yield name, outcome
    finally:
        if fresh:
            _save(path, known)


def _load(path: Path) -> dict[str, Outcome]:
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if stored.get("sources") != source_hash():
        return {}
    return {digest: Outcome(*outcome) for digest, outcome in stored["outcomes"].items()}


def _save(path: Path, known: dict[str, Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"sources": source_hash(), "outcomes": known}))
    partial.replace(path)
