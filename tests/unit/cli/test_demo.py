"""`whet demo`: the numbers it shows are those of the models it ships."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from whet.cli import main


def test_the_demo_compiles_proves_and_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--json", "-o", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    floats, codes = document["models"]
    assert floats["accuracy"] > 0.98
    assert codes["accuracy"] > floats["accuracy"] - 0.01
    assert codes["proof"] == "same bits"
    assert codes["weight_bytes"] < 0.5 * floats["weight_bytes"]
    assert codes["arena_bytes"] < floats["arena_bytes"]
    for model in (floats, codes):
        assert model["arena_lower_bound"] <= model["arena_bytes"]
        # Which of them is less is not told: another process may run meanwhile.
        assert min(model["median_us"], model["python_median_us"]) > 0
        path = tmp_path / f"{model['model']}.whet"
        assert path.stat().st_size == model["artifact_bytes"]
    assert sum(step["seconds"] for step in document["steps"]) > 0


def test_the_demo_draws(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "Memory plan of digits_int8" in out
    assert "of roof" in out
    assert "same bits" in out
