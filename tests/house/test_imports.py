"""Third-party packages stay out of the lower rooms, and the heavy ones load only when asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import source

LOWER_ROOMS = ("ir", "ops", "rewrite", "passes", "emit", "targets", "kernels", "plan")
ALLOWED_BELOW = {"numpy", "ml_dtypes", "whet"}
HEAVY = ("torch", "onnxruntime", "PIL", "rich", "onnx", "scipy")
TORCH_ROOMS = ("whet/importers/torch", "whet/train")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


@pytest.mark.parametrize("room", LOWER_ROOMS)
def test_lower_rooms_import_only_numpy_and_the_standard_library(room: str) -> None:
    bad = [
        f"{source.name_of(path)}:{line} imports {name}"
        for path in source.python_files()
        if path.is_relative_to(source.ROOT / "whet" / room)
        for line, name in imported(path)
        if name.split(".")[0] not in ALLOWED_BELOW | set(sys.stdlib_module_names)
    ]
    assert not bad, f"{'; '.join(bad)}: foreign packages enter through importers, session and cli"


def test_torch_stays_in_its_rooms() -> None:
    bad = [
        f"{source.name_of(path)}:{line}"
        for path in source.python_files()
        for line, name in imported(path)
        if name.split(".")[0] == "torch" and not source.name_of(path).startswith(TORCH_ROOMS)
    ]
    assert not bad, f"{'; '.join(bad)}: only {' and '.join(TORCH_ROOMS)} know torch"


def test_importing_whet_loads_nothing_heavy() -> None:
    code = f"import sys, whet; print(*(n for n in {HEAVY} if n in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=source.ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not loaded, f"`import whet` loads {loaded}: import it inside the function that needs it"
