"""The memory plan as a picture in text: bytes up, steps to the right, one letter a buffer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_letters

from whet.compiler.pipeline import Compiled
from whet.plan.draw import size_text
from whet.plan.lifetime import Placement

ROWS = 14
MAX_COLUMNS = 72
STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")


def memory_map(compiled: Compiled) -> tuple[list[str], list[str]]:
    """The picture's lines, top first, and its legend, in rich markup."""
    placements = [p for p in compiled.memory.placements if p.buffer.size]
    placements.sort(key=lambda p: (p.buffer.start, p.offset))
    arena = compiled.memory.arena_bytes
    letters = {p.buffer.name: ascii_letters[i % 52] for i, p in enumerate(placements)}
    styles = {p.buffer.name: STYLES[i % len(STYLES)] for i, p in enumerate(placements)}
    last = max((p.buffer.end for p in placements), default=1)
    columns = min(last, MAX_COLUMNS)
    lines: list[str] = []
    for row in reversed(range(ROWS)):
        low, high = row * arena // ROWS, max((row + 1) * arena // ROWS, row * arena // ROWS + 1)
        cells: list[str] = []
        for column in range(columns):
            step = column * last // columns
            held = _held(placements, step, low, high)
            mark = letters[held] if held else "."
            cells.append(f"[{styles[held]}]{mark}[/]" if held else mark)
        edge = size_text(high) if row in (ROWS - 1, ROWS // 2) else ""
        lines.append(f"{edge:>10} |{''.join(cells)}|")
    lines.append(f"{'0 B':>10} +{'-' * columns}+  {last} steps")
    legend = [
        f"[{styles[p.buffer.name]}]{letters[p.buffer.name]}[/] {size_text(p.buffer.size)} "
        + layer_of(compiled, p.buffer.name)
        for p in placements[:52]
    ]
    return lines, legend


def _held(placements: Sequence[Placement], step: int, low: int, high: int) -> str:
    """The buffer that holds most of the bytes [low, high) during a step; empty for none."""
    best, most = "", 0
    for p in placements:
        if p.buffer.start <= step < p.buffer.end:
            share = min(p.top, high) - max(p.offset, low)
            if share > most:
                best, most = p.buffer.name, share
    return best


def layer_of(compiled: Compiled, name: str) -> str:
    """The user's layer whose result (or scratch) a buffer holds, or what else it is for."""
    found = re.match(r"v(\d+)\.\d+", name)
    nodes = compiled.graph.nodes
    if not found or int(found[1]) >= len(nodes):
        return name
    node = nodes[int(found[1])]
    layer = node.origin or str(node["name"] or node.op.name)
    return layer.replace("[", "\\[")
