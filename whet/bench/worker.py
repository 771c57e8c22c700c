"""One engine in one process: JSON lines on stdin ask, JSON lines on the first stdout answer.

    python -m whet.bench.worker ENGINE MODEL INPUTS.npz OUTPUTS.npz THREADS SETTLED

SETTLED: the numbers of `Setting.settled` as JSON. The first answer tells the seconds from load to
first result; then each line with a number of runs is answered by the seconds of each, and the
process's peak memory above that before the engine came.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np

from whet.bench.engine import ENGINES, Setting

PR_SET_PDEATHSIG = 1


def resident(field: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at its highest; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith(field)]
    return int(found[0]) << 10 if found else 0


def die_with_parent() -> None:
    """Have the system end this process when its parent ends: it may be stopped then, and would
    never learn that stdin has ended. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Serve one engine until stdin ends."""
    die_with_parent()
    name, model, inputs, outputs, threads, settled = arguments
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # engines print on stdout; the answers keep the first one
    engine = ENGINES[name]
    with np.load(inputs, allow_pickle=False) as archive:
        values = [archive[key] for key in archive.files]
    before = resident("VmRSS")
    import_module(engine.module)
    start = time.perf_counter()
    run = engine.load(Path(model), Setting(int(threads), json.loads(settled)))
    results = run(values)
    first = time.perf_counter() - start
    with open(outputs, "wb") as file:
        np.savez(file, *results, allow_pickle=False)
    print(json.dumps({"first": first}), file=answers)
    for line in sys.stdin:
        times: list[float] = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run(values)
            times.append(time.perf_counter() - start)
        peak = max(0, resident("VmHWM") - before)
        print(json.dumps({"times": times, "peak": peak}), file=answers)


if __name__ == "__main__":
    main(sys.argv[1:])
