"""`python -m tests.conformance`: the whole of onnx.backend.test through both runners."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from tests.conformance.cases import all_cases
from tests.conformance.known import known_failures, shrink, surprises
from tests.conformance.outcome import Outcome, Runner
from tests.conformance.remembered import outcomes
from tests.conformance.report import PATH, document, summary
from tests.conformance.runners import RUNNERS


def main(arguments: Sequence[str] | None = None, runners: Sequence[Runner] = RUNNERS) -> int:
    """Run, print failures by reason and the two counts; 1 if the list of known failures is wrong.

    The report is written only when every case ran.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--match", default="", help="only cases whose name matches this regex")
    parser.add_argument("--runner", choices=[runner.name for runner in runners])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--shrink", action="store_true", help="take passing cases off the list")
    parser.add_argument("-v", action="store_true", dest="verbose", help="print every failure")
    options = parser.parse_args(arguments)
    cases = {name: case for name, case in all_cases().items() if re.search(options.match, name)}
    results: dict[str, dict[str, Outcome]] = {}
    for runner in runners:
        if options.runner in (None, runner.name):
            results[runner.name] = _run(runner, list(cases), options.jobs, options.verbose)
    wrong = [line for runner, found in results.items() for line in surprises(runner, found)]
    if options.shrink:
        print(f"{shrink(results)} lines in the list of known failures")
    elif wrong and known_failures():
        print(f"{len(wrong)} surprises:", *wrong[:40], sep="\n")
    if not options.match and options.runner is None:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(document(results, cases), encoding="utf-8")
    print(summary(results))
    return 1 if wrong else 0


def _run(runner: Runner, names: list[str], jobs: int, verbose: bool) -> dict[str, Outcome]:
    cases = all_cases()
    found: dict[str, Outcome] = {}
    for name, outcome in outcomes([cases[name] for name in names], runner, jobs):
        found[name] = outcome
        if verbose and not outcome.passed:
            print(f"{runner.name}: {name}: {outcome}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{runner.name}: {len(found)} of {len(names)}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return {name: found[name] for name in names}


if __name__ == "__main__":
    sys.exit(main())
