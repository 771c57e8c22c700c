"""One case measured: Whet compiled, then raced with every peer that takes the model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.suite import CONVERTED, Case, Unavailable, model_file, peers, ready
from bench.under_roof import UnderRoof, under_roof
from whet import api
from whet.bench.engine import LEVELS, Setting, check_peer
from whet.bench.race import EngineFailed, Lap, difference, race
from whet.compiler.pipeline import Compiled
from whet.devices import roofline
from whet.errors import InputError
from whet.ops.cost import graph_cost, integer_graph
from whet.session.samples import random_inputs


@dataclass(frozen=True, slots=True)
class Record:
    """One engine's figures in one race.

    ratio: Whet's median over this engine's; low, high: quartiles of that ratio over the rounds.
    share_of_peak: of the arithmetic peak measured on this machine for that many threads, with the
    instructions that the engine was built for if it is one of LEVELS.
    load_ms: from opening the file to the first result. rss_mb: above the bare process, in 10^6.
    budget_mb: weights and arena. difference: of the outputs from Whet's, over the largest value; of
    Whet's own in bf16, the mean over INPUTS from those in f32. same_top: for how many of these the
    largest output is the same one.
    """

    model: str
    precision: str
    threads: int
    engine: str
    median_ms: float
    min_ms: float
    p99_ms: float
    ratio: float
    share_of_peak: float
    load_ms: float
    rss_mb: float
    low: float = 1.0
    high: float = 1.0
    budget_mb: float = 0.0
    difference: float = 0.0
    same_top: float | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """An engine, or a whole case, without figures, and why."""

    case: str
    engine: str
    reason: str


INPUTS = 16
LEFT_OUT = {"bf16": (("onnxruntime", "its CPU provider has no bf16 path to race"),)}
Compiler = Callable[..., Compiled]
Results = tuple[list[Record], list[Missing]]


class Suite:
    """Races cases; each model is compiled once for all thread counts.

    levels: builds of Whet to race too, of LEVELS. alone: no peers.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        compiler: Compiler = api.compile,
        levels: Sequence[str] = (),
        alone: bool = False,
    ) -> None:
        self.folder, self.seconds, self.compiler = folder, seconds, compiler
        self.levels, self.alone = levels, alone
        self._compiled: dict[tuple[Path, str, str], Compiled | str] = {}
        self._raced: dict[str, Compiled] = {}

    def run(self, case: Case) -> Results:
        """The figures of a case; whatever fails is told in the second list, never raised."""
        try:
            path = model_file(case.model, case.precision, self.folder)
        except Unavailable as error:
            return [], [Missing(str(case), "all", str(error))]
        try:
            return self.race(case, path)
        except Exception as error:
            return [], [Missing(str(case), "whet", _reason(error))]

    def compile(self, path: Path, precision: str = "own", cpu: str = "native") -> Compiled:
        """The compiled model; a failure is remembered too."""
        key = (path, precision, cpu)
        more = {} if cpu == "native" else {"cpu": cpu}
        if key not in self._compiled:
            try:
                self._compiled[key] = self.compiler(path, precision=precision, **more)
            except Exception as error:
                self._compiled[key] = _reason(error)
        found = self._compiled[key]
        if isinstance(found, str):
            raise RuntimeError(found)
        return found

    def under_roof(self) -> list[UnderRoof]:
        """Where the time goes in each model that was raced."""
        return [under_roof(name, compiled) for name, compiled in self._raced.items()]

    def race(self, case: Case, path: Path) -> Results:
        """Race Whet with the peers; one that fails is left out and told."""
        converted = case.precision in CONVERTED
        precision = case.precision if converted else "own"
        compiled = self.compile(path, precision)
        self._raced[f"{case.model} {case.precision}"] = compiled
        engines, missing = self._peers(case, path)
        builds = {"whet": compiled}
        for level in self.levels:
            try:
                builds[level] = self.compile(path, precision, LEVELS[level])
            except RuntimeError as error:
                missing.append(Missing(str(case), level, _reason(error)))
        with tempfile.TemporaryDirectory(prefix="whet-bench-") as name:
            artifact = compiled.artifact()
            files = {e: b.artifact().save(Path(name) / f"{e}.whet") for e, b in builds.items()}
            inputs = random_inputs(artifact.interface.inputs, seed=0)
            while True:
                try:
                    laps = race(files | engines, inputs, Setting(case.threads), self.seconds)
                    break
                except EngineFailed as error:
                    if error.engine == "whet":
                        raise
                    for given in (files, engines):
                        given.pop(error.engine, None)
                    missing.append(Missing(str(case), error.engine, _reason(error)))
        records = [_record(case, lap, laps[0], compiled) for lap in laps]
        if converted:
            records[0] = _beside(records[0], compiled, self.compile(path))
        return records, missing

    def _peers(self, case: Case, path: Path) -> tuple[dict[str, Path], list[Missing]]:
        """The file of each peer that is installed and takes the model, and the others."""
        if self.alone:
            return {}, []
        missing = [Missing(str(case), *left) for left in LEFT_OUT.get(case.precision, ())]
        engines: dict[str, Path] = {}
        for peer, file in peers(path, case.precision).items():
            try:
                check_peer(peer, file)
                ready(peer, file, path)
                engines[peer] = file
            except (InputError, Unavailable) as error:
                missing.append(Missing(str(case), peer, _reason(error)))
        return engines, missing


def _record(case: Case, lap: Lap, leader: Lap, compiled: Compiled) -> Record:
    machine = roofline(case.threads, LEVELS.get(lap.engine, "native"))
    peak = machine.peak_gop_s(integer_graph(compiled.graph))
    cost = graph_cost(compiled.graph)
    low, high = lap.spread
    return Record(
        case.model,
        case.precision,
        case.threads,
        lap.engine,
        median_ms=1e3 * lap.median,
        min_ms=1e3 * lap.least,
        p99_ms=1e3 * lap.p99,
        ratio=leader.median / lap.median,
        share_of_peak=cost.operations / lap.least / peak / 1e9,
        load_ms=1e3 * lap.first,
        rss_mb=lap.peak_bytes / 1e6,
        low=1.0 / high,
        high=1.0 / low,
        budget_mb=(len(compiled.program.weights) + compiled.memory.arena_bytes) / 1e6,
        difference=lap.difference,
    )


def _beside(record: Record, compiled: Compiled, exact: Compiled) -> Record:
    """The record with how far the outputs are from those of the model in f32."""
    ports = compiled.program.inputs
    one, other = compiled.session(), exact.session()
    distances, same = [], []
    for seed in range(INPUTS):
        inputs = dict(zip([p.name for p in ports], random_inputs(ports, seed), strict=True))
        found, wanted = (list(session(inputs).values()) for session in (one, other))
        distances.append(difference(found, wanted))
        tops = [[int(np.argmax(value)) for value in values] for values in (found, wanted)]
        same.append(tops[0] == tops[1])
    return replace(record, difference=float(np.mean(distances)), same_top=float(np.mean(same)))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
