"""Built code as a library of this process, and memory for it."""

from __future__ import annotations

import _ctypes
import ctypes
import mmap
import os
import weakref
from collections.abc import Callable

import numpy as np

from whet.ir.node import Array


class Library:
    """A shared object from memory, without a file in the file system; its functions by name.

    It is unloaded when this object goes, whoever holds a function of it, but not when the process
    ends: threads may be in it then.

    The loader knows libraries by name, and the name here is that of the descriptor: it stays open
    until the library is gone, so that no other model is taken for this one.
    """

    def __init__(self, code: bytes | memoryview) -> None:
        descriptor = os.memfd_create("whet-model")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(code)
            self._loaded = ctypes.CDLL(f"/proc/self/fd/{descriptor}")
        except BaseException:
            os.close(descriptor)
            raise
        weakref.finalize(self, _unload, self._loaded._handle, descriptor).atexit = False

    def __getitem__(self, name: str) -> Callable[..., int]:
        function: Callable[..., int] = self._loaded[name]
        return function

    def address(self, name: str) -> ctypes.c_void_p:
        """Where a function is."""
        return ctypes.cast(self._loaded[name], ctypes.c_void_p)


def _unload(handle: int, descriptor: int) -> None:
    _ctypes.dlclose(handle)
    os.close(descriptor)


def present(nbytes: int) -> Array:
    """Zeroed bytes from the start of a page, all in memory: none is fetched on first use."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    return np.frombuffer(mmap.mmap(-1, nbytes, flags=flags), np.uint8)


def aligned(nbytes: int, alignment: int = 128) -> Array:
    """Zeroed bytes whose address is a multiple of `alignment`."""
    block = np.zeros(nbytes + alignment, np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + nbytes]
