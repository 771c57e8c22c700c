"""`whet compile`: a model file in, one artifact out."""

from __future__ import annotations

import hashlib
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from whet import __version__
from whet.artifact.interface import Json as CardValue
from whet.cli.memory import memory_facts, memory_options, memory_rows, parse_memory
from whet.cli.model import (
    PIPELINE_ENTRY,
    compile_file,
    file_pipeline,
    model_options,
    precision_option,
)
from whet.cli.show import Cell, Json, json_option, print_json, print_notes, print_table, progress
from whet.compiler.pipeline import Compiled
from whet.ops.cost import graph_cost, precision_of
from whet.plan.draw import size_text
from whet.tune.tune import TUNING


@click.command("compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: MODEL with .whet.")
@click.option("--target", default="host", show_default=True, help="A name of whet.targets.")
@click.option("--media", type=click.Path(path_type=Path), help="TOML of inputs and outputs.")
@memory_options
@click.option("--tune", is_flag=True, help="Time what kernels can choose; up to minutes.")
@click.option(
    "--choices",
    type=click.Path(path_type=Path),
    help="Take what --tune chose: choices.json, or a tuned artifact.",
)
@precision_option
@model_options
@json_option
def command(
    model: Path,
    output: Path | None,
    target: str,
    media: Path | None,
    ram: str | None,
    patches: str | None,
    tune: bool,
    choices: Path | None,
    precision: str,
    sizes: tuple[str, ...],
    cpu: str,
    as_json: bool,
) -> None:
    """Compile MODEL into one artifact: code, weights, and how to read inputs and show outputs.

    With --tune the kernels' choices are timed on this machine and remembered; the artifact keeps
    them, and the times of the model with and without. Without --tune and --choices nothing that was
    measured is used: the same model gives the same artifact, but for what --ram or --patches cost:
    time_ratio is measured and goes into the artifact's card.
    """
    start = time.perf_counter()
    with progress(as_json) as step:
        compiled = compile_file(
            model, sizes, cpu, step, target, parse_memory(ram, patches), tune=tune,
            choices=choices, precision=precision,
        )  # fmt: skip
        artifact = compiled.artifact()
        pipeline = file_pipeline(model, artifact.interface, media)
        extras = {**artifact.extras, PIPELINE_ENTRY: pipeline.to_toml().encode()}
        step("measuring")
        spent = memory_facts(compiled)
        card = {**evidence(compiled, model), **spent}
        artifact = replace(artifact, extras=extras, card={**artifact.card, **card})
        path = artifact.save(output or model.with_suffix(".whet"))
    seconds = time.perf_counter() - start
    facts = {**_facts(compiled, path, seconds), **spent}
    print_notes(compiled.notes)
    if as_json:
        print_json(facts)
        return
    rows = _rows(compiled, path, seconds, choices is not None) + memory_rows(compiled, spent)
    print_table(f"{model} -> {path}", ("", ""), rows)


def evidence(compiled: Compiled, model: Path) -> dict[str, CardValue]:
    """What is known of the model when it is built, for the artifact's card.

    operations: a multiply-add is two. command: what made the artifact.
    """
    total = graph_cost(compiled.graph)
    return {
        "whet": __version__,
        "command": shlex.join(["whet", *sys.argv[1:]]),
        "model": model.name,
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "precision": precision_of(compiled.graph),
        "operations": total.operations,
        "moved_bytes": total.moved_bytes,
        "arena_bytes": compiled.memory.arena_bytes,
        "arena_lower_bound": compiled.memory.lower_bound,
    }


def _facts(compiled: Compiled, path: Path, seconds: float) -> dict[str, Json]:
    memory = compiled.memory
    return {
        "artifact": str(path),
        "target": {"name": compiled.target.name, "cpu": compiled.target.cpu},
        "precision": precision_of(compiled.graph),
        "nodes": len(compiled.graph.nodes),
        "stages": len(compiled.program.main.steps),
        "weight_bytes": len(compiled.program.weights),
        "code_bytes": len(compiled.code),
        "arena_bytes": memory.arena_bytes,
        "arena_lower_bound": memory.lower_bound,
        "artifact_bytes": path.stat().st_size,
        "chosen": len(compiled.chosen),
        **compiled.evidence,
        "notes": compiled.notes,
        "seconds": seconds,
    }


def _rows(compiled: Compiled, path: Path, seconds: float, given: bool) -> list[tuple[Cell, ...]]:
    memory = compiled.memory
    bound = f"lower bound {size_text(memory.lower_bound)}, {memory.gap:.1%} above"
    return [
        ("target", f"{compiled.target.name}, cpu {compiled.target.cpu}"),
        ("precision", precision_of(compiled.graph)),
        ("stages", f"{len(compiled.program.main.steps)} of {len(compiled.graph.nodes)} nodes"),
        ("weights", size_text(len(compiled.program.weights))),
        ("arena", f"{size_text(memory.arena_bytes)} ({bound})"),
        ("code", size_text(len(compiled.code))),
        ("artifact", size_text(path.stat().st_size)),
        *_tuning_rows(compiled, given),
        ("time", f"{seconds:.2f} s"),
    ]


def _tuning_rows(compiled: Compiled, given: bool) -> list[tuple[Cell, ...]]:
    """What tuning found; for given choices, how many are used."""
    told = compiled.evidence.get(TUNING)
    if not isinstance(told, dict):
        return [("choices", f"{len(compiled.chosen)} used")] if given else []
    untuned, tuned = (1e3 * float(str(told[f"{name}_seconds"])) for name in ("untuned", "tuned"))
    as_float = told["float_seconds"]
    refused = f", {told['refused']} refused" if told["refused"] else ""
    return [
        ("kernel calls", f"{told['calls']}, {told['measured']} timed now{refused}"),
        ("choices", f"{told['changed']} calls run faster than by default"),
        ("untuned", f"{untuned:.4g} ms"),
        ("tuned", f"{tuned:.4g} ms, ratio {float(str(told['ratio'])):.3f}"),
        *([("as floats", f"{1e3 * float(str(as_float)):.4g} ms")] if as_float else []),
        ("kept", f"the {told['kept']} model"),
    ]
