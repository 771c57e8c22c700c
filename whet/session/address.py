"""Where an array's data lies, asked for at every call of a model."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

from whet.ir.node import Array

# Where NumPy's C interface keeps an array's address: first behind the head of a Python object.
_DATA = object.__basicsize__


def _quick_address(array: Array) -> int | None:
    return ctypes.c_void_p.from_address(id(array) + _DATA).value


def _asked_address(array: Array) -> int | None:
    address: int = array.__array_interface__["data"][0]
    return address


def _address_reader() -> Callable[[Array], int | None]:
    """The quick way to an array's address where this Python has it, else NumPy's own answer."""
    array = np.zeros(1)
    quick = sys.implementation.name == "cpython" and _quick_address(array) == _asked_address(array)
    return _quick_address if quick else _asked_address


address = _address_reader()
