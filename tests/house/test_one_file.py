"""A new op, rule, target, kernel family or importer row is one file, and every file is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.house import source
from whet.emit.headers import INCLUDE
from whet.ir.node import Op
from whet.kernels.kernel import load_all
from whet.ops.registry import ops
from whet.passes.pipeline import PASSES, PRECISIONS
from whet.rewrite.rule import Rule
from whet.targets.registry import targets
from whet.targets.target import Target

WHET = source.ROOT / "whet"
# What all targets share, and the machine at hand, whose data is measured and not written.
NO_TARGET = ("__init__", "host", "processor", "registry", "target")
# Checked against the ops already; no kernel that the compiler chooses uses them so far.
UNUSED_HEADERS = {
    "integer_interpolation.h",
    "integer_normalization.h",
    "integer_svdf.h",
    "classic_ml.h",
}
EVERY_PASS = dict.fromkeys((*PASSES, *(step for steps in PRECISIONS.values() for step in steps)))
APPLIED = tuple(rule for step in EVERY_PASS for rule in step.rules)


def modules(room: str) -> tuple[Path, ...]:
    return tuple(p for p in sorted((WHET / room).glob("*.py")) if p.stem != "__init__")


def loaded(path: Path) -> dict[str, object]:
    name = ".".join(path.relative_to(source.ROOT).with_suffix("").parts)
    return vars(import_module(name))


def assigned(path: Path) -> Iterator[str]:
    """The names a file gives values to; imported ones are another file's."""
    for node in source.tree(path).body:
        targets_of = node.targets if isinstance(node, ast.Assign) else []
        for target in targets_of:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            yield from (part.id for part in parts if isinstance(part, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, source.Def):
            yield node.name


def decorators(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(source.tree(path)):
        if isinstance(node, source.Def):
            calls = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
            found |= {c.id for c in calls if isinstance(c, ast.Name)}
    return found


@cache
def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(source.tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_an_op_is_declared_in_one_file() -> None:
    places: dict[str, set[str]] = {}
    for path in (*modules("ops"), WHET / "ir" / "leaf.py"):
        values = loaded(path)
        for name in assigned(path):
            value = values.get(name)
            if isinstance(value, Op):
                places.setdefault(value.name, set()).add(source.name_of(path))
    assert set(places) == set(ops()), "an op of the registry that no file of whet/ops names"
    twice = {name: files for name, files in places.items() if len(files) != 1}
    assert not twice, f"{twice}: an op is declared once"


def test_ops_of_one_name_are_one_op() -> None:
    found: dict[str, Op] = {}
    for path in modules("ops"):
        for value in loaded(path).values():
            if isinstance(value, Op):
                assert found.setdefault(value.name, value) is value, f"two ops named {value.name}"


@pytest.mark.parametrize(
    "path", [p for p in modules("targets") if p.stem not in NO_TARGET], ids=source.name_of
)
def test_a_target_is_one_file(path: Path) -> None:
    target = loaded(path).get("TARGET")
    assert isinstance(target, Target), "a file of whet/targets has a value named TARGET"
    assert targets()[target.name] is target, "two files name the same target"
    assert target.description
    elsewhere = [
        source.name_of(p)
        for p in source.python_files()
        if p != path and f"whet.targets.{path.stem}" in imports(p)
    ]
    assert not elsewhere, f"{elsewhere} import {source.name_of(path)}: a target is data"


@pytest.mark.parametrize("path", modules("kernels"), ids=source.name_of)
def test_a_file_of_kernels_registers_one_or_serves_one(path: Path) -> None:
    load_all()
    name = f"whet.kernels.{path.stem}"
    users = [p for p in source.python_files() if p != path and name in imports(p)]
    registers = {"kernel", "kernel_of_choices"} & decorators(path)
    assert registers or users, "no kernel is registered here, and none uses it"


def test_every_header_is_used() -> None:
    texts = [source.text(p) for p in (*modules("kernels"), *source.header_files())]
    texts += [source.text(p) for p in modules("plan")]
    texts += [source.text(p) for p in modules("emit")]
    names = (path.name for path in sorted(INCLUDE.glob("*.h")))
    unused = {name for name in names if not any(name in text for text in texts)}
    assert unused <= UNUSED_HEADERS, f"{unused - UNUSED_HEADERS}: no kernel includes them"


@pytest.mark.parametrize("path", modules("passes"), ids=source.name_of)
def test_every_rule_of_a_pass_is_applied(path: Path) -> None:
    values = loaded(path)
    idle = [
        name
        for name in assigned(path)
        if isinstance(values.get(name), Rule) and values[name] not in APPLIED
    ]
    assert not idle, f"{source.name_of(path)}: no pass applies {idle}"


@pytest.mark.parametrize("rule", APPLIED, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_does_and_shows_it(rule: Rule) -> None:
    assert rule.rewrite.__doc__, "the docstring of a rule shows before -> after"
    assert rule.example is not None, "an example is a graph on which the rule fires"


def test_names_are_unique() -> None:
    named: dict[str, Rule] = {}
    for rule in APPLIED:
        assert named.setdefault(rule.name, rule) is rule, f"two rules named {rule.name}"
    assert len({step.name for step in EVERY_PASS}) == len(EVERY_PASS)


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_a_file_of_rows_declares_rows(format: str) -> None:
    folder = WHET / "importers" / format / "rows"
    files = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    idle = [
        source.name_of(path)
        for path in files
        if "row" not in decorators(path)
        and not any(f"whet.importers.{format}.rows.{path.stem}" in imports(p) for p in files)
    ]
    assert not idle, f"{idle}: a file of rows declares one, or serves one that does"


@pytest.mark.parametrize("path", source.python_files(), ids=source.name_of)
def test_private_names_stay_in_their_file(path: Path) -> None:
    taken = [
        f"{source.name_of(path)}:{node.lineno} {alias.name}"
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("whet")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert not taken, f"{'; '.join(taken)}: what another file needs has a public name"
