"""Every failure Whet reports, in one hierarchy.

An error is one line: what went wrong, where in the user's model, why, and what to try. Text that
came from outside (layer names, paths, foreign messages) is escaped and shortened, so that a hostile
file can neither break the line nor flood a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "ArtifactError",
    "CompileError",
    "InputError",
    "ModelError",
    "ShapeError",
    "UnsupportedError",
    "UnsupportedOp",
    "WhetError",
]

PART_LIMIT = 400
LINE_LIMIT = 1600
LISTED_OPS = 12

# Categories that break a line or act on a terminal: controls, invisible formatting (bidirectional
# overrides among them), lone surrogates, private use, unassigned, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: object, limit: int = PART_LIMIT) -> str:
    """The text on one printable line of at most `limit` characters.

    Unprintable characters become Python escapes; a text that is too long keeps its head and tail
    around `...`, because the end of a layer's path is what tells it from its neighbours.
    """
    raw = str(text)
    if len(raw) > 4 * limit:
        raw = raw[: 2 * limit] + "..." + raw[-2 * limit :]
    line = "".join(map(_escape, raw))
    if len(line) <= limit:
        return line
    tail = limit // 3
    return line[: limit - tail - 3] + "..." + line[len(line) - tail :]


def _escape(char: str) -> str:
    if unicodedata.category(char) in _UNPRINTABLE:
        return char.encode("unicode_escape").decode("ascii")
    return char


class WhetError(Exception):
    """A failure with a name: `what: where: why; try: hint`, always one line.

    what: the failure itself, the only part that is required. where: the place in the user's model,
    file or input. why: the cause. hint: what to try next.
    """

    def __init__(self, what: str, where: str = "", why: str = "", hint: str = "") -> None:
        super().__init__(what, where, why, hint)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        line = ": ".join(printable(part) for part in (self.what, self.where, self.why) if part)
        if self.hint:
            line += f"; try: {printable(self.hint)}"
        return printable(line, LINE_LIMIT)


class ModelError(WhetError):
    """A model file that is malformed, unsafe or not what it claims to be."""


class ShapeError(WhetError):
    """Shapes or element types that do not fit together, in a model or between a model and data."""


class CompileError(WhetError):
    """A well-formed graph that could not be planned, emitted or built for its target."""


class ArtifactError(WhetError):
    """A `.whet` artifact that is malformed, altered, or made for another machine or version."""


class InputError(WhetError):
    """Something the user handed to a command or a call: an option, an image, an array."""


class UnsupportedOp(NamedTuple):
    """One layer that cannot be handled: its op, its name in the user's model, and the reason."""

    op: str
    layer: str
    reason: str


class UnsupportedError(WhetError):
    """Everything a model asks for that is not supported, listed at once.

    `ops` holds every (op, layer, reason), also those beyond the few that the line has room for.
    """

    def __init__(
        self, ops: Iterable[tuple[str, str, str]], where: str = "", hint: str = ""
    ) -> None:
        self.ops = tuple(UnsupportedOp(*op) for op in ops)
        kinds = sorted({op.op for op in self.ops})
        named = ", ".join(kinds[:LISTED_OPS]) + (", ..." if len(kinds) > LISTED_OPS else "")
        count = f"{len(self.ops)} layer" + ("s" if len(self.ops) != 1 else "")
        super().__init__(f"unsupported ops in {count} ({named})", where, hint=hint)
        self.args = (self.ops, where, hint)

    def __str__(self) -> str:
        shown = [
            f"{printable(op.op, 60)} at {printable(op.layer, 80)} ({printable(op.reason, 120)})"
            for op in self.ops[:LISTED_OPS]
        ]
        if len(self.ops) > LISTED_OPS:
            shown.append(f"and {len(self.ops) - LISTED_OPS} more")
        head = ": ".join(printable(part) for part in (self.what, self.where) if part)
        tail = f"; try: {printable(self.hint)}" if self.hint else ""
        body = printable("; ".join(shown), LINE_LIMIT - len(head) - len(tail) - 2)
        return f"{head}: {body}{tail}"
