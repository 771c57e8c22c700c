"""A session that times its calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from whet.artifact.interface import interface_of
from whet.compiler.pipeline import Compiled
from whet.ir.node import Array
from whet.session.session import Session


class TimedSession(Session):
    """A session that keeps the seconds of each call of the built code, without Python's part."""

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        super().__init__(interface_of(program), compiled.code, program.weights)
        self.seconds: list[float] = []

    def _runner(self) -> Callable[[], int]:
        run = super()._runner()

        def timed() -> int:
            start = time.perf_counter()
            status = run()
            self.seconds.append(time.perf_counter() - start)
            return status

        return timed


def built_seconds(compiled: Compiled, inputs: Mapping[str, Array], runs: int = 300) -> list[float]:
    """Seconds of `runs` calls of the built code on one thread, without preparing arrays."""
    session = TimedSession(compiled)
    for _ in range(runs):
        session(inputs)
    return session.seconds
