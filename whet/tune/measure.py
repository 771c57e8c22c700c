"""The kernel calls of a built model, each candidate of each timed here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from whet.compiler.pipeline import Compiled
from whet.ops.cost import cost
from whet.targets.processor import cache_bytes
from whet.targets.target import Target
from whet.tune.calls import Call, calls
from whet.tune.candidates import MOST
from whet.tune.kept import Record, Records, keep_records, read_records, record_key
from whet.tune.race import race
from whet.tune.trial import Built, Trial, agrees, build

# Told what is done now, and which part of the whole that is, from 0 to 1.
Progress = Callable[[str, float], None]

# Weights of candidates that are held at a time.
BATCH_BYTES = 256 << 20
# What part of the time goes into building candidates, about.
BUILDING = 0.8


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a model's calls, by `call_key`; measured: how many were timed now.

    refused: candidates whose results were not the default's.
    """

    records: Records
    measured: int
    refused: int
    notes: tuple[str, ...]


def measure(compiled: Compiled, progress: Progress = lambda *_: None) -> Measured:
    """Race the candidates of each call that is not known from another time, and keep the results.

    Raises:
        CompileError: candidates could not be built.
    """
    target, cold = compiled.target, cold_bytes(compiled)
    listed = calls(compiled.graph, target)
    known, notes = read_records(target)
    keys = {call.key: record_key(call.key, bool(cold)) for call in listed}
    found = {call: known[key] for call, key in keys.items() if key in known}
    fresh = [call for call in listed if call.key not in found]
    timed = refused = 0
    for batch in _batches(fresh):
        measured: Records = {}
        whole = timed + len(batch)
        for built in _built(batch, target, timed, len(fresh), progress):
            timed += 1
            progress(
                f"timing kernel call {timed} of {len(fresh)}", _share(whole, timed, len(fresh))
            )
            measured[built.call.key], worse = _raced(built, cold)
            refused += worse
        keep_records(target, {keys[call]: record for call, record in measured.items()})
        found |= measured
    return Measured(found, len(fresh), refused, notes)


def cold_bytes(compiled: Compiled) -> int:
    """What copies of weights must fill so that they are as far away as the model's are."""
    private = cache_bytes()[:2][-1]
    return 2 * private if len(compiled.program.weights) > private else 0


def _batches(listed: Sequence[Call]) -> Iterator[list[Call]]:
    """As many calls at a time as can be held."""
    batch: list[Call] = []
    held = 0
    for call in listed:
        nbytes = MOST * cost(call.node).weight_bytes
        if batch and held + nbytes > BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(call)
        held += nbytes
    if batch:
        yield batch


def _built(
    batch: list[Call], target: Target, before: int, total: int, progress: Progress
) -> list[Built]:
    """The candidates of calls, built side by side: no clock runs meanwhile."""
    made: list[Built] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for built in pool.map(lambda call: build(call, target), batch):
            made.append(built)
            count = before + len(made)
            progress(f"building kernel call {count} of {total}", _share(count, before, total))
    return made


def _share(built: int, timed: int, total: int) -> float:
    return (BUILDING * built + (1 - BUILDING) * timed) / total


def _raced(built: Built, cold: int) -> tuple[Record, int]:
    """The race of a call's candidates, and how many were not let in."""
    trial = Trial(built, cold)
    expected = trial.results(0)
    others = range(1, len(built.choices))
    fit = [0, *(i for i in others if agrees(trial.results(i), expected))]
    result = race(len(fit), lambda index, runs: trial.seconds(fit[index], runs))
    winner = built.choices[fit[result.winner]]
    record = Record(winner, result.seconds, result.default_seconds)
    return record, len(built.choices) - len(fit)
