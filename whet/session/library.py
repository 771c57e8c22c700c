"""Built code as a library of this process, and memory for it."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import weakref

import numpy as np

from whet.ir.node import Array


def load_library(code: bytes | memoryview, owner: object | None = None) -> ctypes.CDLL:
    """A shared object from memory, without a file in the file system.

    It is unloaded when `owner` goes; without an owner it stays until the process ends.

    The loader knows libraries by name, and the name here is that of the descriptor: it stays open
    until the library is gone, so that no other model is taken for this one.
    """
    descriptor = os.memfd_create("whet-model")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(code)
        library = ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    except BaseException:
        os.close(descriptor)
        raise
    if owner is not None:
        weakref.finalize(owner, _unload, library._handle, descriptor)
    return library


def _unload(handle: int, descriptor: int) -> None:
    _ctypes.dlclose(handle)
    os.close(descriptor)


def aligned(nbytes: int, alignment: int = 64) -> Array:
    """Zeroed bytes whose address is a multiple of `alignment`."""
    block = np.zeros(nbytes + alignment, np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + nbytes]
