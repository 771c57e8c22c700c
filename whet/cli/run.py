"""`whet run`: files in, answers out."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from whet.cli.model import BuildOptions, Ready, model_options, ready
from whet.cli.show import Json, json_option, print_json, print_table, progress
from whet.errors import InputError
from whet.media import Presentation


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1)
@click.option("--media", type=click.Path(path_type=Path), help="TOML of inputs and outputs.")
@click.option("--threads", default=1, show_default=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for outputs.npz and pictures."
)
@model_options
@json_option
def command(
    model: Path,
    inputs: tuple[str, ...],
    media: Path | None,
    threads: int,
    output: Path | None,
    sizes: tuple[str, ...],
    cpu: str,
    as_json: bool,
) -> None:
    """Run MODEL (an artifact, or a model file compiled on the spot) on INPUTS.

    INPUTS are files in the order of the model's inputs, or NAME=FILE: pictures, wav, npy, npz, CSV.
    How a picture or a sound becomes numbers is declared in the TOML beside the model, or in the
    model's own metadata.
    """
    if not 1 <= threads <= 1024:
        raise InputError("bad number of threads", why=str(threads), hint="1 to 1024")
    with progress(as_json) as step:
        found = ready(model, media, BuildOptions(sizes, cpu, threads), step)
        step("reading inputs")
        arrays = found.pipeline.read(named(inputs, [p.name for p in found.pipeline.inputs]))
        step("running")
        start = time.perf_counter()
        results = found.session(arrays)
        seconds = time.perf_counter() - start
    shown = found.pipeline.present(results)
    if output is not None:
        save(output, results, shown)
    if as_json:
        print_json(_document(found, shown, seconds))
        return
    for table in shown.tables:
        print_table(table.title, table.columns, table.rows)
    print(f"first run {seconds * 1e3:.3f} ms on {threads} thread(s)", file=sys.stderr)


def named(texts: Sequence[str], names: Sequence[str]) -> Sequence[str] | Mapping[str, str]:
    """The arguments as files in order, or by name where they are written NAME=FILE."""
    pairs = [text.partition("=") for text in texts]
    chosen = {name: path for name, mark, path in pairs if mark and name in names}
    if not chosen:
        return texts
    if len(chosen) != len(texts):
        raise InputError("some inputs are named and some are not", why=" ".join(texts))
    return chosen


def save(folder: Path, results: Mapping[str, np.ndarray], shown: Presentation) -> None:
    """Every output in outputs.npz, and the pictures, in `folder`."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **results)
    files = {"outputs.npz": stream.getvalue()}
    files |= {re.sub(r"[^\w.-]+", "_", name): data for name, data in shown.pictures}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise InputError("cannot write the outputs", str(folder), str(error)) from None


def _document(found: Ready, shown: Presentation, seconds: float) -> dict[str, Json]:
    return {
        "model": found.session.interface.name,
        "outputs": [table.to_json() for table in shown.tables],
        "first_run_ms": seconds * 1e3,
    }
