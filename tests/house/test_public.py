"""What `whet` offers is what `whet.__all__` says, and every part of it is explained."""

from __future__ import annotations

import inspect
import pkgutil
import types

import pytest

import whet


def public_names() -> set[str]:
    return {
        name
        for name, value in vars(whet).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def test_public_names_are_the_listed_ones() -> None:
    listed = set(whet.__all__)
    missing = sorted(name for name in listed if not hasattr(whet, name))
    assert not missing, f"whet.__all__ lists {missing}, which do not exist"
    assert public_names() <= listed, (
        f"{sorted(public_names() - listed)} can be reached but is not in whet.__all__: "
        "list it, or import it under a name with an underscore"
    )


def test_list_is_sorted_and_unique() -> None:
    assert sorted(set(whet.__all__)) == list(whet.__all__)


def test_no_public_name_is_a_room() -> None:
    """Importing `whet.room` would put the module in the place of what it names."""
    rooms = {module.name for module in pkgutil.iter_modules(whet.__path__)}
    assert not rooms & set(whet.__all__)


@pytest.mark.parametrize("name", whet.__all__)
def test_public_name_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(whet, name)), f"whet.{name} has no docstring"
