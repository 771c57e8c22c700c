"""Emitted C fits a page, whatever the model is called, and its words stay the same."""

from __future__ import annotations

from importlib.resources import files

import pytest

import whet
from whet.emit.page import COLUMNS, comment, page
from whet.importers import import_model


@pytest.mark.parametrize("name", ["digits_f32", "digits_int8"])
@pytest.mark.parametrize("target", ["host", "cortex-m4"])
def test_models_fit_the_page(name: str, target: str) -> None:
    graph = import_model((files("whet") / "demo" / f"{name}.onnx").read_bytes())
    compiled = whet.compile(graph, target)
    for text in (compiled.source, compiled.header):
        assert max(map(len, text.split("\n"))) <= COLUMNS


def test_breaking_lines_changes_no_word() -> None:
    call = "    stage(" + ", ".join(f"weights + {i}" for i in range(40)) + ");"
    note = "/* " + " ".join(f"layer{i}" for i in range(40)) + " */"
    broken = page(f"{call}\n{note}\nshort, line").split("\n")
    assert max(map(len, broken)) <= COLUMNS
    assert broken[-1] == "short, line"
    code = [line for line in broken if line.startswith("    ")]
    assert "".join(code).split() == call.replace(", ", ",        ").split()
    assert [w for line in broken for w in line.split() if w.startswith("layer")] == note.split()[
        1:-1
    ]


def test_what_cannot_be_broken_stays() -> None:
    for line in (
        'x = "' + "a, " * 50 + '";',
        "x = f(" + "a, " * 40 + "b); // why",
        "#define A " + "b, " * 50,
        "c, " * 50 + "\\",
    ):
        assert page(line) == line


def test_a_name_cannot_end_a_comment() -> None:
    assert comment("/* a */ int x; /* b") == "/* a * / int x; / * b"


def test_a_line_comment_stays_one() -> None:
    broken = page("    // " + ", ".join(f"word{i}" for i in range(40))).split("\n")
    assert len(broken) > 1
    assert all(line.startswith("    // ") and len(line) <= COLUMNS for line in broken)
