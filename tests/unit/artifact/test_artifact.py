"""An artifact comes back as it was saved, and an altered one is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.ir.test_graph import accumulator
from whet.artifact import file
from whet.artifact.artifact import Artifact, open_artifact
from whet.artifact.graph import graph_entries, read_graph
from whet.artifact.interface import HeldState, Interface, from_json, to_json
from whet.emit.port import Port
from whet.errors import ArtifactError, WhetError
from whet.ir.dim import Symbol, dim_max, of
from whet.ir.element import F32, I8
from whet.ir.text import graph_text

N, M = of(Symbol("N", 1, 9)), of(Symbol("M", 2, 5))
INTERFACE = Interface(
    "net",
    (Port("x", F32, (N, 3), 108), Port("codes", I8, (4,), 4, 0.1, -3)),
    (Port("y", F32, (N * M * 2 - 1, dim_max(N, M), (N + 1) // 2), 64),),
    (HeldState(Port("held", F32, (2,), 8), 16, 24),),
    ("N", "M"),
    64,
    32,
    4,
)
ARTIFACT = Artifact(
    INTERFACE, {"name": "host", "cpu": "native"}, b"int x;", b"/* h */", b"\x7fELF", bytes(32),
    {"accuracy": 0.5}, {"labels": b"cat\ndog"},
)  # fmt: skip

Json = dict[str, object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return ARTIFACT.save(tmp_path / "m.whet")


def rewritten(path: Path, change: Callable[[Json, dict[str, bytes]], object]) -> Path:
    """The artifact with its manifest or entries changed, digests made to fit."""
    entries = {name: bytes(data) for name, data in file.read(path).items()}
    manifest = json.loads(entries.pop("manifest.json"))
    change(manifest, entries)
    if isinstance(manifest.get("sha256"), dict):
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in entries.items()}
        manifest["sha256"] = digests
    file.write(path, {"manifest.json": json.dumps(manifest).encode(), **entries})
    return path


def refused(path: Path, match: str) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        open_artifact(path)
    assert "\n" not in str(caught.value)


def test_round_trip(path: Path) -> None:
    again = open_artifact(path, check_all=True)
    assert again.interface == INTERFACE
    assert dict(again.target) == dict(ARTIFACT.target)
    assert bytes(again.source) == ARTIFACT.source
    assert bytes(again.header) == ARTIFACT.header
    assert bytes(again.code) == ARTIFACT.code
    assert bytes(again.weights) == ARTIFACT.weights
    assert again.card == ARTIFACT.card
    assert {name: bytes(data) for name, data in again.extras.items()} == ARTIFACT.extras


@pytest.mark.parametrize("name", ["model.bin", "card.json", "extra/labels"])
def test_an_altered_entry(path: Path, name: str) -> None:
    entries = {n: bytes(d) for n, d in file.read(path).items()}
    entries[name] = entries[name][:-1] + b"?"
    file.write(path, entries)
    refused(path, f"altered: .*{name}")


@pytest.mark.parametrize("name", ["weights.bin", "model.c", "model.h", "extra/graph.txt"])
def test_what_a_run_need_not_read_is_checked_when_asked(path: Path, name: str) -> None:
    entries = {n: bytes(d) for n, d in file.read(path).items()}
    file.write(path, {**entries, name: bytes(31) + b"!"})
    open_artifact(path)
    with pytest.raises(ArtifactError, match="altered"):
        open_artifact(path, check_all=True)


def test_an_entry_that_the_manifest_does_not_know(path: Path) -> None:
    entries = {n: bytes(d) for n, d in file.read(path).items()}
    file.write(path, {**entries, "extra/more": b"data"})
    refused(path, "altered")


@pytest.mark.parametrize("schema", [0, 1, "2", None, 1e9])
def test_another_schema(path: Path, schema: object) -> None:
    refused(rewritten(path, lambda m, _: m.update(schema=schema)), "this Whet reads 2")


@pytest.mark.parametrize("name", ["model.c", "weights.bin", "model.bin", "card.json"])
def test_a_missing_entry(path: Path, name: str) -> None:
    refused(rewritten(path, lambda _, entries: entries.pop(name)), f"{name} missing")


@pytest.mark.parametrize("part", ["sha256", "target", "interface"])
def test_a_malformed_manifest(path: Path, part: str) -> None:
    refused(rewritten(path, lambda m, _: m.update({part: [1]})), "the manifest is malformed")


def test_a_manifest_that_is_no_json(path: Path) -> None:
    entries = {n: bytes(d) for n, d in file.read(path).items()}
    for data in (b"", b"[1]", b"\xff", b"[" * 100_000):
        file.write(path, {**entries, "manifest.json": data})
        refused(path, "a JSON entry is malformed")


def test_weights_of_another_size(path: Path) -> None:
    refused(
        rewritten(path, lambda _, entries: entries.update({"weights.bin": bytes(31)})),
        "weights.bin has the wrong size",
    )


@pytest.mark.parametrize("change", [
    {"arena_bytes": -1}, {"arena_bytes": 1 << 60}, {"weight_bytes": "32"}, {"inputs": 3},
    {"inputs": [{"name": "x"}]}, {"symbols": None}, {"states": [{}]}, {"arena_bytes": 8},
    {"threads": "2"},
])  # fmt: skip
def test_an_interface_that_cannot_be(change: Json) -> None:
    data = {**to_json(INTERFACE), **change}
    with pytest.raises(ArtifactError, match=r"manifest") as caught:
        from_json(data)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_size_that_nests_without_end() -> None:
    size: object = 1
    for _ in range(3000):
        size = [[1, {"kind": "max", "left": size, "right": 1}]]
    data = to_json(replace(INTERFACE, states=()))
    data["inputs"] = [{"name": "x", "element": "f32", "shape": [size], "nbytes": 4}]  # type: ignore[list-item]
    with pytest.raises(ArtifactError, match="the manifest is malformed"):
        from_json(data)


def test_the_graph_travels_along() -> None:
    graph = accumulator()
    again = read_graph(graph_entries(graph))
    text, arrays = graph_text(again)
    assert text == graph_text(graph)[0]
    assert np.array_equal(arrays[0], graph.states[0].initial)


def test_a_graph_that_is_absent_or_damaged() -> None:
    with pytest.raises(ArtifactError, match="holds no graph"):
        read_graph({})
    entries = graph_entries(accumulator())
    for name in entries:
        with pytest.raises(WhetError) as caught:
            read_graph({**entries, name: entries[name][:40]})
        assert "\n" not in str(caught.value)
