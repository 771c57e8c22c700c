"""Feed mutated models to the compiler, up to the C it would build: `python -m tests.fuzz.run`.

Each must end in success or in one `whet.Error`, within bounded time and memory. Prints one line for
each that does not; a crash or a hang shows as the last seed announced.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import traceback
from pathlib import Path

from tests.fuzz.mutate import mutated, mutated_onnx
from whet.emit.c import model_c
from whet.errors import WhetError
from whet.importers import import_model
from whet.passes.pipeline import optimize
from whet.plan.program import plan_program
from whet.targets.host import host

MEMORY_BYTES = 6 << 30
SECONDS = 30  # of the processor's time


def compile_text(data: bytes) -> None:
    """Everything but the C compiler."""
    graph = optimize(import_model(data))
    if not any(True for v in graph.inputs for d in v.tensor.shape if not isinstance(d, int)):
        model_c(plan_program(graph, host()).program)


def one(source: Path, seed: int) -> str | None:
    """What went wrong with one mutation, or None."""
    rng = random.Random(f"{source.name} {seed}")
    data = source.read_bytes()
    structured = source.suffix == ".onnx" and rng.random() < 0.5
    changed = mutated_onnx(data, rng) if structured else mutated(data, rng)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        compile_text(changed)
    except WhetError as error:
        return None if "\n" not in str(error) else f"more than one line: {error}"
    except _TooSlow:
        return f"took more than {SECONDS} s: {traceback.format_exc().splitlines()[-3].strip()}"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:80]} at {where.filename}:{where.lineno}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


class _TooSlow(BaseException):
    pass


def _alarm(*_: object) -> None:
    raise _TooSlow


def main(first: int, count: int, sources: list[Path]) -> int:
    """Run seeds first, first + 1, ... over the sources in turn; the number of failures."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _alarm)
    failures = 0
    for seed in range(first, first + count):
        source = sources[seed % len(sources)]
        print(f"seed {seed} {source}", flush=True)
        wrong = one(source, seed)
        if wrong:
            failures += 1
            print(f"FAILED seed {seed} {source.name}: {wrong}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(min(100, main(int(sys.argv[1]), int(sys.argv[2]), [Path(p) for p in sys.argv[3:]])))
