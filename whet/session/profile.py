"""Where a model's time goes: every step timed in place, in runs like those of its artifact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from whet.compiler.build import shared_library
from whet.compiler.pipeline import Compiled
from whet.emit.c import model_units
from whet.emit.program import Action, Copy, Link, Step, Strips, is_split
from whet.emit.watch import Watched
from whet.ir.node import Array
from whet.ops.cost import Cost
from whet.session.pool import pool_c
from whet.session.watched import Runs, Spent, Times, WatchedSession, spent

# Sessions take turns, because a machine's speed changes.
ROUNDS, SECONDS = 4, 0.4
LEAST_RUNS, MOST_RUNS = 4, 300  # a round


@dataclass(frozen=True, slots=True)
class Spread:
    """A step that several threads run. Seconds of each thread, and what they lose.

    slower: the mean beyond its share of one thread's time. uneven: what the last one came later to
    the waits in the step and behind it than the mean. serial: what one thread alone takes beyond a
    share of its time alone. waits: from the last one's coming to the mean's leaving.
    The two threads of a recurrent layer meet without a wait: what that takes is in `slower`.
    """

    each: tuple[float, ...]
    slower: float
    uneven: float
    serial: float
    waits: float


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step: the user's layer, the kernel it runs on, seconds on one thread, and what it costs.

    strips: the number, from 1 on, of the strips whose layers take turns that it is one of; else 0.
    spread: the same step run by several threads.
    """

    layer: str
    kernel: str
    seconds: float
    cost: Cost
    strips: int = 0
    spread: Spread | None = None

    @property
    def kernel_text(self) -> str:
        """The kernel, and the strips that it is in."""
        return f"{self.kernel}, strips {self.strips}" if self.strips else self.kernel


@dataclass(frozen=True, slots=True)
class Profile:
    """The steps of a run, and the seconds of a whole call from Python on one thread and on
    `threads`. unnoted: waits inside steps of a run that its notes had no room for; they are in
    `slower`.
    """

    steps: tuple[StepTime, ...]
    call: float
    threads: int
    together: float
    unnoted: int

    @property
    def share(self) -> float:
        """What each thread would take at best: its share of one thread's work."""
        return sum(step.seconds for step in self.steps) / self.threads

    def lost(self) -> dict[str, float]:
        """What a call of several threads takes beyond that, by reason; `call` is the rest: Python
        and the call, the other threads' waking, and theirs coming back.
        """
        spreads = [step.spread for step in self.steps if step.spread]
        reasons = ("slower", "uneven", "serial", "waits")
        lost = {name: sum(getattr(s, name) for s in spreads) for name in reasons}
        return {**lost, "call": self.together - self.share - sum(lost.values())}


def profile(compiled: Compiled, inputs: Mapping[str, Array], threads: int = 1) -> Profile:
    """Means over the middle half of many calls of a build that notes the time in its own run.

    So the steps add up to the run. What noting takes is measured, and taken off. Where there are
    several threads, calls of one take turns with calls of them all.

    Raises:
        CompileError: the build that notes failed.
        InputError: more threads than it was compiled for.
    """
    program = compiled.program
    watched = Watched(program)
    units = model_units(program, compiled.target.threads, watched)
    pool = (pool_c(),) if program.shared else ()
    code = shared_library((*units, *pool), compiled.target)
    counts = sorted({1, threads})
    sessions = [WatchedSession(program, code, watched, n) for n in counts]
    _measure(sessions, inputs)
    runs = [session.runs() for session in sessions]
    rows = list(_rows(program.main.steps))
    one = _by_row(runs[0], rows).work[:, 0].mean(axis=0)
    spreads = _spreads(runs[-1], rows, one) if threads > 1 else [None] * len(rows)
    calls = [float(r.seconds.mean()) - r.noting for r in runs]
    steps = [
        StepTime(row.layer, row.kernel, float(seconds), row.cost, row.strips, spread)
        for row, seconds, spread in zip(rows, one, spreads, strict=True)
    ]
    return Profile(tuple(steps), calls[0], threads, calls[-1], runs[-1].unnoted)


def _measure(sessions: list[WatchedSession], inputs: Mapping[str, Array]) -> None:
    once = []
    for session in sessions:
        session.keep(inputs, 2)
        once.append(session.least())
    runs = int(SECONDS / ROUNDS / max(1e-7, *once))
    for _ in range(ROUNDS):
        for session in sessions:
            session.keep(inputs, min(max(runs, LEAST_RUNS), MOST_RUNS))


@dataclass(frozen=True, slots=True)
class _Row:
    """What is told of a step, or of a link of strips.

    link: its number among all links. last: whether it is the last one of its step.
    """

    step: int
    layer: str
    kernel: str
    cost: Cost
    split: bool
    strips: int = 0
    link: int | None = None
    last: bool = True


def _rows(steps: tuple[Action, ...]) -> Iterator[_Row]:
    links = strips = 0
    for i, step in enumerate(steps):
        if isinstance(step, Strips):
            strips += 1
            for link in step.links:
                spent, last = _held_cost(link, step), link is step.links[-1]
                yield _Row(i, *_names(link.step), spent, True, strips, links, last)
                links += 1
        elif isinstance(step, Step):
            yield _Row(i, *_names(step), step.cost, is_split(step))
        else:
            nbytes = step.nbytes if isinstance(step, Copy) else 8
            moved = Cost(moved_bytes=2 * nbytes if isinstance(nbytes, int) else 0)
            names = (
                ("an output or a state", "copy") if isinstance(step, Copy) else ("a size", "bind")
            )
            yield _Row(i, *names, moved, False)


def _names(step: Step) -> tuple[str, str]:
    return step.origin or step.stage.title, step.stage.lowered.kernel


def _held_cost(link: Link, strips: Strips) -> Cost:
    """The cost of a link; what strips hold does not move."""
    places = (*link.step.inputs, *link.step.outputs)
    links = [strips.links[p.index] for p in places if p is not None and p.region == "rows"]
    return link.step.cost + Cost(moved_bytes=-sum(k.rows * k.row_bytes for k in links))


def _by_row(runs: Runs, rows: list[_Row]) -> Spent:
    """What each row has taken; the waits of strips are their last link's."""
    split = {row.step: row.split and runs.parts > 1 for row in rows}
    whole = spent(runs, [not split[i] for i in range(len(split))])
    at = [row.step for row in rows]
    work = whole.work[:, :, at]
    for i, row in enumerate(rows):
        if row.link is not None:
            work[:, : runs.parts, i] = runs.links[:, :, row.link]
    last = np.array([row.last for row in rows])
    return Spent(work, whole.uneven[:, at] * last, whole.waits[:, at] * last)


def _spreads(runs: Runs, rows: list[_Row], one: Times) -> list[Spread]:
    by_row = _by_row(runs, rows)
    each, uneven, waits = (a.mean(axis=0) for a in (by_row.work, by_row.uneven, by_row.waits))
    found = []
    for i, row in enumerate(rows):
        own, share = tuple(map(float, each[:, i])), float(one[i]) / runs.threads
        split = row.split and runs.parts > 1
        slower = sum(own) / runs.threads - share if split else 0.0
        serial = 0.0 if split else own[0] - share
        found.append(Spread(own, slower, float(uneven[i]), serial, float(waits[i])))
    return found
