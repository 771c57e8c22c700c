"""A model tuned on this machine: faster or the same, remembered, and with the same results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import whet
from whet.artifact.artifact import open_artifact
from whet.artifact.choices import CHOICES_ENTRY, read_choices, write_choices
from whet.compiler.pipeline import Compiled, compile_graph
from whet.errors import InputError
from whet.importers import import_model
from whet.ir.element import F32, I8, I16, U8, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.type import Type
from whet.kernels.kernel import Choice, lower
from whet.ops.convert import bitcast, convert
from whet.ops.evaluate import evaluate
from whet.session.samples import random_inputs
from whet.session.verify import verify
from whet.targets.host import host
from whet.tune import measure as measuring
from whet.tune import tune as tuning
from whet.tune.builds import Compared
from whet.tune.calls import alone, calls
from whet.tune.candidates import MOST, MOST_OTHERS, candidates
from whet.tune.float_twin import float_twin
from whet.tune.measure import Measured, measure
from whet.tune.trial import Trial, agrees

DEMO = Path(str(files("whet") / "demo"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Choices of a folder of the test; builds of the one that all share."""
    monkeypatch.setattr("whet.tune.kept.cache_folder", lambda: tmp_path)
    return tmp_path


def digits(name: str = "digits_int8") -> Graph:
    return import_model(DEMO / f"{name}.onnx")


@pytest.fixture(scope="module")
def untuned() -> Compiled:
    return compile_graph(digits())


def test_calls_are_distinct_and_large_enough(untuned: Compiled) -> None:
    found = calls(untuned.graph, host())
    assert 0 < len(found) == len({call.key for call in found})
    assert all(call.node.op.family == "contraction" for call in found)


def test_candidates_begin_with_the_default_and_differ(untuned: Compiled) -> None:
    for call in calls(untuned.graph, host()):
        found = candidates(call.node, host())
        assert found[0] is None
        assert len(found) <= 1 + MOST + 2 * MOST_OTHERS
        made = [lower(call.node, host(), choice).statements for choice in found]
        assert all(a != b for i, a in enumerate(made) for b in made[:i])


def test_a_node_alone_is_the_same_call(untuned: Compiled) -> None:
    for call in calls(untuned.graph, host()):
        node = alone(call.node).outputs[0].node
        assert calls(alone(call.node), host())[0].key == call.key
        assert node.types == call.node.types


def favour(index: int) -> Callable[[Trial, int, int], float]:
    """A clock by which one candidate takes half of what the others do."""

    def seconds(trial: Trial, candidate: int, runs: int) -> float:
        return 1e-4 if candidate == index else 2e-4

    return seconds


def test_the_winner_is_kept_for_the_next_time(
    untuned: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "agrees", lambda found, expected: True)
    monkeypatch.setattr(Trial, "seconds", favour(1))
    first = measure(untuned)
    nodes = {call.key: call.node for call in calls(untuned.graph, host())}
    assert first.measured == len(nodes) == len(first.records)
    for key, record in first.records.items():
        assert record.choice == candidates(nodes[key], host())[1]
        assert record.seconds < record.default_seconds
    again = measure(untuned)
    assert again.measured == 0
    assert again.records == first.records


def test_warm_and_cold_weights_are_kept_side_by_side(
    untuned: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "agrees", lambda found, expected: True)
    made = {}
    for nbytes, best in ((0, 0), (1 << 20, 1)):
        monkeypatch.setattr(measuring, "cold_bytes", lambda compiled, n=nbytes: n)
        monkeypatch.setattr(Trial, "seconds", favour(best))
        made[nbytes] = measure(untuned)
        assert made[nbytes].measured == len(made[nbytes].records)
    assert made[0].records != made[1 << 20].records
    for nbytes, first in made.items():
        monkeypatch.setattr(measuring, "cold_bytes", lambda compiled, n=nbytes: n)
        again = measure(untuned)
        assert (again.measured, again.records) == (0, first.records)


def test_other_results_than_the_defaults_are_refused(
    untuned: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "agrees", lambda found, expected: False)
    monkeypatch.setattr(Trial, "seconds", favour(1))
    found = measure(untuned)
    assert found.refused > 0
    assert all(record.choice is None for record in found.records.values())


def test_agreement_is_bits_or_a_tolerance() -> None:
    whole = np.arange(5, dtype=np.int8)
    assert agrees([whole], [whole.copy()])
    assert not agrees([whole + np.int8(1)], [whole])
    real = np.array([1.0, -2.0, np.nan], np.float32)
    assert agrees([real * np.float32(1 + 1e-6)], [real])
    assert not agrees([real * np.float32(1.01)], [real])
    assert not agrees([np.nan_to_num(real)], [real])


@pytest.mark.parametrize("name", ["digits_f32", "digits_int8"])
def test_a_tuned_model_gives_the_same_and_is_measured(name: str, tmp_path: Path) -> None:
    shares: list[float] = []
    graph = digits(name)
    tuned = whet.compile(graph, tune=True, progress=lambda text, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] < 1
    facts = tuned.evidence["tuning"]
    assert isinstance(facts, dict)
    assert facts["calls"] == facts["measured"] == len(calls(tuned.graph, host()))
    assert facts["kept"] == ("tuned" if tuned.chosen else "untuned")
    assert (facts["float_seconds"] is None) == (name == "digits_f32")
    assert float(str(facts["untuned_seconds"])) > 0
    assert facts["cpu"]

    plain = compile_graph(graph)
    port = plain.program.inputs[0]
    x = {port.name: random_inputs((port,), 3)[0]}
    for output, value in plain.session()(x).items():
        got = tuned.session()(x)[output]
        if name == "digits_int8":
            np.testing.assert_array_equal(got, value)
        else:
            np.testing.assert_allclose(got, value, 1e-4, 1e-4)

    path = tuned.artifact().save(tmp_path / "tuned.whet")
    assert open_artifact(path).card["tuning"] == facts
    if tuned.chosen:
        assert whet.compile(graph, choices=path).source == tuned.source
        assert whet.compile(graph, choices=tuned.chosen).source == tuned.source
    assert whet.compile(graph).source == plain.source, "nothing measured is used unasked"


def test_only_this_machine_is_tuned_for() -> None:
    with pytest.raises(InputError, match="cannot be tuned for"):
        whet.compile(digits(), "cortex-m4", tune=True)
    with pytest.raises(InputError, match="either"):
        whet.compile(digits(), tune=True, choices={})


def test_choices_are_a_file(tmp_path: Path) -> None:
    chosen = {"call": Choice("conv_f32", (6, 2, 48)), "other": Choice("fixed", ())}
    data = write_choices(chosen)
    assert read_choices(data, "here") == chosen
    (tmp_path / "c.json").write_bytes(data)
    assert not whet.compile(digits(), choices=tmp_path / "c.json").chosen
    for bad in (b"", b"{}", b'{"format": 1, "calls": {"a": 1}}', b"\xff", data[:-2]):
        (tmp_path / "c.json").write_bytes(bad)
        with pytest.raises(InputError, match=r"c\.json"):
            whet.compile(digits(), choices=tmp_path / "c.json")
    with pytest.raises(InputError, match="absent"):
        whet.compile(digits(), choices=tmp_path / "absent.json")
    path = compile_graph(digits()).artifact().save(tmp_path / "untuned.whet")
    assert read_choices(open_artifact(path).extras[CHOICES_ENTRY], "there") == {}


def test_codes_that_are_slower_than_floats_are_kept_float(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "race_builds", lambda first, second: Compared(2.0, 1.0, 0.5))
    monkeypatch.setattr(tuning, "measure", lambda *_: Measured({}, 0, 0, ()))
    kept = whet.compile(digits(), tune=True)
    assert kept.evidence["tuning"]["kept"] == "float"
    assert "kept float" in kept.notes[-1]
    plain = compile_graph(digits())
    port = plain.program.inputs[0]
    x = {port.name: random_inputs((port,), 3)[0]}
    codes, reals = plain.session()(x)["scores"], kept.session()(x)["scores"]
    assert 0 < np.abs(codes - reals).max() < 0.02 * np.abs(reals).max()
    assert all(check.passed for check in verify(kept.model, kept.session(), [x]))
    small = whet.compile(digits(), tune=True, ram=1 << 20)
    assert small.evidence["tuning"]["kept"] == "untuned", "floats would take a larger arena"


def test_only_models_that_round_and_return_have_a_twin() -> None:
    assert float_twin(digits("digits_f32")) is None
    codes = Type((2, 4), Quant(I8, (0.1,), (3,)))
    inside = parameter("x", codes)
    assert float_twin(Graph((inside,), (convert(inside, to=F32),), ("y",))) is None
    x = parameter("x", Type((2, 4), F32))
    twin = float_twin(Graph((x,), (convert(convert(x, to=codes.element), to=F32),), ("y",)))
    assert twin is not None
    values = np.array([[-100.0, -13.1, -13.0, 0.04], [12.0, 12.4, 12.5, np.inf]], np.float32)
    limits = np.float32([-13.1, 12.4])
    np.testing.assert_allclose(evaluate(twin, {"x": values})["y"], values.clip(*limits))


Q, UNSIGNED = Quant(I8, (0.1,), (3,)), Quant(U8, (0.1,), (131,))
OTHER = Quant(I8, (0.2,), (3,))


@pytest.mark.parametrize(
    ("way", "same"),
    [
        ([Q, I8, Q], True),
        ([Q, UNSIGNED, U8, UNSIGNED, Q], True),
        ([Q, I8, OTHER], False),
        ([Q, I8, replace(Q, zero=(4,))], False),
        ([Q, OTHER, I8, OTHER, Q], False),
        ([Q, U8, UNSIGNED], False),
        ([I8, Q], False),
        ([Q, I8, I16, I8, Q], False),
    ],
)
def test_codes_read_as_others_have_no_twin(way: list[Element], same: bool) -> None:
    """The chain that the ONNX importer makes of QuantizeLinear and DequantizeLinear, and others."""
    x = y = parameter("x", Type((2, 4), F32))
    for to in way:
        of = y.tensor.element
        codes = of.size == to.size and isinstance(of, Quant) != isinstance(to, Quant)
        y = (bitcast if codes else convert)(y, to=to)
    graph = Graph((x,), (convert(y, to=F32),), ("y",))
    twin = float_twin(graph)
    assert (twin is not None) == same
    if twin is not None:
        values = np.linspace(-20, 20, 8, dtype=np.float32).reshape(2, 4)
        found, expected = (evaluate(g, {"x": values})["y"] for g in (twin, graph))
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.0501)
