"""Branches and loops as C: bodies are functions over the same arena and weights."""

from __future__ import annotations

from whet.emit.expression import size
from whet.emit.lowered import Branch, Repeat
from whet.emit.program import Stage
from whet.emit.statement import pointer

RUN = "status = {body}(given, made, scratch + {arena}, weights{dims});"


def branch(s: Branch, stage: Stage, bodies: list[str], dims: str) -> list[str]:
    """if condition: body 0, else body 1."""
    given = [p.name if p else "0" for p in stage.inputs[s.condition.index + 1 :]]
    made = [p.name for p in stage.outputs]
    return [
        _pointers("const void *const", "given", given),
        _pointers("void *const", "made", made),
        f"if (*{pointer(s.condition, stage)})",
        "    " + RUN.format(body=bodies[0], arena=s.arena, dims=dims),
        "else",
        "    " + RUN.format(body=bodies[1], arena=s.arena, dims=dims),
    ]


def repeat(s: Repeat, stage: Stage, bodies: list[str], dims: str) -> list[str]:
    """A loop whose carried values live in the outputs, each iteration's next ones in scratch."""
    trip, condition = (p.name if p else None for p in stage.inputs[:2])
    begins, captured = stage.inputs[2 : 2 + len(s.carried)], stage.inputs[2 + len(s.carried) :]
    outs = [p.name for p in stage.outputs]
    carried, scanned, count = outs[: len(s.carried)], outs[len(s.carried) : -1], outs[-1]
    lines = [f"u8 alive = {f'*{condition}' if condition else '1'};", "u8 *const flag = scratch;"]
    for c, out, begin in zip(s.carried, carried, begins, strict=True):
        if begin is not None:
            lines.append(f"__builtin_memmove({out}, {begin.name}, {size(c.first)});")
    test = f"i < *{trip} && alive" if trip else "alive"
    given = ["&i", "&alive", *carried, *(p.name if p else "0" for p in captured)]
    made = ["flag", *(f"scratch + {c.scratch}" for c in s.carried)]
    made += [f"(u8 *){o} + i * {size(n)}" for o, n in zip(scanned, s.scanned, strict=True)]
    copies = [
        f"    __builtin_memmove({o}, scratch + {c.scratch}, {size(c.nbytes)});"
        for o, c in zip(carried, s.carried, strict=True)
    ]
    return [
        *lines,
        "i64 i = 0;",
        f"for (; {test}; i++) {{",
        f"    if (i >= {s.limit})\n        return WHET_BAD_SIZE;",
        "    " + _pointers("const void *const", "given", given),
        "    " + _pointers("void *const", "made", made),
        "    " + RUN.format(body=bodies[0], arena=s.arena, dims=dims),
        "    if (status)\n        return status;",
        "    alive = *flag;",
        *copies,
        "}",
        f"*{count} = i;",
    ]


def _pointers(kind: str, name: str, values: list[str]) -> str:
    return f"{kind} {name}[] = {{{', '.join(values) or '0'}}};"
