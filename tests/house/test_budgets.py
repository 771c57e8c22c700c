"""Sizes stay within budget: a reader holds one file and one function in the head at a time."""

from __future__ import annotations

from pathlib import Path
from statistics import median, quantiles

import pytest

from tests.house import source

FILE_MAX = 500
FILE_MEDIAN = 200
FUNCTION_MAX = 60
FUNCTION_P90 = 30
LINE_MAX = 100

FILES = (*source.python_files(), *source.header_files())


@pytest.mark.parametrize("path", FILES, ids=source.name_of)
def test_file_is_short(path: Path) -> None:
    lines = source.code_lines(path)
    assert lines <= FILE_MAX, (
        f"{source.name_of(path)} has {lines} lines, budget {FILE_MAX}: split it where its subject "
        "changes (one op family, pass, kernel family or format table a file)"
    )


@pytest.mark.parametrize("path", FILES, ids=source.name_of)
def test_lines_fit_the_page(path: Path) -> None:
    long = [
        f"{source.name_of(path)}:{number} has {len(line)} columns"
        for number, line in enumerate(source.text(path).splitlines(), 1)
        if len(line) > LINE_MAX
    ]
    assert not long, f"budget {LINE_MAX} columns: {'; '.join(long)}: name a part of the expression"


def test_functions_are_short() -> None:
    long = [
        f"{f.path}:{f.line} {f.name} has {f.lines} lines"
        for f in source.functions()
        if f.lines > FUNCTION_MAX
    ]
    assert not long, (
        f"budget {FUNCTION_MAX} lines a function: {'; '.join(long)}: name its steps as functions, "
        "or turn its cases into a table"
    )


def test_most_functions_are_very_short() -> None:
    lengths = [f.lines for f in source.functions()]
    p90 = quantiles(lengths, n=10, method="inclusive")[-1]
    assert p90 <= FUNCTION_P90, (
        f"a tenth of the functions is longer than {p90:.0f} lines, budget {FUNCTION_P90}: "
        "shorten the longest ones first"
    )


def test_most_files_are_very_short() -> None:
    middle = median(source.code_lines(path) for path in FILES)
    assert middle <= FILE_MEDIAN, (
        f"the median file has {middle:.0f} lines, budget {FILE_MEDIAN}: split the longest files"
    )


def test_header_functions_are_seen() -> None:
    text = (
        "int prototype(int a,\n    int b);\n"
        "static inline int first(\n    const int n) {\n  if (n) {\n    return 1;\n  }\n"
        "  return 0;\n}\ntypedef float v16 __attribute__((vector_size(64)));\n"
        "typedef struct {\n  int a;\n} pair;\nint second(int a) { return a; }\n"
    )
    assert list(source.scan_header(text)) == [(3, "first", 7), (14, "second", 1)]
