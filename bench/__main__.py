"""`make bench`: the suite raced with every peer that is installed.

    make bench MODELS="mobilenet_v2 resnet50" THREADS="1 2" PRECISION="f32 int8"

Prints one table and writes build/bench.json. `--assert` exits with 1 where a ratio has grown beyond
the kept one, or the floor beside ONNX Runtime is missed; `--write` renews docs/benchmarks.md and
the pictures beside it; `--tune` races what `whet compile --tune` makes, a minute or two more for
each model that was not tuned before. `--levels whet_avx2` races Whet's build for x86-64-v3 as well,
each with its share of the peak of its own instructions; `--alone` leaves the peers out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

from bench.goals import BF16, floor, goals, regressions
from bench.measure import Missing, Record, Suite
from bench.report import from_json, page, show, to_json
from bench.suite import MODELS, PRECISIONS, ROOT, TRAINED, Case, is_stored
from bench.under_roof import draw, section
from whet import api
from whet.bench.engine import LEVELS
from whet.devices import measure

DOCS = ROOT / "docs"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The options; environment variables MODELS, THREADS and PRECISION are their defaults."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    every = " ".join((*MODELS, *TRAINED))

    def listed(name: str, otherwise: str) -> list[str]:
        return (os.environ.get(name) or otherwise).split()

    parser.add_argument("--models", nargs="+", default=listed("MODELS", every))
    parser.add_argument("--threads", nargs="+", type=int, default=listed("THREADS", "1 2"))
    parser.add_argument("--precision", nargs="+", default=listed("PRECISION", " ".join(PRECISIONS)))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each engine of a race")
    parser.add_argument("--minutes", type=float, default=60.0, help="start no race later")
    parser.add_argument("--folder", type=Path, default=ROOT / "build")
    parser.add_argument("--assert", action="store_true", dest="held", help="fail a regression")
    parser.add_argument(
        "--levels", nargs="+", choices=LEVELS, default=[], help="race Whet's builds"
    )
    parser.add_argument("--alone", action="store_true", help="race no peers")
    parser.add_argument("--tune", action="store_true", help="race Whet with its kernels tuned")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md and .json")
    options = parser.parse_args(given)
    known = (*MODELS, *TRAINED)
    unknown = [name for name in options.models if name not in known]
    if unknown:
        parser.error(f"no such model: {' '.join(unknown)}; there are: {' '.join(known)}")
    unknown = [name for name in options.precision if name not in PRECISIONS]
    if unknown:
        parser.error(f"no such precision: {' '.join(unknown)}")
    try:
        options.threads = [int(n) for n in options.threads]
    except ValueError:
        parser.error("THREADS holds whole numbers")
    if min(options.threads) < 1:
        parser.error("at least one thread")
    return options


def command_line(options: argparse.Namespace) -> str:
    """The make command that asks for the same."""
    threads = " ".join(map(str, options.threads))
    models, precision = " ".join(options.models), " ".join(options.precision)
    chosen = f'MODELS="{models}" THREADS="{threads}" PRECISION="{precision}"'
    limits = f"--seconds {options.seconds:g} --minutes {options.minutes:g}"
    limits += " --tune" if options.tune else ""
    limits += f" --levels {' '.join(options.levels)}" if options.levels else ""
    limits += " --alone" if options.alone else ""
    return f'make bench {chosen} BENCH="--write {limits}"'


def run(options: argparse.Namespace, suite: Suite) -> tuple[list[Record], list[Missing]]:
    """Race all that was asked for; the table grows on stderr meanwhile."""
    records: list[Record] = []
    missing: list[Missing] = []
    pairs = [(m, p) for m in options.models for p in options.precision]
    pairs = [(m, p) for m, p in pairs if m in MODELS or is_stored(m, p)]
    pairs = [(m, p) for m, p in pairs if p != "bf16" or m in BF16]
    cases = [Case(m, p, t) for m, p in pairs for t in options.threads]
    begin = time.perf_counter()
    for done, case in enumerate(cases, 1):
        start = time.perf_counter()
        if start - begin > 60.0 * options.minutes:
            missing.append(Missing(str(case), "all", f"not begun within {options.minutes:g} min"))
            continue
        found, lacking = suite.run(case)
        records += found
        missing += lacking
        told = ", ".join(f"{r.engine} {r.median_ms:.3f} ms" for r in found)
        told = told or "; ".join(m.reason for m in lacking)
        took = time.perf_counter() - start
        print(f"[{done}/{len(cases)}] {case}: {told} ({took:.0f} s)", file=sys.stderr, flush=True)
    return records, missing


def write(
    options: argparse.Namespace,
    suite: Suite,
    records: list[Record],
    missing: list[Missing],
    load: float,
) -> None:
    """docs/benchmarks.md, docs/benchmarks.json and the pictures in docs/rooflines."""
    under_roof = suite.under_roof()
    draw(under_roof, DOCS / "rooflines")
    reached = [*goals(records), *floor(records)]
    shown = section(under_roof, "rooflines")
    text = page(records, missing, reached, command_line(options), load, shown)
    (DOCS / "benchmarks.md").write_text(text)
    (DOCS / "benchmarks.json").write_text(to_json(records))


def main(given: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    options = arguments(given)
    options.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    for threads in sorted({1, *options.threads}):
        for cpu in ("native", *(LEVELS[level] for level in options.levels)):
            measure(threads, cpu=cpu)
    compiler = partial(api.compile, tune=options.tune)
    suite = Suite(
        options.folder / "models", options.seconds, compiler, options.levels, options.alone
    )
    records, missing = run(options, suite)
    kept = from_json(DOCS / "benchmarks.json")
    checks = [*floor(records), *(regressions(records, kept) if options.held else ())]
    show(records, missing, checks)
    (options.folder / "bench.json").write_text(to_json(records))
    if options.write and records:
        write(options, suite, records, missing, load)
    failed = [goal for goal in checks if goal.met is False]
    if options.held and (failed or not records):
        print(f"{len(failed)} of {len(checks)} are missed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
