"""One case through one runner: passed, or why not. A refusal is a failure like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from onnx import ModelProto
from onnx.backend.test.runner import Runner as OnnxRunner

from tests.conformance.cases import Case, Value

Session = Callable[[Mapping[str, Value]], Sequence[Value]]
REASON_LENGTH = 300


class Runner(Protocol):
    """A way to run a model: `prepare` once, then call for each data set, feeds by input name.

    Outputs come in the order of the graph's. name: how reports call it.
    """

    name: str

    def prepare(self, model: ModelProto) -> Session: ...


class Outcome(NamedTuple):
    """The result of a case. kind: "passed", "refused", "wrong", "error", "crash", "timeout"."""

    kind: str
    reason: str = ""

    @property
    def passed(self) -> bool:
        return self.kind == "passed"

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


def run_case(case: Case, runner: Runner) -> Outcome:
    """Run every data set of the case and compare exactly as onnx's own runner does."""
    from whet.errors import UnsupportedError, WhetError

    try:
        session = runner.prepare(case.model)
        for inputs, expected in case.data_sets:
            outputs = list(session(case.feeds(inputs)))
            try:
                OnnxRunner.assert_similar_outputs(expected, outputs, case.rtol, case.atol)
            except Exception as error:
                return Outcome("wrong", difference(error))
    except UnsupportedError as error:
        found = sorted({f"{op.op} ({op.reason})" for op in error.ops})
        return Outcome("refused", one_line("; ".join(found) or str(error)))
    except WhetError as error:
        return Outcome("refused", one_line(str(error)))
    except Exception as error:
        return Outcome("error", one_line(f"{type(error).__name__}: {error}"))
    return Outcome("passed")


def difference(error: Exception) -> str:
    """The lines of a NumPy comparison that say what differs, on one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("[", "array"))]
    return one_line(" ".join(telling))


def one_line(text: str) -> str:
    """The text with its white space collapsed, cut to what a report has room for."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 3] + "..."


def group_of(outcome: Outcome) -> str:
    """The reason without what differs from case to case: names, numbers, listed values."""
    text = re.sub(r"'[^']*'", "'..'", str(outcome))
    text = re.sub(r"[-+]?\d[\d.e+-]*", "N", text)
    text = re.sub(r"\[[^\]]*\]|\([N, ]*\)", "[..]", text)
    return text.split(" Mismatched elements")[0][:120]
