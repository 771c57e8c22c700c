"""The candidates of one call, built into this process: run, compared, timed."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whet.compiler.build import shared_library
from whet.emit.program import Program
from whet.emit.trials import TRIAL_NAME, trials_c
from whet.errors import CompileError
from whet.ir.node import Array
from whet.kernels.kernel import Choice
from whet.plan.program import plan_program
from whet.session.library import Library, aligned
from whet.session.samples import random_inputs
from whet.session.verify import FLOAT_TOLERANCE
from whet.targets.target import Target
from whet.tune.calls import Call, alone
from whet.tune.candidates import candidates

# Floats of 16 bits round results to one part in 256.
SHORT_FLOAT_TOLERANCE = 2.0**-7
FIRST, COUNT = 6, 7  # of the arguments of a trial


@dataclass(frozen=True, slots=True)
class Built:
    """What can be chosen for a call, the default first, as programs and as code for all of them."""

    call: Call
    choices: tuple[Choice | None, ...]
    programs: tuple[Program, ...]
    code: bytes


def build(call: Call, target: Target, chosen: Sequence[Choice | None] | None = None) -> Built:
    """Build choices of a call, its candidates unless they are given; None is the default.

    Raises:
        CompileError: the compiler refused them.
    """
    graph = alone(call.node)
    found = candidates(graph.outputs[0].node, target) if chosen is None else chosen
    named = [{} if choice is None else {call.key: choice} for choice in found]
    programs = tuple(plan_program(graph, target, choice).program for choice in named)
    code = shared_library((trials_c(programs),), target)
    return Built(call, tuple(found), programs, code)


class Trial:
    """Built candidates in this process.

    cold: bytes that copies of the weights take together, so that each run finds them out of a
    cache of that size; 0 where the model's weights stay in the cache.
    """

    def __init__(self, built: Built, cold: int) -> None:
        self.built, programs = built, built.programs
        self._library = library = Library(built.code)
        self._inputs = random_inputs(programs[0].inputs, seed=1)
        self._outputs = [aligned(max(1, p.nbytes)) for p in programs[0].outputs]
        self._shapes = [(p.shape, p.element.dtype) for p in programs[0].outputs]
        self._functions = [library[TRIAL_NAME.format(i)] for i in range(len(programs))]
        self._memory = aligned(max(1, *(p.main.arena for p in programs)))
        self._weights = [_copies(p, cold) for p in programs]
        self._done = [0] * len(programs)
        self._arguments = [self._given(w) for w in self._weights]

    def _given(self, weights: tuple[Array, int, int]) -> list[object]:
        data, stride, copies = weights
        ins = (ctypes.c_void_p * max(1, len(self._inputs)))(*(a.ctypes.data for a in self._inputs))
        outs = (ctypes.c_void_p * len(self._outputs))(*(a.ctypes.data for a in self._outputs))
        memory = [ctypes.c_void_p(a.ctypes.data) for a in (self._memory, data)]
        return [ins, outs, *memory, *(ctypes.c_int64(n) for n in (stride, copies, 0, 1))]

    def results(self, index: int) -> list[Array]:
        """The outputs of a candidate."""
        for output in self._outputs:
            output[:] = 0x55
        self.seconds(index, 1)
        return [
            output.view(dtype)[: int(np.prod(shape))].copy()  # type: ignore[arg-type]
            for output, (shape, dtype) in zip(self._outputs, self._shapes, strict=True)
        ]

    def seconds(self, index: int, runs: int) -> float:
        """Seconds of one of so many runs of a candidate, one after another.

        Raises:
            CompileError: a check inside the candidate failed.
        """
        arguments = self._arguments[index]
        arguments[FIRST : COUNT + 1] = [ctypes.c_int64(self._done[index]), ctypes.c_int64(runs)]
        self._done[index] += runs
        start = time.perf_counter()
        status = self._functions[index](*arguments)
        spent = time.perf_counter() - start
        if status:
            raise CompileError(
                "a kernel under trial stopped", self.built.call.key, f"status {status}"
            )
        return spent / runs


def _copies(program: Program, cold: int) -> tuple[Array, int, int]:
    """Copies of a program's weights, how far apart they are, and how many."""
    size = len(program.weights)
    stride = max(64, -(-size // 64) * 64)
    copies = max(1, -(-cold // stride))
    block = aligned(stride * copies)
    for i in range(copies):
        block[i * stride : i * stride + size] = np.frombuffer(program.weights, np.uint8)
    return block, stride, copies


def agrees(found: Sequence[Array], expected: Sequence[Array]) -> bool:
    """Whether results are as good as the default's: the same bits, or floats that are close."""
    return all(_close(a, b) for a, b in zip(found, expected, strict=True))


def _close(found: Array, expected: Array) -> bool:
    if expected.dtype.kind in "iub":
        return bool(np.array_equal(found, expected))
    a, b = found.astype(np.float64), expected.astype(np.float64)
    limit = FLOAT_TOLERANCE if expected.dtype.itemsize >= 4 else SHORT_FLOAT_TOLERANCE
    scale = float(np.max(np.abs(b[np.isfinite(b)]), initial=1e-30))
    return bool(np.all((np.abs(a - b) <= limit * scale) | (np.isnan(a) & np.isnan(b))))
