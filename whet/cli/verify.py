"""`whet verify`: emitted C computes what the model means, shown and not claimed."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from whet import api
from whet.artifact.artifact import open_artifact
from whet.artifact.graph import read_graph
from whet.artifact.interface import Interface, interface_of
from whet.cli.model import file_pipeline, is_artifact, model_options, read_bounded
from whet.cli.run import named
from whet.cli.show import Cell, json_option, print_json, print_table, progress
from whet.errors import InputError
from whet.ir.graph import Graph
from whet.ir.node import Array
from whet.session.emulate import emulate, missing_program
from whet.session.samples import random_inputs
from whet.session.session import Session
from whet.session.verify import Check, compare, verify
from whet.targets.registry import target as target_named
from whet.targets.registry import targets


@click.command("verify")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1)
@click.option("--trials", default=3, show_default=True, help="Sets of random inputs.")
@click.option("--steps", default=4, show_default=True, help="Runs a trial, if there are states.")
@click.option("--media", type=click.Path(path_type=Path), help="TOML of inputs and outputs.")
@click.option("--threads", default=1, show_default=True)
@click.option("--target", default="host", show_default=True, help="A target, or `all`.")
@model_options
@json_option
def command(
    model: Path,
    inputs: tuple[str, ...],
    trials: int,
    steps: int,
    media: Path | None,
    threads: int,
    target: str,
    sizes: tuple[str, ...],
    cpu: str,
    as_json: bool,
) -> int:
    """Compare MODEL, a model file or an artifact, with its meaning in NumPy.

    An artifact's own code runs on this machine; for other targets the model is compiled and runs
    in their emulators, those that are installed. On INPUTS, or on random ones. Integer outputs
    must have the same bits; floats may differ by a ten-thousandth of the largest. Exit code 1
    where an output fails.
    """
    if not 1 <= trials <= 1000 or not 1 <= steps <= 1000 or not 1 <= threads <= 1024:
        raise InputError("bad --trials, --steps or --threads", why=f"{trials}, {steps}, {threads}")
    with progress(as_json) as step:
        step(f"reading {model}")
        graph = (
            read_graph(open_artifact(model, check_all=True).extras) if is_artifact(model) else None
        )
        graph = read_bounded(model, sizes) if graph is None else graph
        checks: dict[str, list[Check]] = {}
        for name in sorted(targets()) if target == "all" else [target]:
            step(f"{name}: compiling")
            if name == "host":
                session = _session(model, graph, cpu, threads)
                given = _trials(model, session.interface, inputs, media, trials)
                step("host: comparing")
                checks[name] = verify(graph, session, given, steps)
                continue
            emulator = target_named(name).emulator
            if target == "all" and (emulator is None or missing_program(emulator)):
                continue
            compiled = api.compile(graph, name)
            given = _trials(model, interface_of(compiled.program), inputs, media, 1)
            step(f"{name}: emulating")
            checks[name] = compare(graph, partial(emulate, compiled), given)
    if as_json:
        found = [{"target": t, **asdict(c)} for t, group in checks.items() for c in group]
        print_json({"model": str(model), "outputs": found})
    else:
        columns = ("target", "output", "element", "runs", "elements", "differing", "distance", "")
        rows = [(name, *_row(c)) for name, group in checks.items() for c in group]
        print_table(f"{model}: emitted C beside NumPy", columns, rows)
    return 0 if all(c.passed for group in checks.values() for c in group) else 1


def _session(model: Path, graph: Graph, cpu: str, threads: int) -> Session:
    """The artifact's own code, or the graph compiled for this machine."""
    if is_artifact(model) and open_artifact(model).target.get("name") == "host":
        return api.load(model, threads)
    return api.compile(graph, cpu=cpu).session(threads)


def _trials(
    model: Path, interface: Interface, inputs: tuple[str, ...], media: Path | None, count: int
) -> list[dict[str, Array]]:
    names = [port.name for port in interface.inputs]
    if inputs:
        return [dict(file_pipeline(model, interface, media).read(named(inputs, names)))]
    samples = [random_inputs(interface.inputs, seed) for seed in range(count)]
    return [dict(zip(names, arrays, strict=True)) for arrays in samples]


def _row(check: Check) -> tuple[Cell, ...]:
    verdict = "same bits" if check.exact else "within tolerance" if check.passed else "FAILED"
    counts = (check.trials, check.elements, check.differing)
    return (check.output, check.element, *counts, f"{check.difference:.1e}", verdict)
