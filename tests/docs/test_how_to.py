"""What the how-to pages show is run, block by block, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("first-model.md",)
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_runs(page: str, tmp_path: Path) -> None:
    for model in (ROOT / "whet/demo").glob("digits_*.onnx"):
        (tmp_path / model.name).write_bytes(model.read_bytes())
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    assert blocks
    for language, text in blocks:
        if language == "python":
            _run([sys.executable, "-c", text], tmp_path)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "whet", f"{page} shows another program: {line}"
            _run([sys.executable, "-m", "whet", *arguments], tmp_path)


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
