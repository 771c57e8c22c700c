"""What is kept comes back on the same machine; anything else in its place is left out and said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from whet.kernels.kernel import Choice
from whet.targets.host import host
from whet.tune import kept
from whet.tune.kept import Record, keep_records, read_records, record_path

A = Record(Choice("conv_f32", (6, 2, 48)), 8e-5, 1e-4)
B = Record(None, 1e-4, 1e-4)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    return tmp_path


def test_records_come_back_and_add_up() -> None:
    assert read_records(host()) == ({}, ())
    keep_records(host(), {"a": A})
    keep_records(host(), {"b": B})
    assert read_records(host()) == ({"a": A, "b": B}, ())
    keep_records(host(), {"a": B})
    assert read_records(host())[0]["a"] == B


def test_another_processor_compiler_or_target_has_a_file_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_records(host(), {"a": A})
    paths = {record_path(host()), record_path(host("x86-64-v3"))}
    monkeypatch.setattr(kept, "cpu_model", lambda: "another one")
    paths.add(record_path(host()))
    monkeypatch.setattr(kept, "compiler_version", lambda: "another one")
    paths.add(record_path(host()))
    monkeypatch.setattr(kept, "kernels_digest", lambda: "another one")
    paths.add(record_path(host()))
    assert len(paths) == 5
    assert read_records(host()) == ({}, ())


def test_a_file_of_another_machine_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_records(host(), {"a": A})
    found = record_path(host()).read_text()
    monkeypatch.setattr(kept, "cpu_model", lambda: "another one")
    record_path(host()).write_text(found)
    records, notes = read_records(host())
    assert not records
    assert str(record_path(host())) in notes[0]


RECORD = {"choice": None, "seconds": 1.0, "default_seconds": 1.0}
DAMAGE = {
    "empty": "",
    "cut": '{"format": 1, "calls": {"a"',
    "list": "[]",
    "number": "1",
    "deep": "[" * 100_000,
    "no calls": json.dumps({"format": 1}),
    "calls of a list": json.dumps({"format": 1, "calls": []}),
    "record of a number": json.dumps({"format": 1, "calls": {"a": 3}}),
    "time of text": json.dumps({"format": 1, "calls": {"a": {**RECORD, "seconds": "1"}}}),
    "choice of text": json.dumps({"format": 1, "calls": {"a": {**RECORD, "choice": "x"}}}),
    "number of text": json.dumps(
        {"format": 1, "calls": {"a": {**RECORD, "choice": {"kernel": "x", "numbers": ["1"]}}}}
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_left_out_and_replaced(name: str) -> None:
    path = record_path(host())
    path.parent.mkdir(parents=True)
    text = DAMAGE[name]
    if text.startswith('{"format": 1,') and text.endswith("}}"):
        text = json.dumps({**json.loads(text), "for": kept.identity(host())})
    path.write_text(text)
    records, notes = read_records(host())
    assert not records
    assert len(notes) == 1
    keep_records(host(), {"a": A})
    assert read_records(host()) == ({"a": A}, ())


def test_a_cache_that_cannot_be_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WHET_CACHE", str(tmp_path / "file"))
    keep_records(host(), {"a": A})
    assert read_records(host())[0] == {}


def test_a_failed_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_records(host(), {"a": A})

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    keep_records(host(), {"b": B})
    assert [p.name for p in record_path(host()).parent.iterdir()] == [record_path(host()).name]
    assert read_records(host())[0] == {"a": A}


@pytest.mark.parametrize("name", ["emit/c.py", "kernels/share.py", "kernels/include/gemm_f32.h"])
def test_kernels_are_all_that_makes_their_c(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, read = kept.kernels_digest(), Path.read_bytes

    def edited(path: Path) -> bytes:
        return read(path) + b" " * path.as_posix().endswith(f"/{name}")

    monkeypatch.setattr(Path, "read_bytes", edited)
    assert kept.kernels_digest.__wrapped__() != before
