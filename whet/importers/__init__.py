"""Foreign files -> Graph; one folder a format."""

from __future__ import annotations

import os
from collections.abc import Mapping

from whet.errors import ModelError
from whet.ir.graph import Graph

__all__ = ["import_model"]

Sizes = Mapping[str, int | tuple[int, int]]
TFLITE_IDENTIFIER = b"TFL3"


def import_model(source: str | os.PathLike[str] | bytes, sizes: Sizes | None = None) -> Graph:
    """A model file, or its bytes, as a Graph; its format is read off its first bytes.

    Raises:
        ModelError: the file is malformed, unsafe, or of a format that Whet does not read.
        UnsupportedError: ops that Whet does not know, all of them with their layers.
    """
    # A format's libraries are imported when a file of it is met: running an artifact needs none.
    if _head(source)[4:8] == TFLITE_IDENTIFIER:
        from whet.importers.tflite import load_graph as load_tflite

        return load_tflite(source)
    from whet.importers.onnx import load_graph as load_onnx

    return load_onnx(source, sizes)


def _head(source: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:8]
    try:
        with open(source, "rb") as file:
            return file.read(8)
    except OSError as error:
        raise ModelError(
            "the model cannot be read", os.fspath(source), str(error.strerror)
        ) from None
