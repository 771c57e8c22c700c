"""What the commands share about models: options, compiling with progress, pipelines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from whet import api
from whet.artifact.artifact import Artifact, open_artifact
from whet.artifact.interface import Interface
from whet.cli.memory import Memory
from whet.cli.show import Reporter, silent
from whet.compiler.pipeline import Compiled
from whet.emit.port import Port
from whet.errors import ArtifactError, InputError
from whet.importers import Sizes, import_model
from whet.ir.dim import UNBOUNDED
from whet.ir.graph import Graph, symbols_of
from whet.media import Pipeline, TensorSpec, load_pipeline, parse_pipeline
from whet.passes.pipeline import PRECISIONS
from whet.session.session import Session

PIPELINE_ENTRY = "pipeline.toml"
ANY_MEMORY = Memory()


def model_options(command: Callable[..., object]) -> Callable[..., object]:
    """`--size` and `--cpu`: how a model file is read and built."""
    for option in (
        click.option(
            "--size",
            "sizes",
            multiple=True,
            metavar="NAME=N",
            help="Settle a dimension or a whole-number input.",
        ),
        click.option(
            "--cpu",
            default="native",
            show_default=True,
            help="native, or the x86-64 level to build for.",
        ),
    ):
        command = option(command)
    return command


def precision_option(command: Callable[..., object]) -> Callable[..., object]:
    """`--precision`: what the model computes in."""
    return click.option(
        "--precision",
        type=click.Choice(list(PRECISIONS)),
        default="own",
        show_default=True,
        help="bf16: products with constant weights, and what lies between them, in half the bytes.",
    )(command)


def parse_sizes(texts: tuple[str, ...]) -> Sizes:
    """`NAME=N` or `NAME=LOW:HIGH` options as sizes; InputError otherwise."""
    sizes: dict[str, int | tuple[int, int]] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        parts = value.split(":")
        if not name or len(parts) > 2 or not all(p.isdecimal() and len(p) < 10 for p in parts):
            raise InputError("bad --size", text, hint="--size batch=1, or --size batch=1:8")
        bounds = [int(part) for part in parts]
        if bounds[0] > bounds[-1]:
            raise InputError("bad --size", text, "the low bound is above the high one")
        sizes[name] = bounds[0] if len(bounds) == 1 else (bounds[0], bounds[1])
    return sizes


def existing(path: Path) -> Path:
    """The path, if there is a file; InputError otherwise."""
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else ""
        raise InputError("no such model", str(path), why)
    return path


def is_artifact(path: Path) -> bool:
    """Whether a file is a `.whet` artifact (any ZIP), by its first bytes."""
    with open(existing(path), "rb") as file:
        return file.read(2) == b"PK"


def free_dimensions(graph: Graph) -> list[str]:
    """Names of the inputs' dimensions that have no bound, so that no memory can be planned."""
    types = [value.tensor for value in graph.inputs]
    return sorted({s.name for t in types for s in symbols_of(t) if s.high >= UNBOUNDED})


def read_bounded(path: Path, sizes: tuple[str, ...]) -> Graph:
    """The graph of a model file, every dimension of its inputs bounded."""
    graph = import_model(existing(path), parse_sizes(sizes))
    free = free_dimensions(graph)
    if free:
        hint = " ".join(f"--size {name}=1" for name in free)
        raise InputError("a dimension has no bound", str(path), ", ".join(free), hint)
    return graph


def compile_file(
    path: Path,
    sizes: tuple[str, ...],
    cpu: str,
    step: Reporter = silent,
    target: str = "host",
    memory: Memory = ANY_MEMORY,
    *,
    tune: bool = False,
    choices: Path | None = None,
    precision: str = "own",
) -> Compiled:
    """A model file compiled for a target."""
    step(f"reading {path}")
    graph = read_bounded(path, sizes)
    step(f"compiling {path}")
    return api.compile(
        graph, target, cpu=cpu, precision=precision, ram=memory.ram, patches=memory.patches,
        tune=tune, choices=choices, progress=step,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ready:
    """A model that can run here, and its pipeline."""

    session: Session
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a model file is built: `--size`, `--cpu`, `--threads`."""

    sizes: tuple[str, ...]
    cpu: str
    threads: int


def ready(path: Path, media: Path | None, options: BuildOptions, step: Reporter) -> Ready:
    """A `.whet` file opened, or a model file compiled; its pipeline from `media` or its own."""
    if not is_artifact(path):
        session = compile_file(path, options.sizes, options.cpu, step).session(options.threads)
        return Ready(session, file_pipeline(path, session.interface, media))
    if options.sizes:
        raise InputError("--size is for model files", str(path), "an artifact's sizes are settled")
    step(f"opening {path}")
    session = api.load(path, options.threads)
    return Ready(session, artifact_pipeline(path, open_artifact(path), media))


def file_pipeline(path: Path, interface: Interface, media: Path | None) -> Pipeline:
    """The pipeline of a model file: `media`, the TOML beside it, or its own metadata."""
    inputs, outputs = specs(interface.inputs), specs(interface.outputs)
    return load_pipeline(path, inputs, outputs, media)


def artifact_pipeline(path: Path, artifact: Artifact, media: Path | None) -> Pipeline:
    """The pipeline of an artifact: `media`, or the one packed into it."""
    inputs, outputs = specs(artifact.interface.inputs), specs(artifact.interface.outputs)
    if media is not None:
        return load_pipeline(path, inputs, outputs, media)
    try:
        text = bytes(artifact.extras.get(PIPELINE_ENTRY, b"")).decode()
    except UnicodeDecodeError:
        raise ArtifactError("the pipeline is malformed", str(path)) from None
    return parse_pipeline(text, inputs, outputs, f"{path} {PIPELINE_ENTRY}")


def specs(ports: tuple[Port, ...]) -> list[TensorSpec]:
    """Ports as the media room's specs; a size that varies is -1."""
    return [
        TensorSpec.of(
            port.name,
            [d if isinstance(d, int) else -1 for d in port.shape],
            port.element.dtype,
            port.scale,
            port.zero,
        )
        for port in ports
    ]


def port_text(port: Port) -> str:
    """A port as `f32[1,3,224,224]`, with its quantisation where it has one."""
    text = f"{port.element}[{','.join(map(str, port.shape))}]"
    return text if port.scale is None else f"{text} scale {port.scale:.6g} zero {port.zero}"
