"""LiteRT as the engine behind a pipeline: the answers are its, the preparation is Whet's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from whet.media import TensorSpec


class Engine:
    """A `.tflite` model with its inputs and outputs as TensorSpecs."""

    def __init__(self, path: Path) -> None:
        litert = pytest.importorskip("ai_edge_litert.interpreter")
        self.path = path
        self._interpreter = litert.Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        self.inputs = [self._spec(detail) for detail in self._inputs]
        self.outputs = [self._spec(detail) for detail in self._outputs]

    @staticmethod
    def _spec(detail: Mapping[str, object]) -> TensorSpec:
        scale, zero_point = detail["quantization"]
        return TensorSpec.of(detail["name"], detail["shape"], detail["dtype"], scale, zero_point)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for detail in self._inputs:
            self._interpreter.set_tensor(detail["index"], arrays[detail["name"]])
        self._interpreter.invoke()
        return {d["name"]: self._interpreter.get_tensor(d["index"]) for d in self._outputs}
