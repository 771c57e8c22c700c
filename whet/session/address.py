"""Where an array's data lies, asked for at every call of a model."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

from whet.ir.node import Array

# Where NumPy's C interface keeps an array's address: first behind the head of a Python object.
_DATA = object.__basicsize__
_pointer_at = ctypes.c_void_p.from_address


def _quick_address(array: Array) -> ctypes.c_void_p:
    """The pointer itself, in the array: to be copied while the array is held."""
    return _pointer_at(id(array) + _DATA)


def _asked_address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.__array_interface__["data"][0])


def _address_reader() -> Callable[[Array], ctypes.c_void_p]:
    """The quick way to an array's address where this Python has it, else NumPy's own answer."""
    array = np.zeros(1)
    cpython = sys.implementation.name == "cpython"
    quick = cpython and _quick_address(array).value == _asked_address(array).value
    return _quick_address if quick else _asked_address


address = _address_reader()
