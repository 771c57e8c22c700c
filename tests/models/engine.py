"""Whet as the engine of the tests: a model file, imported, emitted as C, built and run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import whet
from whet.compiler.pipeline import Compiled
from whet.emit.port import Port
from whet.media import TensorSpec


@cache
def built(path: Path, sizes: tuple[tuple[str, int], ...]) -> Compiled:
    """A model compiled once for all tests of a run."""
    if not path.exists():
        pytest.skip(f"no {path.name} in the shared data")
    return whet.compile(whet.import_model(path, dict(sizes)))


class Engine:
    """A model file with its inputs and outputs as TensorSpecs; its states start afresh.

    sizes: values of the sizes that the file leaves free.
    """

    def __init__(self, path: Path, **sizes: int) -> None:
        self.path = path
        compiled = built(path, tuple(sizes.items()))
        self.graph = compiled.model
        self.session = compiled.session()
        self.inputs = [_spec(port) for port in compiled.program.inputs]
        self.outputs = [_spec(port) for port in compiled.program.outputs]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        return self.session(arrays)

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """The first output for the inputs in order."""
        names = [spec.name for spec in self.inputs]
        return self.run(dict(zip(names, arrays, strict=True)))[self.outputs[0].name]

    def reset(self) -> None:
        """Put every state back to where it starts."""
        self.session.reset()


def _spec(port: Port) -> TensorSpec:
    shape = [size if isinstance(size, int) else -1 for size in port.shape]
    return TensorSpec.of(port.name, shape, port.element.dtype, port.scale, port.zero)
