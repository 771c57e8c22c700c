"""Style, types and import directions, each by the tool that knows it best."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

BIN = Path(sys.executable).parent
COMMANDS = {
    "ruff check": [BIN / "ruff", "check", "--quiet", "--output-format=concise", "."],
    "ruff format": [BIN / "ruff", "format", "--quiet", "--check", "."],
    "mypy": [sys.executable, "-m", "mypy", "--no-error-summary"],
    "import layers": [BIN / "lint-imports", "--no-cache"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_lint(name: str) -> None:
    command = [str(part) for part in COMMANDS[name]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
