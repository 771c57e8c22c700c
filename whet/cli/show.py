"""How results are shown: tables for people, one JSON document for programs, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import click

from whet.errors import printable

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Cell = str | int | float

# Wide enough that a table in a pipe or a file loses nothing.
PIPE_WIDTH = 220


def json_option(command: Callable[..., object]) -> Callable[..., object]:
    """The `--json` option, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(document: Json) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, indent=2, allow_nan=False))


def print_notes(notes: Sequence[str]) -> None:
    """What a user should know, a line each on standard error."""
    for note in notes:
        print(f"whet: note: {printable(note)}", file=sys.stderr)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A table on standard output; columns that hold only numbers are right-aligned."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell_text(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    console.print(escape(title), style="bold")
    console.print(table)


def cell_text(cell: Cell) -> str:
    """A cell as text: numbers with about four significant digits, whole ones with separators."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


class Reporter(Protocol):
    """Says what is being done, and which share of the whole is done where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


def silent(text: str, share: float | None = None) -> None:
    """Says nothing."""


@contextmanager
def progress(quiet: bool) -> Iterator[Reporter]:
    """One that shows on stderr, with a bar where there is a share; silent if `quiet`, or off a
    terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    shown = Progress(
        *columns, BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
    with shown as bar:
        task = bar.add_task("starting", total=None)

        def step(text: str, share: float | None = None) -> None:
            total = None if share is None else 1.0
            bar.update(task, description=text, total=total, completed=share or 0.0)

        yield step
