"""A model file of any format Whet reads -> Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from whet.errors import InputError
from whet.ir.graph import Graph, symbols_of

Sizes = Mapping[str, int | tuple[int, int]]

IMPORTERS = {".onnx": "whet.importers.onnx", ".tflite": "whet.importers.tflite"}
# A dimension with no bound of its own is given this one by importers.
UNBOUNDED = 1 << 31


def formats() -> tuple[str, ...]:
    """File suffixes that can be read."""
    return tuple(suffix for suffix, module in IMPORTERS.items() if find_spec(module))


def read_model(path: str | Path, sizes: Sizes | None = None) -> Graph:
    """The graph in a model file.

    sizes: for named dimensions of the inputs a value, or (low, high).

    Raises:
        InputError: the suffix is of no format Whet reads, or a size names no dimension.
        ModelError: the file is malformed or unsafe.
        UnsupportedError: it holds ops that Whet does not know, all listed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in formats():
        known = ", ".join(formats())
        raise InputError("unknown kind of model", str(path), f"suffix '{suffix}'", known)
    load: Callable[..., Graph] = import_module(IMPORTERS[suffix]).load_graph
    if not sizes:
        return load(str(path))
    if suffix != ".onnx":
        raise InputError("this format has no named dimensions", str(path), f"suffix '{suffix}'")
    return load(str(path), sizes)


def free_dimensions(graph: Graph) -> tuple[str, ...]:
    """Names of the inputs' dimensions that have no bound, so that no memory can be planned."""
    found = {s.name for v in graph.inputs for s in symbols_of(v.type) if s.high >= UNBOUNDED}
    return tuple(sorted(found))
