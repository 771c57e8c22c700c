"""The kernel headers' text, in one piece that includes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

INCLUDE = Path(__file__).parent.parent / "kernels" / "include"
FUNCTION = re.compile(r"^(?:WHET_)?INLINE [\w \n*]*?\b(\w+)\(((?:[^()]|\([^()]*\))*)\)\s*\{", re.M)


def amalgamate(headers: Iterable[str], packing: Iterable[tuple[str, int]] = ()) -> str:
    """The kernel headers' text in one piece, each once, in the order of inclusion.

    packing: macros that say what machine the weights are packed for.
    """
    done: set[str] = set()
    macros = [f"#define {name} {value}" for name, value in packing]
    texts = (_expand(name, done) for name in ("scalar.h", "share.h", *headers))
    return "\n".join([*macros, *texts])


@cache
def parameters() -> Mapping[str, tuple[str, ...]]:
    """The parameters' names of the headers' functions, but for those that macros make."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(INCLUDE.glob("*.h")):
        for function, declared in FUNCTION.findall(path.read_text()):
            outside = re.sub(r"\(\*(\w+)\)\([^)]*\)", r"\1", declared)  # of pointers to functions
            names = (re.findall(r"\w+", part.split("[")[0])[-1] for part in outside.split(","))
            found.setdefault(function, tuple(names))
    return found


def named(function: str, arguments: Sequence[str]) -> str:
    """Arguments of a call, each after the parameter's name where that is known and not the same."""
    names = parameters().get(function, ())
    if len(names) != len(arguments):
        return ", ".join(arguments)
    pairs = zip(names, arguments, strict=True)
    return ", ".join(a if a == name else f"/* {name} */ {a}" for name, a in pairs)


@cache
def header_number(header: str, name: str) -> int:
    """What an enumerator of a kernel header is, where the header gives it as `n` or `n << m`."""
    text = re.sub(r"//.*|/\*.*?\*/", "", (INCLUDE / header).read_text())
    for listed in re.findall(r"\benum \w*\s*\{([^}]*)\}", text):
        found = re.search(rf"\b{name} = (\w+)(?: << (\d+))?\s*(?:,|$)", listed)
        if found is not None:
            return int(found[1], 0) << int(found[2] or 0)
    raise LookupError(f"no number {name} in {header}")


def _expand(name: str, done: set[str]) -> str:
    """A header with its includes in place, guarded.

    One that is included under a condition counts as included only under that condition.
    """
    if name in done:
        return ""
    done.add(name)
    guard = "WHET_INCLUDED_" + re.sub(r"\W", "_", name).upper()
    lines, outside = [f"#ifndef {guard}", f"#define {guard}"], []
    for line in (INCLUDE / name).read_text().splitlines():
        include = re.match(r'#include "([\w.]+)"', line)
        if line.startswith("#if"):
            outside.append(set(done))
        elif line.startswith(("#el", "#endif")) and _is_conditional(name, len(outside)):
            done &= outside[-1] | {name}
        if line.startswith("#endif"):
            outside.pop()
        if line != "#pragma once":
            lines.append(_expand(include[1], done) if include else line)
    return "\n".join([*lines, "#endif"])


def _is_conditional(name: str, depth: int) -> bool:
    """Whether a condition at this depth is more than the header's own include guard."""
    guarded = not (INCLUDE / name).read_text().count("#pragma once")
    return depth > guarded
