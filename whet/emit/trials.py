"""Several programs in one file of C, each to be run many times in a row: for timing them."""

from __future__ import annotations

from collections.abc import Sequence

from whet.emit.headers import amalgamate
from whet.emit.page import page
from whet.emit.program import Program
from whet.emit.writer import HOST, MACROS, Writer

RUN_NAME, TRIAL_NAME = "run_{}", "trial_{}"
TRIAL = """\
int {trial}(const void *const *inputs, void *const *outputs, void *memory, const u8 *constants,
    i64 stride, i64 copies, i64 first, i64 count)
{{
    struct model_host host = {{0}};
    for (i64 i = first; i < first + count; i++)
        {run}(inputs, outputs, memory, constants + i % copies * stride, 0, 1, &host);
    return host.status[0] | host.status[1];
}}
"""


def trials_c(programs: Sequence[Program]) -> str:
    """C11 whose functions `trial_0`, `trial_1`, ... run one program each, on one thread.

    Run i, from `first` on, takes the weights from copy i % copies, `stride` bytes apart: with more
    copies than a cache holds, every run finds its weights out of the cache. The programs are
    without symbols.
    """
    writer = Writer(programs[0])
    runs, trials = [], []
    for i, program in enumerate(programs):
        names = {"run": RUN_NAME.format(i), "trial": TRIAL_NAME.format(i)}
        text = writer.graph(program.main, names["run"], public=True)
        runs.append(f"static __attribute__((noinline)) {text}")
        trials.append(TRIAL.format(**names))
    headers = dict.fromkeys(h for program in programs for h in program.headers)
    kernels = amalgamate(headers, programs[0].packing)
    parts = [kernels, HOST, MACROS, *writer.definitions(), *runs, *trials]
    return page("\n".join([*parts, ""]))
