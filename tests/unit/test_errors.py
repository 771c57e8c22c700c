"""Errors stay one bounded, printable line whatever the text they carry."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whet.errors import LINE_LIMIT, ModelError, UnsupportedError, WhetError, printable

HOSTILE = st.text(st.characters(), max_size=3000)


def test_the_four_parts_read_as_one_line() -> None:
    error = WhetError("cannot read model", "conv1.onnx", "file is truncated", "download it again")
    assert str(error) == "cannot read model: conv1.onnx: file is truncated; try: download it again"


def test_missing_parts_leave_no_gaps() -> None:
    assert str(ModelError("cyclic graph", why="A feeds B feeds A")) == (
        "cyclic graph: A feeds B feeds A"
    )


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_any_text_stays_on_one_bounded_printable_line(
    what: str, where: str, why: str, hint: str
) -> None:
    line = str(WhetError(what, where, why, hint))
    assert len(line) <= LINE_LIMIT
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
    line.encode("utf-8")


def test_terminal_escapes_and_bidi_overrides_are_shown_not_obeyed() -> None:
    assert printable("a\x1b[2Jb\u202ec\n") == "a\\x1b[2Jb\\u202ec\\n"


def test_long_text_keeps_both_ends() -> None:
    short = printable("first" + "x" * 100_000 + "last", 50)
    assert len(short) == 50
    assert short.startswith("first")
    assert short.endswith("last")


@pytest.mark.parametrize("count", [1, 3, 5000])
def test_unsupported_lists_every_layer_and_prints_a_bounded_line(count: int) -> None:
    ops = [(f"Op{i}", f"block\n{i}/op", "no C kernel") for i in range(count)]
    error = UnsupportedError(ops, "model.onnx")
    assert [tuple(op) for op in error.ops] == ops
    assert len(str(error)) <= LINE_LIMIT
    assert len(str(error).splitlines()) == 1
    assert "Op0 at block\\n0/op (no C kernel)" in str(error)


@pytest.mark.parametrize(
    "error",
    [ModelError("a", "b", "c", "d"), UnsupportedError([("Foo", "x/y", "no meaning")], "m", "h")],
)
def test_errors_survive_a_process_boundary(error: WhetError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
