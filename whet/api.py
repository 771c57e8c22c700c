"""The public functions: a model in, an artifact out, an artifact run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whet.errors import InputError
from whet.session.load import load

if TYPE_CHECKING:
    from whet.compiler.pipeline import Compiled
    from whet.ir.graph import Graph
    from whet.kernels.kernel import Choice
    from whet.plan.patches import Room
    from whet.targets.target import Target
    from whet.tune.measure import Progress

__all__ = ["compile", "load"]


def compile(
    model: Graph | str | Path | bytes,
    target: Target | str = "host",
    *,
    cpu: str = "native",
    sizes: dict[str, int | tuple[int, int]] | None = None,
    precision: str = "own",
    ram: int | None = None,
    patches: tuple[int, int] | Literal["auto"] | None = None,
    tune: bool = False,
    choices: Mapping[str, Choice] | str | Path | None = None,
    progress: Progress = lambda *_: None,
) -> Compiled:
    """Compile a model for a target.

    model: a Graph, or the path or bytes of an ONNX or TFLite file. target: a Target or its name.
    cpu: for the host, `native` or an x86-64 level. sizes: a value, or (low, high), for each free
    dimension of the inputs; or the value of a whole-number input, settled for good. precision: the
    model's `own`, or `bf16`: f32 products with constant weights, and the tensors between them, in
    bf16 (`whet.passes.bf16` has the contract).
    ram: the most bytes of arena (inputs and outputs, the caller's, do not count); layers are then
    computed in patches where that takes least extra work. patches: (rows, columns) of all patches;
    `auto`, or without ram, asks for the smallest arena.
    tune: time what the kernels can choose, on this machine, which takes up to minutes. Without it
    nothing measured before is used: the same model gives the same artifact. choices: take these
    instead (`Compiled.chosen` of another compilation), or those in a file, a `choices.json` or a
    tuned artifact. progress: told what the tuner does, and which share of it is done.

    Raises:
        ModelError, UnsupportedError: the model cannot be read, or not on this target.
        InputError: a cpu was named for another target than the host, or tuning asked for there; an
            unknown precision; patches that are no pair of sizes; or no choices are in the file.
        CompileError: it could not be planned or built.
    """
    # The compiler is imported when something is compiled: running an artifact needs none of it.
    from whet.artifact.choices import open_choices
    from whet.compiler.pipeline import compile_graph
    from whet.importers import import_model
    from whet.ir.graph import Graph
    from whet.passes.pipeline import in_precision
    from whet.tune.tune import tune as tune_graph

    imported = model if isinstance(model, Graph) else import_model(model, sizes)
    graph = in_precision(imported, precision)
    target = _target(target, cpu) if isinstance(target, str) else target
    room = _room(ram, patches)
    if tune and choices is not None:
        raise InputError("tune and choices", why="either measure them or give them")
    if tune:
        return tune_graph(graph, target, progress, room)
    given = open_choices(Path(choices)) if isinstance(choices, str | Path) else choices
    return compile_graph(graph, target, given, room)


def _target(name: str, cpu: str) -> Target:
    from whet.targets.host import host
    from whet.targets.registry import target

    if name != "host" and cpu != "native":
        raise InputError(f"cpu {cpu} with target {name}", why="a cpu is for the host alone")
    return host(cpu) if name == "host" else target(name)


def _room(ram: int | None, patches: tuple[int, int] | Literal["auto"] | None) -> Room | None:
    from whet.plan.patches import Room

    if patches is None:
        return None if ram is None else Room(ram)
    if isinstance(patches, str) and patches == "auto":
        return Room(ram)
    given: object = patches
    pair = isinstance(given, tuple) and len(given) == 2
    if not pair or not all(type(n) is int and n >= 1 for n in patches):
        why = "patches are (rows, columns), both at least 1"
        raise InputError(f"patches {given!r}", why=why, hint='patches=(4, 4) or "auto"')
    return Room(ram, (patches,))
