"""`whet bench`: speed, memory and time to the first result, beside peers and the machine's peak."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from whet.bench.engine import PEERS, Setting, check_peer
from whet.bench.race import Lap, race
from whet.cli.model import (
    compile_file,
    file_pipeline,
    model_options,
    parse_sizes,
    precision_option,
)
from whet.cli.roofline import STEP_COLUMNS, step_document, step_rows
from whet.cli.roofline_picture import draw_roofline
from whet.cli.run import named
from whet.cli.show import (
    Cell,
    Json,
    Reporter,
    json_option,
    print_json,
    print_notes,
    print_table,
    progress,
)
from whet.cli.spread import SPREAD_COLUMNS, call_columns, call_document, call_row, spread_rows
from whet.compiler.pipeline import Compiled
from whet.devices import Roofline, roofline
from whet.errors import InputError
from whet.ir.node import Array
from whet.ops.cost import graph_cost, integer_graph
from whet.plan.draw import size_text
from whet.session.profile import Profile, profile
from whet.session.samples import random_inputs


@click.command("bench")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1)
@click.option("--against", default="", metavar="ENGINES", help=f"Of {', '.join(PEERS)}.")
@click.option("--threads", default=1, show_default=True)
@click.option("--seconds", default=3.0, show_default=True, help="For each engine.")
@click.option(
    "--per-op", is_flag=True, help="A line for each step, and where several threads lose time."
)
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Draw the steps under the roof, as SVG."
)
@click.option("--media", type=click.Path(path_type=Path), help="TOML of inputs and outputs.")
@precision_option
@model_options
@json_option
def command(
    model: Path,
    inputs: tuple[str, ...],
    against: str,
    threads: int,
    seconds: float,
    per_op: bool,
    picture: Path | None,
    media: Path | None,
    precision: str,
    sizes: tuple[str, ...],
    cpu: str,
    as_json: bool,
) -> None:
    """Race MODEL (a model file) against peers on INPUTS, or on random ones.

    Engines take turns in processes of their own. Ratio: the peer's median over Whet's. First: from
    opening the model to the first result. Memory: above that of the bare process. Difference: of
    the outputs from Whet's, over their largest value.
    """
    if not 1 <= threads <= 1024 or not 0.0 < seconds <= 3600.0:
        raise InputError("bad --threads or --seconds", why=f"{threads}, {seconds}")
    peers = [name for name in against.split(",") if name]
    for name in peers:
        check_peer(name, model)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whet-bench-")))
        step = stack.enter_context(progress(as_json))
        compiled = compile_file(model, sizes, cpu, step, precision=precision)
        artifact = compiled.artifact()
        models = {"whet": artifact.save(folder / "model.whet")}
        models |= dict.fromkeys(peers, model)
        ports = artifact.interface.inputs
        if inputs:
            pipeline = file_pipeline(model, artifact.interface, media)
            read = pipeline.read(named(inputs, [port.name for port in ports]))
            arrays = [read[port.name] for port in ports]
        else:
            arrays = random_inputs(ports, seed=0)
        laps = race(models, arrays, Setting(threads, _settled(sizes)), seconds, step)
        step("measuring this machine")
        machine = roofline(threads, cpu)
        one = machine if threads == 1 else roofline(1, cpu)
        named_inputs = dict(zip([port.name for port in ports], arrays, strict=True))
        asked = per_op or picture is not None
        found = _profiled(compiled, named_inputs, threads, step) if asked else None
    integer = integer_graph(compiled.graph)
    if picture and found:
        _draw(picture, draw_roofline(found.steps, one, integer, f"{model.name}, one thread"))
    if as_json:
        steps: list[Json] = [step_document(s, one, integer) for s in found.steps] if found else []
        call = call_document(found) if found else None
        document = _document(model, compiled, laps, machine, threads)
        print_json({**document, "steps": steps, "call": call})
        return
    _print(model, compiled, laps, machine, threads)
    if per_op and found:
        print_table("Steps, one thread", STEP_COLUMNS, step_rows(found.steps, one, integer))
        if threads > 1:
            _print_spread(found)


def _settled(sizes: tuple[str, ...]) -> dict[str, int]:
    return {name: n for name, n in parse_sizes(sizes).items() if isinstance(n, int)}


def _profiled(
    compiled: Compiled, inputs: Mapping[str, Array], threads: int, step: Reporter
) -> Profile:
    step("measuring each step")
    return profile(compiled, inputs, threads)


def _print_spread(found: Profile) -> None:
    if found.unnoted:
        print_notes([f"{found.unnoted} waits inside steps count as work, in what is slower"])
    print_table(f"Steps, {found.threads} threads", SPREAD_COLUMNS, spread_rows(found))
    columns, row = call_columns(found.threads), call_row(found)
    print_table("A call from Python, microseconds", columns, [row])


def _draw(path: Path, picture: str) -> None:
    try:
        path.write_text(picture)
    except OSError as error:
        raise InputError("the picture cannot be written", str(path), str(error)) from None


def _shares(compiled: Compiled, lap: Lap, machine: Roofline) -> tuple[float, float, float]:
    """Gop/s, its share of the arithmetic peak, and of memory bandwidth for reading the weights."""
    total = graph_cost(compiled.graph)
    speed = total.operations / lap.least / 1e9
    peak = machine.peak_gop_s(integer_graph(compiled.graph))
    traffic = total.weight_bytes / lap.least / 1e9
    return speed, speed / peak, traffic / machine.levels[-1].read_gb_s


def _print(
    model: Path, compiled: Compiled, laps: list[Lap], machine: Roofline, threads: int
) -> None:
    rows: list[tuple[Cell, ...]] = []
    for lap in laps:
        speed, share, traffic = _shares(compiled, lap, machine)
        rows.append(
            (
                lap.engine,
                *(1e3 * t for t in (lap.least, lap.median, lap.p99)),
                lap.median / laps[0].median,
                1e3 * lap.first,
                size_text(lap.peak_bytes),
                speed,
                f"{share:.1%}",
                f"{traffic:.1%}",
                f"{lap.difference:.1e}",
            )
        )
    timing = ("engine", "min ms", "median", "p99", "ratio", "first ms", "memory")
    columns = (*timing, "Gop/s", "of peak", "of bandwidth", "difference")
    print_table(f"{model}, {threads} thread(s), {laps[0].runs} runs", columns, rows)


def _document(
    model: Path, compiled: Compiled, laps: list[Lap], machine: Roofline, threads: int
) -> dict[str, Json]:
    engines: list[Json] = []
    for lap in laps:
        speed, share, traffic = _shares(compiled, lap, machine)
        extra = {"gop_s": speed, "share_of_peak": share, "share_of_bandwidth": traffic}
        engines.append({**asdict(lap), "ratio": lap.median / laps[0].median, **extra})
    total = graph_cost(compiled.graph)
    return {
        "model": str(model),
        "threads": threads,
        "operations": total.operations,
        "weight_bytes": total.weight_bytes,
        "arena_bytes": compiled.memory.arena_bytes,
        "engines": engines,
        "machine": asdict(machine),
    }
