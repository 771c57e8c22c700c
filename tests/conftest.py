"""What all tests share: the `--all` switch for slow ones and the folder of real models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whet.kernels.kernel import load_all

# Kernels are tried in the order they are loaded in: the product's, whatever a test imports.
load_all()

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all"):
        return
    skip = pytest.mark.skip(reason="slow: `make test-all` runs it")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


def find_shared_data() -> Path | None:
    """The folder of real models and data beside the project, or what WHET_SHARED_DATA names."""
    named = os.environ.get("WHET_SHARED_DATA")
    candidates = [Path(named)] if named else [p / "shared" / "data" for p in ROOT.parents]
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models; the test is skipped where it is absent."""
    found = find_shared_data()
    if found is None:
        pytest.skip("no ../shared/data (real models are not part of the project)")
    return found
