"""Emitted text as a page: no line longer than a reader's window, comments that stay comments."""

from __future__ import annotations

COLUMNS = 100


def comment(text: str) -> str:
    """Text that came from a model, made unable to end the comment it stands in."""
    return text[:2] + text[2:].replace("*/", "* /").replace("/*", "/ *")


def page(text: str) -> str:
    """C with its long lines broken: comments at spaces, code after commas."""
    return "\n".join(_broken(line) if len(line) > COLUMNS else line for line in text.split("\n"))


def _broken(line: str) -> str:
    if line.startswith(("/* ", " * ")):
        return _filled(line.split(" "), " ", " *     ")
    indent = line[: len(line) - len(line.lstrip())]
    if line.lstrip().startswith("/* ") and line.endswith(" */"):
        return _filled(line.split(" "), " ", indent + " *     ")
    if line.lstrip().startswith("//"):
        return _filled(line.split(" "), " ", indent + "// ")
    if line.startswith("#") or "//" in line or line.endswith("\\") or '"' in line:
        return line
    return _filled(line.split(", "), ", ", indent + "    ")


def _filled(parts: list[str], between: str, indent: str) -> str:
    """Parts joined into as few lines as fit; each but the first starts with `indent`."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(between) + len(part) < COLUMNS:
            lines[-1] += between + part
        else:
            lines[-1] += between.rstrip()
            lines.append(indent + part)
    return "\n".join(lines)
