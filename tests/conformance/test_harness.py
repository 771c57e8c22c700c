"""The harness counts honestly: only a right answer passes, and nothing takes it down."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from tests.conformance import known, remembered
from tests.conformance.cases import Value, all_cases
from tests.conformance.outcome import Outcome, Session, group_of
from tests.conformance.report import document, passed, summary
from tests.conformance.workers import run_cases
from whet.errors import ModelError, UnsupportedError

NAMES = ("test_abs", "test_sequence_insert_at_back", "test_string_concat", "test_sign_model")


@dataclass
class Changed:
    """onnx's reference evaluator, its outputs changed by a function."""

    change: Callable[[list[Value]], object]
    name: str = "changed"

    def prepare(self, model: ModelProto) -> Session:
        evaluator = ReferenceEvaluator(model)

        def run(feeds: Mapping[str, Value]) -> Sequence[Value]:
            return self.change(evaluator.run(None, dict(feeds)))

        return run


def outcome(change: Callable[[list[Value]], object], name: str = "test_abs") -> Outcome:
    found = run_cases([all_cases()[name]], Changed(change), jobs=1, seconds=10)
    return dict(found)[name]


def refuse(error: Exception) -> Callable[[list[Value]], object]:
    def change(outputs: list[Value]) -> object:
        raise error

    return change


def test_every_case_is_there() -> None:
    kinds = [case.kind for case in all_cases().values()]
    assert len(kinds) >= 1914
    counts = {kind: kinds.count(kind) for kind in set(kinds) - {"node"}}
    assert counts == {"simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "real": 9}


def test_right_answers_pass() -> None:
    cases = [all_cases()[name] for name in NAMES]
    found = dict(run_cases(cases, Changed(lambda outputs: outputs)))
    assert found == {name: Outcome("passed") for name in NAMES}


WRONG: dict[str, Callable[[list[Value]], object]] = {
    "value": lambda outputs: [outputs[0] + 1],
    "NaN": lambda outputs: [np.full_like(outputs[0], np.nan)],
    "element type": lambda outputs: [outputs[0].astype(np.float64)],
    "shape": lambda outputs: [outputs[0][None]],
    "no output": lambda outputs: [],
    "more outputs": lambda outputs: [*outputs, outputs[0]],
    "nothing": lambda outputs: [None],
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_answers_fail(kind: str) -> None:
    assert outcome(WRONG[kind]).kind == "wrong"


def test_refusals_fail() -> None:
    found = outcome(refuse(UnsupportedError([("Abs", "layer", "no kernel")])))
    assert found == Outcome("refused", "Abs (no kernel)")
    assert outcome(refuse(ModelError("no"))).kind == "refused"
    assert outcome(refuse(ValueError("no"))) == Outcome("error", "ValueError: no")


def test_crashes_and_hangs_cost_one_case() -> None:
    assert outcome(lambda outputs: os.kill(os.getpid(), signal.SIGSEGV)).kind == "crash"
    assert outcome(lambda outputs: os._exit(3)) == Outcome("crash", "exit code 3")
    cases = [all_cases()[name] for name in NAMES[:2]]
    begin = time.monotonic()
    found = dict(run_cases(cases, Changed(lambda outputs: time.sleep(60)), seconds=0.5))
    assert {each.kind for each in found.values()} == {"timeout"}
    assert time.monotonic() - begin < 20


def test_outcomes_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "FOLDER", tmp_path)
    cases = [all_cases()["test_abs"]]
    good, bad = Changed(lambda outputs: outputs), Changed(lambda outputs: [])
    assert dict(remembered.outcomes(cases, good))["test_abs"].passed
    assert dict(remembered.outcomes(cases, bad))["test_abs"].passed
    monkeypatch.setattr(remembered, "source_hash", lambda: "sources have changed")
    assert not dict(remembered.outcomes(cases, bad))["test_abs"].passed


def test_the_list_of_known_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "PATH", tmp_path / "known.txt")
    known.PATH.write_text(known.HEADER + "r | a | old reason\nr | b | no kernel\n")
    results = {"a": Outcome("passed"), "b": Outcome("wrong", "NaN"), "c": Outcome("passed")}
    assert len(known.surprises("r", results)) == 1
    assert known.shrink({"r": results}) == 1
    assert known.known_failures() == {"r": {"b": "wrong: NaN"}}
    assert not known.surprises("r", results)
    assert len(known.surprises("r", {"d": Outcome("crash")})) == 1


def test_reports() -> None:
    cases = {name: all_cases()[name] for name in NAMES}
    found = dict.fromkeys(NAMES, Outcome("passed")) | {"test_abs": Outcome("refused", "Abs")}
    results = {"meaning": found, "emitted C": found}
    last = summary(results).splitlines()[-2:]
    assert last == ["meaning: 3 passed of 4", "emitted C: 3 passed of 4"]
    assert passed(found) == 3
    text = document(results, cases)
    assert "| all | 3 | 3 | 4 |" in text
    assert text.count("* `test_abs`: refused: Abs") == 2


def test_groups_leave_out_what_differs() -> None:
    one = group_of(Outcome("wrong", "Mismatch at 3 of 5: 'x' (2, 3)"))
    assert one == group_of(Outcome("wrong", "Mismatch at 1 of 17: 'y' (4,)"))
