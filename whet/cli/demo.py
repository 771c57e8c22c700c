"""`whet demo`: a digit classifier, float and int8: compiled, proved, measured, drawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path

import click
import numpy as np

from whet import api
from whet.cli.memory_map import memory_map
from whet.cli.roofline import STEP_COLUMNS, step_document, step_rows
from whet.cli.show import Cell, Json, json_option, print_json, print_table, progress
from whet.compiler.pipeline import Compiled
from whet.devices import Roofline, roofline
from whet.errors import InputError
from whet.importers import import_model
from whet.ir.node import Array
from whet.ops.cost import integer_graph
from whet.plan.draw import size_text
from whet.session.profile import StepTime, profile
from whet.session.timed import built_seconds
from whet.session.verify import verify

MODELS = ("digits_f32", "digits_int8")
PROVED_IMAGES = 25
TIMED_RUNS = 300


@dataclass(frozen=True, slots=True)
class Result:
    """What the demo found out about one model.

    median_us: of the built code; python_median_us: of a call from Python, arrays prepared and all.
    proof: how emitted C and NumPy compare.
    """

    model: str
    accuracy: float
    artifact_bytes: int
    weight_bytes: int
    arena_bytes: int
    arena_lower_bound: int
    median_us: float
    python_median_us: float
    proof: str


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Keep the artifacts in this folder."
)
@json_option
def command(output: Path | None, as_json: bool) -> None:
    """Compile a digit classifier as float and as int8, prove both, measure them, draw the plan.

    The models were trained by scripts/train_digits.py; the images are 450 they never saw.
    """
    with progress(as_json) as step:
        step("reading the digits")
        images, labels = test_set()
        results: list[Result] = []
        for name in MODELS:
            step(f"compiling {name}")
            compiled, result = examine(name, images, labels, output)
            results.append(result)
        step("measuring this machine")
        machine = roofline(1)
        times = profile(compiled, {compiled.program.inputs[0].name: images[0]}).steps
    integer = integer_graph(compiled.graph)
    if as_json:
        models: list[Json] = [asdict(result) for result in results]
        steps: list[Json] = [step_document(t, machine, integer) for t in times]
        print_json({"models": models, "steps": steps})
        return
    _print(results, compiled, times, machine, integer)


def test_set() -> tuple[Array, Array]:
    """450 images (450, 1, 1, 8, 8) in [0, 1], and their labels."""
    with as_file(files("whet") / "demo" / "digits_test.npz") as path, np.load(path) as archive:
        images = archive["images"][:, None, None] / np.float32(16)
        return images.astype(np.float32), archive["labels"]


def examine(
    name: str, images: Array, labels: Array, output: Path | None
) -> tuple[Compiled, Result]:
    """Compile one of the demo's models and find out everything about it."""
    graph = import_model((files("whet") / "demo" / f"{name}.onnx").read_bytes())
    compiled = api.compile(graph)
    session = compiled.session()
    taken, given = session.interface.inputs[0].name, session.interface.outputs[0].name
    right = sum(
        int(session({taken: image})[given].argmax()) == label
        for image, label in zip(images, labels, strict=True)
    )
    (check,) = verify(graph, session, [{taken: image} for image in images[:PROVED_IMAGES]])
    if not check.passed:
        raise InputError("emitted C and the model's meaning differ", name, str(check.difference))
    times: list[float] = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        session({taken: images[0]})
        times.append(time.perf_counter() - start)
    memory = compiled.memory
    return compiled, Result(
        name,
        right / len(labels),
        artifact_size(compiled, name, output),
        len(compiled.program.weights),
        memory.arena_bytes,
        memory.lower_bound,
        1e6 * float(np.median(built_seconds(compiled, {taken: images[0]}, TIMED_RUNS))),
        1e6 * float(np.median(times)),
        "same bits" if check.exact else f"within {check.difference:.0e}",
    )


def artifact_size(compiled: Compiled, name: str, output: Path | None) -> int:
    """Bytes of the artifact, which is kept in `output` if that is given."""
    if output is None:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            return artifact_size(compiled, name, Path(folder))
    output.mkdir(parents=True, exist_ok=True)
    return compiled.artifact().save(output / f"{name}.whet").stat().st_size


def _print(
    results: list[Result],
    compiled: Compiled,
    times: Sequence[StepTime],
    machine: Roofline,
    integer: bool,
) -> None:
    from rich.console import Console

    rows: list[tuple[Cell, ...]] = [
        (
            r.model,
            f"{r.accuracy:.1%}",
            size_text(r.artifact_bytes),
            size_text(r.weight_bytes),
            size_text(r.arena_bytes),
            size_text(r.arena_lower_bound),
            f"{r.median_us:.1f} us",
            f"{r.python_median_us:.1f} us",
            r.proof,
        )
        for r in results
    ]
    facts = ("model", "accuracy", "artifact", "weights", "arena", "lower bound")
    columns = (*facts, "latency", "from Python", "C beside NumPy")
    print_table("Digits: 450 images it never saw", columns, rows)
    picture, legend = memory_map(compiled)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Memory plan of {results[-1].model}: bytes up, steps to the right", style="bold")
    for line in [*picture, "", *legend, ""]:
        console.print(line)
    title = f"Steps of {results[-1].model} on {machine.cpu}, one thread"
    print_table(title, STEP_COLUMNS, step_rows(times, machine, integer))
