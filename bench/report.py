"""The figures as a table, as JSON, and as the page docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.goals import Goal
from bench.measure import Missing, Record
from whet.cli.show import Cell, cell_text, print_table
from whet.devices import roofline

COLUMNS = (
    "model",
    "precision",
    "threads",
    "engine",
    "min ms",
    "median",
    "p99",
    "Whet / it",
    "quartiles",
    "of peak",
    "load ms",
    "memory MB",
    "difference",
    "same top",
)
JSON_KEYS = (
    "model", "precision", "threads", "engine", "median_ms", "min_ms", "p99_ms", "ratio",
    "share_of_peak", "load_ms", "rss_mb",
)  # fmt: skip
PACKAGES = ("onnxruntime", "openvino", "ai-edge-litert", "ncnn", "pnnx", "numpy", "ziglang")
LEFT_OUT = "ncnn takes f32 models converted by pnnx; the QDQ and TFLite files it cannot read."


def row(r: Record) -> tuple[Cell, ...]:
    """A record under COLUMNS."""
    paired = ("", "") if r.engine == "whet" else (f"{r.ratio:.2f}", f"{r.low:.2f}-{r.high:.2f}")
    times = (f"{t:.3f}" for t in (r.min_ms, r.median_ms, r.p99_ms))
    rest = (f"{r.share_of_peak:.0%}", f"{r.load_ms:.1f}", f"{r.rss_mb:.1f}", f"{r.difference:.0e}")
    top = "" if r.same_top is None else f"{r.same_top:.0%}"
    return (r.model, r.precision, r.threads, r.engine, *times, *paired, *rest, top)


def show(records: Sequence[Record], missing: Sequence[Missing], checks: Sequence[Goal]) -> None:
    """Everything on standard output."""
    if records:
        print_table("Whet and its peers", COLUMNS, [row(r) for r in records])
    if missing:
        rows = [(m.case, m.engine, m.reason) for m in missing]
        print_table("Not measured", ("case", "engine", "reason"), rows)
    if checks:
        print_table("Held to", ("goal", "wanted", "found", "met"), [goal_row(g) for g in checks])


def goal_row(goal: Goal) -> tuple[str, str, str, str]:
    """Name, what is wanted, what was found, whether it is met."""
    sign = ">=" if goal.at_least else "<="
    found = "not measured" if goal.found is None else cell_text(float(f"{goal.found:.3g}"))
    note = f" ({goal.note})" if goal.note else ""
    met = {True: "yes", False: "no", None: "-"}[goal.met]
    return goal.name, f"{sign} {goal.wanted:.3g}", found + note, met


def to_json(records: Sequence[Record]) -> str:
    """The list of build/bench.json and docs/benchmarks.json."""
    listed = [{key: getattr(r, key) for key in JSON_KEYS} for r in records]
    return json.dumps(listed, indent=1) + "\n"


def from_json(path: Path) -> list[Record]:
    """The records of an earlier run; none where there is no such file."""
    if not path.is_file():
        return []
    return [Record(**entry) for entry in json.loads(path.read_text())]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Lines of a table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(c).replace("|", "\\|") for c in r) + " |" for r in rows]
    return lines


def page(
    records: Sequence[Record],
    missing: Sequence[Missing],
    goals: Sequence[Goal],
    command: str,
    load: float = 0.0,
    profiles: Sequence[str] = (),
) -> str:
    """docs/benchmarks.md. load: the machine's load average when the run began. profiles: lines on
    where the time goes.
    """
    machine = roofline(1)
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    lines = [
        "# Benchmarks",
        "",
        "Made by the command below; do not edit. Engines take turns on the same inputs, each in a",
        "process of its own that is stopped while others run: threads of some spin for long after",
        "a run. *Whet / it*: Whet's median over that engine's in the same race, below 1 where Whet",
        "is faster; quartiles over the rounds beside it. *Load*: from opening the model to the",
        "first result (Whet opens a compiled artifact, the others the model).",
        "*Memory*: peak above the bare Python process. *Difference*: of the outputs from Whet's,",
        "over their largest value; Whet's own in bf16: from its f32 outputs, the mean over inputs.",
        "*Same top*: for how many of these inputs the largest output is the same one.",
        "",
        f"* Machine: {machine.cpu}, one thread measured at {machine.clock_ghz:.2f} GHz,",
        f"  {machine.f32_gflop_s:.0f} GFLOP/s f32, {machine.int8_gop_s:.0f} GOP/s int8",
        f"* Versions: {', '.join(versions)}",
        f"* Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"* Load average when the run began: {load:.1f} on {os.cpu_count()} processors; where",
        "  it is not near 0 other processes took part, and rows of several threads most of all",
        f"* Command: `{command}`",
        f"* {LEFT_OUT}",
        "",
        *markdown_table(COLUMNS, [row(r) for r in records]),
    ]
    if missing:
        rows = [(m.case, m.engine, m.reason) for m in missing]
        lines += ["", "## Not measured", "", *markdown_table(("case", "engine", "reason"), rows)]
    columns = ("goal", "wanted", "found", "met")
    measured = [g for g in goals if g.found is not None]
    rest = [g for g in goals if g.found is None]
    met = sum(g.met is True for g in measured)
    lines += ["", "## Goals", "", f"{met} of {len(measured)} measured goals are met.", ""]
    lines += markdown_table(columns, [goal_row(g) for g in measured])
    if rest:
        names = "; ".join(g.name + (f" ({g.note})" if g.note else "") for g in rest)
        lines += ["", f"Not measured in this run: {names}."]
    return "\n".join([*lines, *profiles]) + "\n"
