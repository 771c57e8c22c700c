"""`whet verify`: emitted C computes what the model means, shown and not claimed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from whet import api
from whet.cli.model import file_pipeline, model_options, read_bounded
from whet.cli.run import named
from whet.cli.show import Cell, json_option, print_json, print_table, progress
from whet.errors import InputError
from whet.session.samples import random_inputs
from whet.session.verify import Check, verify


@click.command("verify")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1)
@click.option("--trials", default=3, show_default=True, help="Sets of random inputs.")
@click.option("--steps", default=4, show_default=True, help="Runs a trial, if there are states.")
@click.option("--media", type=click.Path(path_type=Path), help="TOML of inputs and outputs.")
@click.option("--threads", default=1, show_default=True)
@model_options
@json_option
def command(
    model: Path,
    inputs: tuple[str, ...],
    trials: int,
    steps: int,
    media: Path | None,
    threads: int,
    sizes: tuple[str, ...],
    cpu: str,
    as_json: bool,
) -> int:
    """Compare MODEL compiled for this machine with its meaning in NumPy.

    On INPUTS, or on random ones. Integer outputs must have the same bits; floats may differ by a
    ten-thousandth of the largest. Exit code 1 where an output fails.
    """
    if not 1 <= trials <= 1000 or not 1 <= steps <= 1000 or not 1 <= threads <= 1024:
        raise InputError("bad --trials, --steps or --threads", why=f"{trials}, {steps}, {threads}")
    with progress(as_json) as step:
        step(f"compiling {model}")
        graph = read_bounded(model, sizes)
        session = api.compile(graph, cpu=cpu).session(threads)
        interface = session.interface
        names = [port.name for port in interface.inputs]
        if inputs:
            given = [file_pipeline(model, interface, media).read(named(inputs, names))]
        else:
            samples = [random_inputs(interface.inputs, seed) for seed in range(trials)]
            given = [dict(zip(names, arrays, strict=True)) for arrays in samples]
        step("comparing")
        checks = verify(graph, session, given, steps)
    if as_json:
        print_json({"model": str(model), "outputs": [asdict(check) for check in checks]})
    else:
        columns = ("output", "element", "runs", "elements", "differing", "distance", "")
        print_table(f"{model}: emitted C beside NumPy", columns, [_row(c) for c in checks])
    return 0 if all(check.passed for check in checks) else 1


def _row(check: Check) -> tuple[Cell, ...]:
    verdict = "same bits" if check.exact else "within tolerance" if check.passed else "FAILED"
    counts = (check.trials, check.elements, check.differing)
    return (check.output, check.element, *counts, f"{check.difference:.1e}", verdict)
