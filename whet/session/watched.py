"""A session whose threads note the time in each run, and what the notes of many runs tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whet.artifact.interface import interface_of
from whet.emit.program import Program
from whet.emit.watch import Watched
from whet.ir.node import Array
from whet.session.session import Session

Times = NDArray[np.float64]  # seconds


@dataclass(frozen=True, slots=True)
class Runs:
    """What was noted in the middle half of many runs of `threads` threads, the shortest and the
    longest calls left out. `parts` threads had work.

    done: as `Watched` has it. seconds: of each call (runs). times: of each thread, when it began
    and had done each thing of `done`, from the first thread's begin on (runs, parts, 1 + things).
    links: what each link of strips took (runs, parts, links). came, left: when threads came to
    waits inside stages and left them (runs, parts, waits). clock: what it takes to note a time,
    which is in all of them but `links`; noting: what it takes the first thread in a run. unnoted:
    waits inside stages of a run beyond those that there is room to note.
    """

    threads: int
    parts: int
    done: tuple[int | None, ...]
    seconds: Times
    times: Times
    links: Times
    came: Times
    left: Times
    clock: float
    noting: float
    unnoted: int = 0


class WatchedSession(Session):
    """A session that notes and keeps the times of its runs. code: built with `watched`."""

    def __init__(self, program: Program, code: bytes, watched: Watched, threads: int) -> None:
        layout = watched.layout
        arena = layout.offset + 8 * layout.each * program.threads
        super().__init__(
            replace(interface_of(program), arena_bytes=arena), code, program.weights, threads
        )
        self._threads, self._layout, self._done = threads, layout, tuple(watched.done)
        notes = self._arena[layout.offset :].view(np.int64).reshape(program.threads, layout.each)
        self._notes = notes[: threads if self._pool else 1]
        self._kept: list[NDArray[np.int64]] = []
        self._calls: list[tuple[float, float]] = []

    def keep(self, inputs: Mapping[str, Array], runs: int) -> None:
        """Run so many times in a row, and keep what is noted."""
        self(inputs)
        layout = self._layout
        fixed = layout.times + 2 * layout.links + 2
        for _ in range(runs):
            begin = time.perf_counter()
            self(inputs)
            self._calls.append((begin, time.perf_counter()))
            waits = min(int(self._notes[:, fixed - 2].max()), layout.waits)
            self._kept.append(self._notes[:, : fixed + 2 * waits].copy())

    def least(self) -> float:
        """Seconds of the shortest call so far."""
        return min(end - begin for begin, end in self._calls)

    def runs(self) -> Runs:
        """What has been kept, of at least two runs; of those that waited as often as most did."""
        layout, calls = self._layout, np.array(self._calls)
        first, last = self._kept[0][0, 0], self._kept[-1][0, 0]
        ticks = (last - first) / (calls[-1, 0] - calls[0, 0])
        seconds = calls[:, 1] - calls[:, 0]
        widths = np.array([kept.shape[1] for kept in self._kept])
        usual = np.flatnonzero(widths == np.bincount(widths).argmax())
        ordered = usual[np.argsort(seconds[usual])]
        middle = ordered[len(ordered) // 4 : -(len(ordered) // 4) or None]
        noted = np.stack([self._kept[i] for i in middle])
        ends = np.cumsum([layout.times, 2 * layout.links, 2])
        times, links, counts, waits = np.split(noted, ends, axis=2)
        begin = noted[:, :1, :1]
        clock = float(np.mean(times[:, :, 1] - times[:, :, 0])) / ticks
        spent, turns = links[:, :, 0::2] / ticks, links[:, :, 1::2]
        noted_times = 2 + len(self._done) + float(turns[:, 0].sum(axis=1).mean()) + waits.shape[2]
        return Runs(
            self._threads,
            len(self._notes),
            self._done,
            seconds[middle],
            (times[:, :, 1 : 2 + len(self._done)] - begin) / ticks,
            spent - turns * clock,
            (waits[:, :, 0::2] - begin) / ticks,
            (waits[:, :, 1::2] - begin) / ticks,
            clock,
            noted_times * clock,
            max(0, int(counts[:, :, 0].max()) - layout.waits),
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of each step in each run.

    work: of each thread (runs, threads, steps). uneven: how much later than the mean the last
    thread came to the waits in the step and behind it. waits: from then until the mean left them
    (runs, steps).
    """

    work: Times
    uneven: Times
    waits: Times


def spent(runs: Runs, serial: Sequence[bool]) -> Spent:
    """What the notes tell. serial: whether one thread alone does the step; the others' waiting for
    it counts as nothing here.
    """
    count, steps = len(runs.seconds), len(serial)
    work = np.zeros((count, runs.threads, steps))
    uneven, waits = np.zeros((count, steps)), np.zeros((count, steps))
    times, idle, last = runs.times.copy(), np.zeros(count), 0
    for thing, done in enumerate(runs.done, 1):
        before, now = times[:, :, thing - 1], times[:, :, thing]
        if done is None:
            late, left = _met(before, now)
            uneven[:, last] += late - idle
            waits[:, last] += left - runs.clock
            idle = np.zeros(count)
            continue
        if serial[done]:
            now[:, 1:] = before[:, 1:]
        own = now - before
        work[:, : runs.parts, done] = own
        work[:, : 1 if serial[done] else runs.parts, done] -= runs.clock
        if serial[done]:
            idle = idle + own[:, 0] - own.mean(axis=1)
        _inside(runs, done, (before, now), (work, uneven, waits))
        last = done
    end = times[:, :, -1]
    uneven[:, last] += end.max(axis=1) - end.mean(axis=1) - idle
    return Spent(np.maximum(work, 0.0), uneven, waits)


def _met(came: Times, left: Times) -> tuple[Times, Times]:
    """What the last thread came later than the mean, and how long after it the mean left."""
    late = came.max(axis=1)
    return late - came.mean(axis=1), left.mean(axis=1) - late


def _inside(
    runs: Runs, step: int, span: tuple[Times, Times], into: tuple[Times, Times, Times]
) -> None:
    """Take the waits inside a step off its work."""
    work, uneven, waits = into
    begin, end = span
    held = (runs.came[0, 0] > begin[0, 0]) & (runs.came[0, 0] < end[0, 0])
    for wait in np.flatnonzero(held):
        came, left = runs.came[:, :, wait], runs.left[:, :, wait]
        late, cost = _met(came, left)
        uneven[:, step] += late
        waits[:, step] += cost - runs.clock
        work[:, : runs.parts, step] -= left - came + runs.clock
