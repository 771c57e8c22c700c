"""tune: a graph -> the model built with the choices that run it fastest here."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from whet.artifact.interface import Json
from whet.compile.pipeline import Compiled, compile_graph
from whet.errors import InputError
from whet.ir.graph import Graph
from whet.plan.patches import Room
from whet.targets.host import host
from whet.targets.target import Target
from whet.tune.kept import identity
from whet.tune.measure import Measured, Progress, measure
from whet.tune.whole import Compared, compare

TUNING = "tuning"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of tuning a model.

    calls: distinct kernel calls with choices; measured: those timed now, the others were known;
    changed: those that got another choice than the default; refused: candidates whose results were
    not the default's. Seconds are of one run of the whole model on one thread, ratio is tuned over
    untuned in the median of paired rounds; kept: whether the tuned model was taken.
    """

    calls: int
    measured: int
    changed: int
    refused: int
    untuned_seconds: float
    tuned_seconds: float
    ratio: float
    kept: bool
    spent_seconds: float


def tune(
    graph: Graph,
    target: Target | None = None,
    progress: Progress = lambda *_: None,
    room: Room | None = None,
) -> Compiled:
    """Compile a graph with the choices that are the fastest on this machine.

    room: the arena it must do with, as in `compile_graph`.

    What is found is remembered in the cache folder, and told in the result's evidence under
    `tuning`. Where the whole model is not faster tuned, it is the untuned one.

    Raises:
        InputError: the target is not this machine.
        UnsupportedError, CompileError: as compile_graph.
    """
    start, aim = time.perf_counter(), target or host()
    if aim.emulator is not None:
        why = "kernels are timed where they run, and only this machine is at hand"
        raise InputError(f"{aim.name} cannot be tuned for", why=why)
    progress("compiling, untuned", 0.0)
    untuned = compile_graph(graph, aim, room=room)
    found = measure(untuned, lambda text, share: progress(text, 0.05 + 0.85 * share))
    chosen = {key: r.choice for key, r in found.records.items() if r.choice is not None}
    progress("compiling, tuned", 0.9)
    tuned = compile_graph(graph, aim, chosen, room) if chosen else untuned
    progress("racing the whole model", 0.95)
    compared = compare(untuned, tuned)
    best = tuned if compared.ratio < 1.0 else untuned
    told = _told(found, compared, best is tuned and tuned is not untuned, start)
    evidence: dict[str, Json] = {TUNING: {**asdict(told), **identity(aim)}}
    return replace(best, notes=(*best.notes, *found.notes), evidence=evidence)


def _told(found: Measured, compared: Compared, kept: bool, start: float) -> Tuning:
    changed = sum(r.choice is not None for r in found.records.values())
    return Tuning(
        len(found.records), found.measured, changed, found.refused, compared.untuned,
        compared.tuned, compared.ratio, kept, time.perf_counter() - start,
    )  # fmt: skip
