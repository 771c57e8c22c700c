"""Strips as C: loops over rows in which the stages take turns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from whet.emit.program import Group, Link, Step, Strips

HEADER = "strips.h"
Calling = Callable[[Step, str], str]


def strips(chain: Strips, call: Calling) -> str:
    """A block of statements that `part` of `parts` threads runs. call: a step's C for units
    `begin, end`, given as text.

    base_g, made_g: the rows of group g that are held are [base_g, made_g); next_g: where they end
    after the strip.
    """
    groups, last = chain.groups, len(chain.groups) - 1
    end = groups[last]
    turns = -(-end.rows // end.turn)
    past = f"SHARE({turns}, part + 1){_times(end.turn)}"
    lines = [
        f"u8 *const held = arena + {chain.memory.offset} + part * {chain.each};",
        f"int made_{last} = SHARE({turns}, part){_times(end.turn)};",
        f"const int past = LEAST({past}, {end.rows});",
    ]
    links = iter(range(len(chain.links)))
    numbered = [[(next(links), link) for link in group.links] for group in groups]
    after = list(enumerate(pairwise(groups)))
    for g, (group, reader) in reversed(after):
        needed = f"MOST({_first(reader, f'made_{g + 1}')}, 0)"
        lines.append(f"int base_{g} = {_down(needed, group.turn)}, made_{g} = base_{g};")
    body = [f"const int next_{last} = LEAST(made_{last} + {chain.strip}, past);"]
    for g, (group, reader) in reversed(after):
        needed = f"{_first(reader, f'next_{g + 1} - 1')} + {reader.taps}"
        body.append(f"const int next_{g} = LEAST({_up(needed, group.turn)}, {group.rows});")
    for g, group in enumerate(groups):
        if g < last:
            number, link = numbered[g][-1]
            needed = f"MOST({_first(groups[g + 1], f'made_{g + 1}')}, 0)"
            given = f"held + {link.held}, {link.row_bytes}, base_{g}, {needed}, made_{g}"
            body.append(f"base_{g} = keep_rows({given});")
            body.append(_rows(number, link, f"base_{g}"))
        body += _group(group, g, numbered[g], call)
        body.append(f"made_{g} = next_{g};")
    lines += [f"while (made_{last} < past) {{", *_indented(body), "}"]
    return "\n".join(["{", *_indented(lines), "}"])


def _group(group: Group, g: int, links: list[tuple[int, Link]], call: Calling) -> list[str]:
    """The rows [made_g, next_g) of a group, turn by turn."""
    alone = len(links) == 1
    begin, end = (f"made_{g}", f"next_{g}") if alone else ("row", "end")
    calls = []
    for number, link in links:
        if link is not group.links[-1]:
            calls.append(_rows(number, link, "row"))
        # Rows begin with a grain, or where there are none left: behind the last, a part of one.
        span = ", ".join(_up(row, link.grain, link.units) for row in (begin, end))
        calls.append(call(link.step, span))
    if alone:
        return calls
    head = f"for (int row = made_{g}; row < next_{g}; row += {group.turn}) {{"
    stop = f"const int end = LEAST(row + {group.turn}, next_{g});"
    return [head, *_indented([stop, *calls]), "}"]


def _rows(number: int, link: Link, base: str) -> str:
    """Names what a link holds, from row `base` on."""
    return f"void *const rows_{number} = rows_from(held + {link.held}, {link.row_bytes}, {base});"


def _first(reader: Group, row: str) -> str:
    """The first row that a row of the group needs."""
    whole = row if row.isidentifier() else f"({row})"
    low = f" - {reader.low}" if reader.low else ""
    return f"{whole}{_times(reader.stride)}{low}"


def _times(number: int) -> str:
    return f" * {number}" if number != 1 else ""


def _down(row: str, grain: int, times: int | None = None) -> str:
    """The whole grains before a row, in rows or in `times` for each grain."""
    scale = grain if times is None else times
    return f"{row}{_times(scale)}" if grain == 1 else f"{row} / {grain}{_times(scale)}"


def _up(row: str, grain: int, times: int | None = None) -> str:
    """The same, a last part of a grain included."""
    return _down(row if grain == 1 else f"({row} + {grain - 1})", grain, times)


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for block in lines for line in block.split("\n")]
