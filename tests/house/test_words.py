"""Names say what a thing is, comments describe the present, signatures say what they take."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import source

BANNED_NAMES = re.compile(r"(^|_)(utils?|common|managers?|helpers?|misc)(_|$)", re.IGNORECASE)
BANNED_CLASSES = re.compile(r"(Manager|Helper|Utils?)$")
BANNED_WORDS = re.compile(r"\b(previously|used to|TODO|FIXME|XXX|HACK)\b|#\d+", re.IGNORECASE)
BANNED_IN_DOCSTRINGS = re.compile(r"\bpreviously\b|\b(TODO|FIXME|XXX|HACK)\b|(issue|PR) #\d+")

FILES = (*source.python_files(), *source.header_files())


@pytest.mark.parametrize("path", FILES, ids=source.name_of)
def test_modules_are_named_for_their_subject(path: Path) -> None:
    parts = path.relative_to(source.ROOT).with_suffix("").parts
    banned = [part for part in parts if BANNED_NAMES.search(part)]
    assert not banned, (
        f"{source.name_of(path)}: `{banned[0]}` says nothing about what is inside: "
        "name the subject, or move each function to the room that owns it"
    )


@pytest.mark.parametrize("path", source.python_files(), ids=source.name_of)
def test_classes_are_named_for_what_they_are(path: Path) -> None:
    banned = [
        f"{source.name_of(path)}:{node.lineno} class {node.name}"
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.ClassDef) and BANNED_CLASSES.search(node.name)
    ]
    assert not banned, f"{'; '.join(banned)}: a class is a noun of the design; name that noun"


@pytest.mark.parametrize("path", FILES, ids=source.name_of)
def test_comments_describe_the_present(path: Path) -> None:
    bad = [
        f"{c.path}:{c.line} `{match.group()}`"
        for c in source.comments(path)
        if (match := BANNED_WORDS.search(c.text))
    ]
    assert not bad, (
        f"{'; '.join(bad)}: a comment states what the code cannot, now: history, plans and issue "
        "numbers belong in commits (for `used to <verb>` write `for <verb>ing`)"
    )


@pytest.mark.parametrize("path", source.python_files(), ids=source.name_of)
def test_docstrings_describe_the_present(path: Path) -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bad = [
        f"{source.name_of(path)}:{getattr(node, 'lineno', 1)} `{match.group()}`"
        for node in ast.walk(source.tree(path))
        if isinstance(node, documented)
        and (match := BANNED_IN_DOCSTRINGS.search(ast.get_docstring(node) or ""))
    ]
    assert not bad, f"{'; '.join(bad)}: history, plans and issue numbers belong in commits"


@pytest.mark.parametrize("path", source.python_files(), ids=source.name_of)
def test_module_says_what_it_is(path: Path) -> None:
    assert not source.text(path).strip() or ast.get_docstring(source.tree(path)), (
        f"{source.name_of(path)} has no docstring: say in a sentence what the reader finds in it"
    )


def annotations(function: source.Def) -> Iterator[ast.expr]:
    arguments = function.args
    rest = [a for a in (arguments.vararg, arguments.kwarg) if a]
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *rest):
        if argument.annotation:
            yield argument.annotation
    if function.returns:
        yield function.returns


def mentions_any(annotation: ast.expr) -> bool:
    """Whether `Any` is the type or a part of it; an array's element type is exempt."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return mentions_any(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.Subscript) and "NDArray" in ast.unparse(annotation.value):
        return False
    if isinstance(annotation, ast.Name | ast.Attribute):
        return ast.unparse(annotation) in ("Any", "typing.Any")
    return any(mentions_any(c) for c in ast.iter_child_nodes(annotation) if isinstance(c, ast.expr))


@pytest.mark.parametrize("path", source.python_files(), ids=source.name_of)
def test_public_signatures_do_not_say_any(path: Path) -> None:
    bad = [
        f"{source.name_of(path)}:{function.lineno} {name}"
        for name, function in source.public_functions(path)
        if any(map(mentions_any, annotations(function)))
    ]
    assert not bad, (
        f"{'; '.join(bad)}: `Any` in a public signature switches the checker off for its callers: "
        "name the type, a Protocol, or `object` where nothing is assumed"
    )


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Any", True), ("dict[str, Any]", True), ("'list[Any]'", True), ("NDArray[Any]", False)],
)
def test_any_is_found_wherever_it_hides(text: str, verdict: bool) -> None:
    assert mentions_any(ast.parse(text, mode="eval").body) is verdict
