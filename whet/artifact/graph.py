"""The graph inside an artifact: what the model means, so that anyone can check what was built."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping

import ml_dtypes
import numpy as np

from whet.artifact.file import GRAPH_ARRAYS, GRAPH_TEXT
from whet.errors import ArtifactError
from whet.ir.graph import Graph
from whet.ir.node import Array
from whet.ir.parse import parse_graph
from whet.ir.text import graph_text
from whet.ops.registry import ops

FAILURES = (
    OSError, ValueError, LookupError, EOFError, AttributeError, TypeError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
Entries = dict[str, bytes]


def graph_entries(graph: Graph) -> Entries:
    """The graph's text and arrays; nothing for a graph with strings, which npz cannot hold."""
    text, arrays = graph_text(graph)
    if any(a.dtype.kind == "O" for a in arrays):
        return {}
    named = {f"{i}:{a.dtype.name}": _bytes_of(a) for i, a in enumerate(arrays)}
    file = io.BytesIO()
    np.savez(file, **named)  # type: ignore[arg-type]
    return {GRAPH_TEXT: text.encode(), GRAPH_ARRAYS: file.getvalue()}


def read_graph(extras: Mapping[str, bytes | memoryview]) -> Graph:
    """The graph of an artifact's extras.

    Raises:
        ArtifactError: the artifact was made without it.
        ModelError: it is malformed.
    """
    if GRAPH_TEXT not in extras or GRAPH_ARRAYS not in extras:
        hint = "give the model file instead"
        raise ArtifactError("the artifact holds no graph", hint=hint)
    try:
        with np.load(io.BytesIO(bytes(extras[GRAPH_ARRAYS])), allow_pickle=False) as file:
            found = {int(k.split(":")[0]): _array_of(k.split(":")[1], file[k]) for k in file.files}
        text = bytes(extras[GRAPH_TEXT]).decode()
    except FAILURES as error:
        raise ArtifactError("the graph's arrays are malformed", GRAPH_ARRAYS, str(error)) from None
    return parse_graph(text, [found[i] for i in sorted(found)], ops())


def _bytes_of(array: Array) -> Array:
    """Types that npz does not know as their raw bytes, one more axis."""
    plain = np.ascontiguousarray(array).reshape(array.shape)
    if array.dtype.kind != "V" and array.dtype.name in np.sctypeDict:
        return plain
    return np.frombuffer(plain.tobytes(), np.uint8).reshape(*array.shape, array.dtype.itemsize)


def _array_of(name: str, array: Array) -> Array:
    if not hasattr(ml_dtypes, name):
        return array
    dtype = np.dtype(getattr(ml_dtypes, name))
    return np.frombuffer(array.tobytes(), dtype).reshape(array.shape[:-1])
