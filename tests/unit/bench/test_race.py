"""The race: what engines that fail or disagree look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.unit.cli.small_models import dense
from whet.bench.race import difference, race
from whet.errors import InputError


def test_an_engine_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = dense(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"onnxruntime failed: .*rank") as caught:
        race({"onnxruntime": path}, [np.zeros(5, np.float32)])
    assert "\n" not in str(caught.value)
    path.write_bytes(b"no model")
    with pytest.raises(InputError, match="onnxruntime failed"):
        race({"onnxruntime": path}, [np.zeros((3, 4), np.float32)])


def test_difference_is_relative_and_total() -> None:
    base = [np.array([0.0, 4.0]), np.array([3], np.uint8)]
    assert difference(base, base) == 0.0
    assert difference([base[0] + 0.4, base[1]], base) == pytest.approx(0.1)
    assert difference(base[:1], base) == float("inf")
    assert difference([base[0][:1], base[1]], base) == float("inf")


def test_what_is_no_number_is_different_unless_both_are() -> None:
    nan, inf = np.array([np.nan, 4.0]), np.array([np.inf, 4.0])
    assert difference([nan], [np.array([0.0, 4.0])]) == float("inf")
    assert difference([np.array([0.0, 4.0])], [nan]) == float("inf")
    assert difference([inf], [-inf]) == float("inf")
    assert difference([nan], [nan]) == difference([inf], [inf]) == 0.0


def test_an_engine_whose_outputs_cannot_be_compared_is_no_peer(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    one = dense(tmp_path / "one.onnx")
    model = onnx.load(one)
    model.graph.output.append(onnx.ValueInfoProto(name="sum", type=model.graph.output[0].type))
    onnx.save(model, tmp_path / "two.onnx")
    with pytest.raises(InputError, match="openvino computes something else"):
        race(
            {"onnxruntime": one, "openvino": tmp_path / "two.onnx"},
            [np.zeros((3, 4), np.float32)],
        )
