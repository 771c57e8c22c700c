"""Benchmark models written here, made offline from a seed. A new model is one file in this folder.

`python -m bench.models mobilenet_v2 resnet50 --out build/models` writes `<name>_f32.onnx` and
`<name>_int8.onnx` for each; without names it writes them all.
"""

from __future__ import annotations

import importlib
import pkgutil

from bench.recipe import Recipe


def names() -> tuple[str, ...]:
    """Every model in this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def recipe(name: str) -> Recipe:
    """The recipe of one model; KeyError for a name that is not in this folder."""
    if name not in names():
        raise KeyError(name)
    found = importlib.import_module(f"bench.models.{name}").RECIPE
    assert isinstance(found, Recipe)
    return found
