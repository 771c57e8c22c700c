"""The project's own sources, parsed once for the house rules: files, functions, comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
C_FUNCTION = re.compile(r"^[A-Za-z_].*?(\w+)\s*\(")
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)

Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the project and the lines it spans, signature and docstring included."""

    path: str
    line: int
    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Comment:
    """The text of one comment, without its marker."""

    path: str
    line: int
    text: str


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def python_files() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "whet").rglob("*.py")))


@cache
def header_files() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "whet" / "kernels").rglob("*.h")))


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


def code_lines(path: Path) -> int:
    return len(text(path).splitlines())


def python_functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Def):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(name_of(path), node.lineno, node.name, lines)


def header_functions(path: Path) -> Iterator[Function]:
    for line, name, lines in scan_header(text(path)):
        yield Function(name_of(path), line, name, lines)


def scan_header(code: str) -> Iterator[tuple[int, str, int]]:
    """(line, name, lines) of each C function whose signature starts in column 0."""
    start, name, opened = 0, "", False
    for number, line in enumerate(code.splitlines(), 1):
        if not name and (match := C_FUNCTION.match(line)):
            start, name, opened = number, match.group(1), False
        if not name:
            continue
        opened = opened or "{" in line
        if opened and (line.startswith("}") or (number == start and line.endswith("}"))):
            yield start, name, number - start + 1
            name = ""
        elif not opened and line.endswith(";"):
            name = ""


def functions() -> tuple[Function, ...]:
    found = [f for path in python_files() for f in python_functions(path)]
    found += [f for path in header_files() for f in header_functions(path)]
    return tuple(found)


def comments(path: Path) -> Iterator[Comment]:
    if path.suffix == ".h":
        for match in C_COMMENT.finditer(text(path)):
            line = text(path).count("\n", 0, match.start()) + 1
            yield Comment(name_of(path), line, match.group().strip("/* \n"))
        return
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        if token.type == tokenize.COMMENT:
            yield Comment(name_of(path), token.start[0], token.string.lstrip("# "))


def public_functions(path: Path) -> Iterator[tuple[str, Def]]:
    """Module-level functions and methods whose every name, class included, has no underscore."""
    for node in tree(path).body:
        if isinstance(node, Def) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for item in node.body:
                dunder = isinstance(item, Def) and item.name.startswith("__")
                if isinstance(item, Def) and (dunder or not item.name.startswith("_")):
                    yield f"{node.name}.{item.name}", item
