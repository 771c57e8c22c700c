"""Every target by name. A target is one file of this folder with a value named TARGET."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from whet.errors import CompileError
from whet.targets.host import host
from whet.targets.target import Target


@cache
def targets() -> dict[str, Target]:
    """All targets by name."""
    package = import_module("whet.targets")
    found = {"host": host("native")}
    for module in iter_modules(package.__path__):
        target = getattr(import_module(f"whet.targets.{module.name}"), "TARGET", None)
        if isinstance(target, Target):
            found[target.name] = target
    return found


def target(name: str) -> Target:
    """The target of this name. Raises CompileError for an unknown one."""
    if name not in targets():
        raise CompileError(f"unknown target {name}", hint=", ".join(sorted(targets())))
    return targets()[name]
