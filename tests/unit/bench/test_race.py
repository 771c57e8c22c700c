"""The race: what engines that fail or disagree look like."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

import whet
from tests.unit.cli.small_models import dense
from whet.bench.engine import Setting
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


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("element", ["int64", "int32", "uint8"])
def test_a_settled_input_is_given_to_engines_that_still_ask_for_it(
    element: str, engine: str, tmp_path: Path
) -> None:
    pytest.importorskip(engine)
    path = tmp_path / "net.onnx"
    text = """<ir_version: 8, opset_import: ["" : 17]>
    net (ELEMENT[1] times, float[4] x) => (float[4] y) { f = Cast <to=1> (times) y = Mul (x, f) }"""
    onnx.save(onnx.parser.parse_model(text.replace("ELEMENT", element)), path)
    build = whet.compile(path, sizes={"times": 3}).artifact().save(tmp_path / "net.whet")
    setting = Setting(settled={"times": 3})
    whet_lap, peer = race({"whet": build, engine: path}, [np.ones(4, np.float32)], setting, 0.1)
    assert peer.difference == whet_lap.difference == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_engines_are_stopped_while_they_wait(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    waiting: list[str] = []

    def look(now: str) -> None:
        if now.startswith("round"):
            waiting.extend(_settled(child) for child in _workers())

    path = dense(tmp_path / "net.onnx")
    race({"onnxruntime": path}, [np.zeros((3, 4), np.float32)], seconds=0.1, progress=look)
    assert waiting
    assert set(waiting) == {"T"}


def _workers() -> list[Path]:
    """The race's engine processes: children of this one."""
    found = [
        int(n) for f in Path("/proc/self/task").glob("*/children") for n in f.read_text().split()
    ]
    folders = [Path(f"/proc/{child}") for child in found]
    return [f for f in folders if b"whet.bench.worker" in (f / "cmdline").read_bytes()]


def _settled(process: Path) -> str:
    """The state of a process, waited for a little until it is stopped."""
    for _ in range(200):
        state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "T":
            break
        time.sleep(0.01)
    return state


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


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends a stopped child")
def test_no_engine_outlives_a_race_that_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = dense(tmp_path / "net.onnx")
    code = (
        "import numpy as np; from pathlib import Path; from whet.bench.race import race; "
        f"path = Path({str(model)!r}); race(dict.fromkeys(['onnxruntime'], path), "
        "[np.zeros((3, 4), np.float32)], seconds=60, progress=lambda text: print(text, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as racer:
        assert racer.stdout is not None
        assert any("round" in line for line in racer.stdout)
        tasks = Path(f"/proc/{racer.pid}/task/{racer.pid}/children").read_text()
        racer.kill()
    (worker,) = tasks.split()
    end = time.monotonic() + 10
    while Path(f"/proc/{worker}/exe").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}/exe").exists()
