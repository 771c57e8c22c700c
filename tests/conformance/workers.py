"""Run cases in forked processes, so that none can hang, crash or starve the others."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tests.conformance.cases import Case
from tests.conformance.outcome import Outcome, Runner, run_case

SECONDS = 60.0
MEMORY = 16 << 30

Progress = Callable[[str, Outcome], None]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    case: Case
    deadline: float


def run_cases(
    cases: Sequence[Case], runner: Runner, jobs: int = 2, seconds: float = SECONDS
) -> Iterator[tuple[str, Outcome]]:
    """(case name, outcome) of every case, as they finish; each bounded by `seconds`."""
    waiting = list(reversed(cases))
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                busy.append(_start(waiting.pop(), runner, idle, seconds))
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            ready = wait([worker.pipe for worker in busy], patience)
            for worker in list(busy):
                if worker.pipe in ready:
                    outcome = _receive(worker)
                elif time.monotonic() >= worker.deadline:
                    worker.process.kill()
                    outcome = Outcome("timeout", f"more than {seconds:.0f} s")
                else:
                    continue
                busy.remove(worker)
                if worker.process.is_alive() and outcome.kind not in ("crash", "timeout"):
                    idle.append(worker)
                yield worker.case.name, outcome
    finally:
        for worker in (*idle, *busy):
            worker.process.kill()
            worker.process.join()


def _start(case: Case, runner: Runner, idle: list[_Worker], seconds: float) -> _Worker:
    deadline = time.monotonic() + seconds
    if idle:
        worker = idle.pop()
        worker.case, worker.deadline = case, deadline
    else:
        # Forked, so that the cases, seconds of work to load, are there already.
        context = multiprocessing.get_context("fork")
        pipe, inner = context.Pipe()
        process = context.Process(target=_serve, args=(inner, runner), daemon=True)
        process.start()
        inner.close()
        worker = _Worker(process, pipe, case, deadline)
    worker.pipe.send(case.name)
    return worker


def _receive(worker: _Worker) -> Outcome:
    try:
        outcome: Outcome = worker.pipe.recv()
    except EOFError:
        worker.process.join()
        code = worker.process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Outcome("crash", name)
    return outcome


def _serve(pipe: Connection, runner: Runner) -> None:
    from tests.conformance.cases import all_cases

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    while True:
        try:
            name = pipe.recv()
        except EOFError:
            return
        pipe.send(run_case(all_cases()[name], runner))
