"""`make bench`: a race on a tiny model, what is told when a part fails, what `--assert` holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.__main__ import arguments, command_line
from bench.goals import FLOOR_RATIO, TOLERANCE, floor, goals, regressions
from bench.measure import Missing, Record, Suite
from bench.report import JSON_KEYS, from_json, page, to_json
from bench.suite import Case, Unavailable, peers, ready
from bench.under_roof import UnderRoof
from whet.ops.cost import Cost
from whet.session.profile import StepTime
from whet.targets.processor import cpu_flags

CASE = Case("tiny", "f32", 1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A matrix product and its Relu."""
    weights = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path_factory.mktemp("bench") / "tiny.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def record(model: str, engine: str, ratio: float, load: float = 1.0) -> Record:
    return Record(model, "f32", 1, engine, 1.0 / ratio, 1.0, 1.0, ratio, 0.5, load, 1.0)


def test_a_race_measures_whet_and_its_peers(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    records, missing = Suite(tmp_path, seconds=0.05).race(CASE, tiny)
    by = {r.engine: r for r in records}
    assert {"whet", "onnxruntime"} <= set(by)
    assert {m.engine for m in missing} <= {"openvino"}
    whet, peer = by["whet"], by["onnxruntime"]
    assert whet.ratio == 1.0
    assert peer.ratio == pytest.approx(whet.median_ms / peer.median_ms)
    assert 0.0 < peer.low <= peer.high
    assert peer.difference < 1e-5
    for r in records:
        assert 0.0 < r.min_ms <= r.median_ms <= r.p99_ms
        assert r.load_ms > r.min_ms


def test_a_build_for_less_is_raced_and_held_to_its_own_peak(tiny: Path, tmp_path: Path) -> None:
    if "avx2" not in cpu_flags():
        pytest.skip("no AVX2")
    records, missing = Suite(tmp_path, 0.05, levels=["whet_avx2"], alone=True).race(CASE, tiny)
    whet, level = records
    assert (whet.engine, level.engine, missing) == ("whet", "whet_avx2", [])
    gaps = [g for g in goals(records) if g.name == "tiny f32: share of peak above whet_avx2's"]
    assert [g.found for g in gaps] == [whet.share_of_peak - level.share_of_peak]
    held = goals([record("resnet50", e, 1.0) for e in ("whet", "whet_avx2")])
    assert all(g.found is None for g in held if g.name.endswith("time over the best peer's"))


def test_a_model_that_fails_is_told_and_stops_nothing(tmp_path: Path) -> None:
    def refuse(path: Path, precision: str) -> None:
        raise ValueError(f"cannot read {path.name}")

    suite = Suite(tmp_path, 0.05, refuse)  # type: ignore[arg-type]
    (tmp_path / "lstm_f32.onnx").write_bytes(b"no model")
    records, (told,) = suite.run(Case("lstm", "f32", 1))
    assert not records
    assert (told.engine, told.reason) == ("whet", "cannot read lstm_f32.onnx")
    assert suite.run(Case("lstm", "bf16", 1))[1][0].reason == "cannot read lstm_f32.onnx"
    assert suite.run(Case("vww", "bf16", 1))[1][0].engine == "all"


def test_ncnn_reads_what_its_converter_makes_of_a_float_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "net_f32.onnx"
    made = tmp_path / "ncnn" / "net_f32.ncnn.param"
    assert peers(model, "f32")["ncnn"] == made
    assert "ncnn" not in peers(tmp_path / "net_int8.onnx", "int8")
    assert "openvino_bf16" not in peers(model, "f32")
    assert list(peers(model, "bf16")) == ["openvino_bf16"]
    model.write_bytes(b"no model")
    ready("onnxruntime", model, model)
    monkeypatch.setattr("bench.suite.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="pnnx is not installed"):
        ready("ncnn", made, model)


def test_a_peer_that_fails_leaves_the_others_in_the_race(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    both = ("litert", "onnxruntime")
    monkeypatch.setattr("bench.measure.peers", lambda path, _: dict.fromkeys(both, path))
    monkeypatch.setattr("bench.measure.check_peer", lambda name, path: None)
    records, (told,) = Suite(tmp_path, 0.05).race(CASE, tiny)
    assert [r.engine for r in records] == ["whet", "onnxruntime"]
    assert told.engine == "litert"


def test_regressions_and_the_floor_fail_only_beyond_their_tolerance() -> None:
    kept = [record("vit_tiny", "openvino", 1.0)]
    worse = record("vit_tiny", "openvino", 1.01 * TOLERANCE)
    assert [g.met for g in regressions([worse], kept)] == [False]
    assert [g.met for g in regressions([replace(worse, ratio=0.99 * TOLERANCE)], kept)] == [True]
    assert not regressions([record("lstm", "openvino", 9.0)], kept)
    whet = record("resnet50", "whet", 1.0, load=10.0)
    slow = record("resnet50", "onnxruntime", 1.01 * FLOOR_RATIO, load=39.0)
    assert [g.met for g in floor([whet, slow])] == [False, False]
    fast = record("resnet50", "onnxruntime", 0.99 * FLOOR_RATIO, load=41.0)
    assert [g.met for g in floor([whet, fast])] == [True, True]


def test_a_goal_is_held_against_the_best_peer() -> None:
    name = "mobilenet_v2 f32, 1 thread(s): time over the best peer's"
    records = [record("mobilenet_v2", e, r) for e, r in (("whet", 1.0), ("a", 0.7), ("b", 0.9))]
    (found,) = [g for g in goals(records) if g.name == name]
    assert (found.found, found.note, found.met) == (0.9, "b", False)
    assert all(g.met is None for g in goals([]))


def test_records_survive_json_and_the_page_tells_what_is_missing(tmp_path: Path) -> None:
    records = [record("kws", "whet", 1.0), record("kws", "litert", 2.0)]
    path = tmp_path / "bench.json"
    path.write_text(to_json(records))
    assert from_json(path) == records
    assert tuple(json.loads(path.read_text())[0]) == JSON_KEYS
    text = page(records, [Missing("lstm", "whet", "a|b")], goals(records), "make bench")
    assert "`make bench`" in text
    assert "a\\|b" in text
    assert "mobilenet_v2 bf16" in text


def test_variables_of_make_narrow_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS", "kws lstm")
    monkeypatch.setenv("THREADS", "2")
    monkeypatch.setenv("PRECISION", "")
    options = arguments([])
    assert (options.models, options.threads) == (["kws", "lstm"], [2])
    assert options.precision == ["f32", "int8", "bf16"]
    with pytest.raises(SystemExit):
        arguments(["--models", "resnet18"])


def test_the_page_says_whether_the_models_were_tuned() -> None:
    assert "--tune" in command_line(arguments(["--models", "kws", "--tune"]))
    assert "--tune" not in command_line(arguments(["--models", "kws"]))


def test_a_kernel_that_is_too_short_for_the_clock_has_a_row() -> None:
    steps = (StepTime("a", "copy", 0.0, Cost()), StepTime("b", "gemm_f32", 1e-6, Cost(100, 8, 80)))
    rows = UnderRoof("tiny", steps, integer=False).kernels()
    assert [row[0] for row in rows] == ["gemm_f32", "copy"]
    assert rows[1][2:] == pytest.approx((0.0, 0.0), abs=2e-3)
