"""Every op by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from whet.ir.leaf import constant_op, parameter_op, state_op
from whet.ir.node import Op


@cache
def ops() -> dict[str, Op]:
    """All ops, found in the files of this room."""
    found = {op.name: op for op in (parameter_op, constant_op, state_op)}
    package = import_module("whet.ops")
    for module in iter_modules(package.__path__):
        for value in vars(import_module(f"whet.ops.{module.name}")).values():
            if isinstance(value, Op):
                found[value.name] = value
    return found
