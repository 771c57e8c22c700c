"""inspect, compile, run, bench and verify on a small model, as people and programs use them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import whet
from tests.unit.cli.small_models import WEIGHTS, dense
from whet.cli import main
from whet.kernels.call import call_key

X = np.arange(12.0).reshape(3, 4) / 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    dense(tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "net.toml").write_text(
        '[[view]]\nkind = "classes"\noutput = "y"\ntop = 2\nlabels = "names.txt"\n'
    )
    (tmp_path / "names.txt").write_text("\n".join(f"class {i}" for i in range(8)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_model_becomes_an_artifact_that_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = document(capsys, "compile", "net.onnx")
    assert facts["artifact"] == "net.whet"
    assert facts["arena_bytes"] >= facts["arena_lower_bound"]
    assert facts["weight_bytes"] >= WEIGHTS.nbytes
    assert (folder / "net.whet").stat().st_size == facts["artifact_bytes"]
    card = document(capsys, "inspect", "net.whet")["card"]
    # The activation counts where it is a step of its own.
    assert card["operations"] in (2 * 3 * 4 * 8, 2 * 3 * 4 * 8 + 3 * 8)
    assert card["arena_bytes"] == facts["arena_bytes"]

    (folder / "names.txt").unlink()
    (folder / "net.toml").unlink()
    expected = np.maximum(X.astype(np.float32) @ WEIGHTS, 0)
    best = int(expected[0].argmax())
    shown = document(capsys, "run", "net.whet", "x.npy", "-o", "out")
    first = shown["outputs"][0]["rows"][0]
    assert first["label"] == f"class {best}"
    assert first["score"] == pytest.approx(expected[0, best], rel=1e-5)
    saved = np.load(folder / "out" / "outputs.npz")
    assert np.allclose(saved["y"], expected, rtol=1e-5)
    session = whet.load(folder / "net.whet")
    assert np.allclose(session({"x": X.astype(np.float32)})["y"], expected, rtol=1e-5)


def test_tables_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "net.onnx", "-o", "a.whet"]) == 0
    assert "lower bound" in capsys.readouterr().out
    assert main(["run", "a.whet", "x=x.npy", "--threads", "2"]) == 0
    assert "class" in capsys.readouterr().out
    assert main(["inspect", "net.onnx", "--layers"]) == 0
    assert "'fc'" in capsys.readouterr().out
    assert main(["inspect", "a.whet"]) == 0
    assert "arena" in capsys.readouterr().out
    assert main(["verify", "net.onnx", "x.npy"]) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_inspect_counts_operations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = document(capsys, "inspect", "net.onnx")
    products = [layer for layer in facts["layers"] if layer["op"] == "matmul"]
    assert products[0]["operations"] == 2 * 3 * 4 * 8
    assert products[0]["weight_bytes"] == WEIGHTS.nbytes
    dense(folder / "free.onnx", "N")
    free = document(capsys, "inspect", "free.onnx")
    (product,) = (layer for layer in free["layers"] if layer["op"] == "matmul")
    assert product["operations"] == 2 * 1 * 4 * 8


def test_verify_compares_with_the_meaning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (check,) = document(capsys, "verify", "net.onnx", "--trials", "2")["outputs"]
    assert check["passed"]
    assert check["elements"] == 2 * 24


def test_sizes_are_bound_by_option(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dense(folder / "free.onnx", "N")
    assert main(["compile", "free.onnx"]) == 2
    assert "--size N=1" in capsys.readouterr().err
    shown = document(capsys, "run", "free.onnx", "x.npy", "--size", "N=3")
    assert shown["outputs"][0]["rows"][0]["shape"] == "3x8"


def test_a_race_against_onnxruntime(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    arguments = ["bench", "net.onnx", "x.npy", "--against", "onnxruntime", "--seconds", "0.1"]
    arguments.append("--per-op")
    facts = document(capsys, *arguments)
    ours, theirs = facts["engines"]
    assert (ours["engine"], theirs["engine"]) == ("whet", "onnxruntime")
    assert ours["ratio"] == 1.0
    assert theirs["difference"] < 1e-5
    for lap in (ours, theirs):
        assert 0 < lap["least"] <= lap["median"] <= lap["p99"]
        assert lap["first"] > lap["least"]
        assert lap["gop_s"] == pytest.approx(facts["operations"] / lap["least"] / 1e9)
    products = [step for step in facts["steps"] if step["operations"]]
    assert products[0]["layer"] == "MatMul 'fc'"
    assert all(step["seconds"] < 0.01 for step in facts["steps"])
    assert main(arguments) == 0
    assert "of peak" in capsys.readouterr().out


def test_steps_of_two_threads_tell_what_is_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "net.onnx", "x.npy", "--seconds", "0.05", "--per-op", "--threads", "2"]
    facts = document(capsys, *arguments)
    spreads, call = [step["spread"] for step in facts["steps"]], facts["call"]
    assert spreads
    assert all(len(spread["each"]) == 2 for spread in spreads)
    assert call["unnoted_waits"] == 0
    assert call["together"] == pytest.approx(call["share"] + sum(call["lost"].values()))
    for reason in ("slower", "uneven", "serial", "waits"):
        told = sum(spread[reason] for spread in spreads)
        assert call["lost"][reason] == pytest.approx(told)
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "Steps, 2 threads" in shown
    assert "Python and the call" in shown


def test_steps_are_drawn_under_the_roof(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "net.onnx", "--seconds", "0.05", "--picture"]
    steps = document(capsys, *arguments, "roof.svg")["steps"]
    root = ElementTree.parse("roof.svg").getroot()
    told = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(told) == sum(s["operations"] > 0 and s["moved_bytes"] > 0 for s in steps)
    assert all("of roof" in text for text in told)
    assert main([*arguments, "nowhere/roof.svg"]) == 2
    assert "picture cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "absent.whet", "x.npy"], "no such model"),
        (["run", "x.npy", "x.npy"], "x.npy"),
        (["run", "net.onnx"], "an input has no file: x"),
        (["run", "net.onnx", "x.npy", "x.npy"], "too many input files"),
        (["run", "net.onnx", "names.txt"], "cannot read the array"),
        (["run", "net.onnx", "x.npy", "--media", "absent.toml"], "cannot read the input"),
        (["run", "net.onnx", "x.npy", "--threads", "0"], "bad number of threads"),
        (["compile", "names.txt"], "names.txt"),
        (["compile", "absent.onnx"], "absent.onnx"),
        (["compile", "net.onnx", "-o", "absent/a.whet"], "cannot be written"),
        (["compile", "net.onnx", "--size", "N"], "bad --size"),
        (["compile", "net.onnx", "--size", "N=8:1"], "low bound is above"),
        (["compile", "net.onnx", "--cpu", "z80"], "unknown cpu z80"),
        (["compile", "net.onnx", "--target", "abacus"], "unknown target abacus"),
        (["bench", "net.onnx", "--against", "ort"], "unknown engine: ort"),
        (["bench", "net.onnx", "--against", "litert"], "cannot read this model"),
        (["verify", "net.onnx", "--trials", "0"], "bad --trials"),
        (["inspect", "absent.onnx"], "no such model"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_pipelines_must_fit_the_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.toml").write_text('[[view]]\nkind = "classes"\noutput = "z"\n')
    assert main(["compile", "net.onnx"]) == 2
    assert "no output is named z" in capsys.readouterr().err


def test_tuning_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whet.tune.kept.cache_folder", lambda: folder / "cache")
    facts = document(capsys, "compile", "net.onnx", "--tune", "-o", "tuned.whet")
    tuning = facts["tuning"]
    assert isinstance(tuning, dict)
    assert tuning["calls"] == tuning["measured"] == 1
    assert tuning["untuned_seconds"] > 0
    assert document(capsys, "inspect", "tuned.whet")["card"]["tuning"] == tuning
    assert main(["compile", "net.onnx", "--tune", "-o", "tuned.whet"]) == 0
    shown = capsys.readouterr().out
    assert "1, 0 timed now" in shown
    assert "untuned" in shown


def test_choices_are_taken_from_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "matmul(f32[3,4], *f32[4,8], none) {epilogue=[f32[] *f32[] max()]} -> f32[3,8]"
    graph = whet.compile("net.onnx").graph
    assert key in {call_key(node) for node in graph.nodes}
    for numbers, used in (([1, 1, 1], 1), ([31, 9, 1], 0)):
        calls = {key: {"kernel": "matmul_f32", "numbers": numbers}}
        (folder / "c.json").write_text(json.dumps({"format": 1, "calls": calls}))
        assert main(["compile", "net.onnx", "--choices", "c.json", "--json"]) == 0
        printed = capsys.readouterr()
        facts = json.loads(printed.out)
        assert facts["chosen"] == used
        assert len(facts["notes"]) == 1 - used
        assert ("does not fit" in printed.err) == (not used)
    assert main(["compile", "net.onnx", "--choices", "c.json", "--tune"]) == 2
    assert main(["compile", "net.onnx", "--choices", "absent.json"]) == 2


def test_memory_options_say_what_they_take(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = document(capsys, "compile", "net.onnx", "--ram", "1.5MB", "--patches", "2x2")
    assert facts["arena_bytes_without_patches"] == facts["arena_bytes"]
    assert facts["patched_stages"] == []
    assert main(["compile", "net.onnx", "--ram", "16KiB"]) == 0
    assert "caller's buffers" in capsys.readouterr().out
    for option, text in (
        ("--ram", "12 bananas"),
        ("--ram", "0"),
        ("--patches", "4"),
        ("--patches", "0x2"),
        ("--patches", "9" * 5000 + "x1"),
    ):
        assert main(["compile", "net.onnx", option, text]) == 2
        assert f"bad {option}: {text[:40]}" in capsys.readouterr().err


def test_a_model_in_patches_says_what_they_cost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(Path(whet.__file__).parent / "demo/digits_int8.onnx")
    facts = document(capsys, "compile", model, "-o", "d.whet", "--patches", "2x1")
    assert facts["arena_bytes"] < facts["arena_bytes_without_patches"]
    assert {(s["rows"], s["columns"]) for s in facts["patched_stages"]} == {(2, 1)}
    assert facts["time_ratio"] > 0
    card = document(capsys, "inspect", "d.whet")["card"]
    assert card["extra_operations"] == facts["extra_operations"]
    assert main(["compile", model, "-o", "d.whet", "--patches", "2x1"]) == 0
    assert "times the time" in capsys.readouterr().out
    assert main(["compile", model, "-o", "d.whet", "--ram", "10"]) == 2
    assert "smallest found" in capsys.readouterr().err


def test_a_precision_is_asked_for_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert document(capsys, "inspect", "net.onnx")["precision"] == "f32"
    assert document(capsys, "inspect", "net.onnx", "--precision", "bf16")["precision"] == "bf16"
    facts = document(capsys, "compile", "net.onnx", "--precision", "bf16", "-o", "b.whet")
    assert facts["precision"] == "bf16"
    assert document(capsys, "inspect", "b.whet")["card"]["precision"] == "bf16"
    outputs = document(capsys, "verify", "b.whet", "x.npy")["outputs"]
    assert all(check["passed"] for check in outputs)
    assert main(["inspect", "net.onnx", "--precision", "bf16"]) == 0
    assert "products" in capsys.readouterr().out
    found = whet.load("b.whet")({"x": X.astype(np.float32)})["y"]
    assert np.allclose(found, np.maximum(X @ WEIGHTS, 0), atol=2.0**-7 * 4)
    assert main(["compile", "net.onnx", "--precision", "f8"]) == 2
