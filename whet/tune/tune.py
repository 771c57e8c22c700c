"""tune: a graph -> the model built with the choices that run it fastest here."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

from whet.artifact.interface import Json
from whet.compiler.pipeline import Compiled, compile_graph
from whet.errors import InputError
from whet.ir.graph import Graph
from whet.plan.patches import Room
from whet.targets.host import host
from whet.targets.target import Target
from whet.tune.builds import Compared, race_builds
from whet.tune.float_twin import float_twin
from whet.tune.kept import identity
from whet.tune.measure import Progress, measure

TUNING = "tuning"
# Below this ratio floats are faster than codes: not by what two races of one model differ in.
FLOAT_IS_FASTER = 0.97


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of tuning a model.

    calls: distinct kernel calls with choices; measured: those timed now, the others were known;
    changed: those that got another choice than the default; refused: candidates whose results were
    not the default's. Seconds are of one run of the whole model on one thread, None where there was
    no such model; ratio is tuned over untuned in the median of paired rounds. kept: which of the
    models was taken, untuned, tuned or float.
    """

    calls: int
    measured: int
    changed: int
    refused: int
    untuned_seconds: float
    tuned_seconds: float
    ratio: float
    float_seconds: float | None
    kept: str
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
    `tuning`. Where the whole model is not faster tuned, it is the untuned one; where a quantised
    model is slower than its float twin, it is the twin, and a note says so. With a room there is no
    twin: floats take four times the arena.

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
    compared = race_builds(untuned, tuned)
    kept = "tuned" if chosen and compared.ratio < 1.0 else "untuned"
    best = tuned if kept == "tuned" else untuned
    twin, real = (None, None) if room else _raced_as_float(best, progress)
    if twin is not None and real is not None and real.ratio < FLOAT_IS_FASTER:
        times = f"{1e3 * real.second:.4g} ms against {1e3 * real.first:.4g}"
        note = f"the codes run slower here than floats ({times}): the model was kept float"
        best, kept = replace(twin, notes=(*twin.notes, note)), "float"
    told = Tuning(
        len(found.records), found.measured, len(chosen), found.refused, compared.first,
        compared.second, compared.ratio, None if real is None else real.second, kept,
        time.perf_counter() - start,
    )  # fmt: skip
    evidence: dict[str, Json] = {TUNING: {**asdict(told), **identity(aim)}}
    return replace(best, notes=(*best.notes, *found.notes), evidence=evidence)


def _raced_as_float(best: Compiled, progress: Progress) -> tuple[Compiled | None, Compared | None]:
    """The float twin of a quantised model, and how it compares; None where there is none."""
    graph = float_twin(best.model)
    if graph is None:
        return None, None
    progress("compiling its float twin", 0.97)
    twin = compile_graph(graph, best.target)
    progress("racing codes against floats", 0.99)
    return twin, race_builds(best, twin)
