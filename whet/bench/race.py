"""A race: engines in turn, one running at a time, and what came of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from whet.bench.engine import Setting
from whet.errors import InputError

Array = NDArray[np.generic]
Progress = Callable[[str], None]

ROUND_SECONDS = 0.03
WARM_RUNS = 3
DEFAULT = Setting()


@dataclass(frozen=True, slots=True)
class Lap:
    """One engine's figures. Times in seconds; peak_bytes: memory above that of the bare process.

    first: from opening the model file to the first result, the engine's modules already imported.
    difference: largest distance of its outputs from the first engine's, over those's largest value.
    spread: quartiles, over the rounds, of its time over the first engine's in the same round.
    """

    engine: str
    runs: int
    least: float
    median: float
    p99: float
    first: float
    peak_bytes: int
    difference: float
    spread: tuple[float, float]


class EngineFailed(InputError):
    """An engine gave up a race, or made what cannot be compared."""

    def __init__(self, engine: str, what: str, why: str) -> None:
        super().__init__(f"{engine} {what}", why=why)
        self.engine = engine


class _Worker:
    """The process of one engine. It is stopped while others run: threads of some engines spin
    for long after a run, on the processors that the next one needs."""

    def __init__(self, name: str, model: Path, folder: Path, setting: Setting) -> None:
        self.name = name
        self.outputs = folder / f"{name}.npz"
        command = [sys.executable, "-m", "whet.bench.worker", name, str(model)]
        command += [str(folder / "inputs.npz"), str(self.outputs)]
        command += [str(setting.threads), json.dumps(dict(setting.settled))]
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self.log = folder / f"{name}.log"
        with open(self.log, "w") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": paths},
            )
        self.first, self.peak = 0.0, 0
        self.times: list[float] = []
        self.rounds: list[float] = []

    def race(self, count: int) -> None:
        """One round of `count` runs."""
        times = self.run(count)
        self.times += times
        self.rounds.append(float(np.median(times)))

    def run(self, count: int) -> list[float]:
        """Run the model `count` times; the seconds of each."""
        assert self.process.stdin is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[float]:
        """The times of one answer; its other figures are kept."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            said = [text for text in self.log.read_text().splitlines() if text.strip()]
            why = said[-1] if said else f"exit code {self.process.returncode}"
            raise EngineFailed(self.name, "failed", why)
        self.process.send_signal(signal.SIGSTOP)
        answer = json.loads(line)
        self.first, self.peak = answer.get("first", self.first), int(answer.get("peak", self.peak))
        times: list[float] = answer.get("times", [])
        return times

    def __enter__(self) -> _Worker:
        try:
            self._answer()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def race(
    models: Mapping[str, Path],
    inputs: Sequence[Array],
    setting: Setting = DEFAULT,
    seconds: float = 3.0,
    progress: Progress = lambda _: None,
) -> list[Lap]:
    """Race engines on the same inputs for about `seconds` each.

    models: engine -> the file it loads; the first engine is the one the others are compared with.
    Engines take turns of a few hundredths of a second, so that a disturbance hits all alike.

    Raises:
        EngineFailed: an engine refused the model or its inputs, its last words are the reason; or
            made outputs that cannot be compared.
    """
    with tempfile.TemporaryDirectory(prefix="whet-race-") as name, ExitStack() as stack:
        folder = Path(name)
        with open(folder / "inputs.npz", "wb") as file:
            np.savez(file, *inputs, allow_pickle=False)
        workers: list[_Worker] = []
        for engine, model in models.items():
            progress(f"loading {engine}")
            workers.append(stack.enter_context(_Worker(engine, model, folder, setting)))
            if not np.isfinite(difference(_outputs(workers[-1]), _outputs(workers[0]))):
                why = f"its outputs differ from {workers[0].name}'s in number, size or kind"
                raise EngineFailed(engine, "computes something else", why)
        counts = [_round_size(worker.run(WARM_RUNS)) for worker in workers]
        rounds = max(3, round(seconds / ROUND_SECONDS))
        for done in range(rounds):
            progress(f"round {done + 1} of {rounds}")
            for worker, count in zip(workers, counts, strict=True):
                worker.race(count)
        return [_lap(worker, workers[0]) for worker in workers]


def _round_size(times: Sequence[float]) -> int:
    return max(1, min(10_000, int(ROUND_SECONDS / max(min(times), 1e-7))))


def _lap(worker: _Worker, leader: _Worker) -> Lap:
    times = np.array(worker.times)
    low, high = np.percentile(np.array(worker.rounds) / np.array(leader.rounds), (25, 75))
    return Lap(
        worker.name,
        times.size,
        float(times.min()),
        float(np.median(times)),
        float(np.percentile(times, 99)),
        worker.first,
        worker.peak,
        difference(_outputs(worker), _outputs(leader)),
        (float(low), float(high)),
    )


def _outputs(worker: _Worker) -> list[Array]:
    with np.load(worker.outputs, allow_pickle=False) as archive:
        return [archive[key] for key in archive.files]


def difference(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """Largest distance over the largest expected value.

    Infinite where sizes or counts differ, or one is no finite number where the other is another.
    """
    if len(found) != len(expected):
        return float("inf")
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        if a.size != b.size:
            return float("inf")
        x, y = a.astype(np.float64).reshape(-1), b.astype(np.float64).reshape(-1)
        finite = np.isfinite(x) & np.isfinite(y)
        if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
            return float("inf")
        if finite.any():
            largest = max(float(np.abs(y[finite]).max()), 1e-30)
            worst = max(worst, float(np.abs(x[finite] - y[finite]).max()) / largest)
    return worst
