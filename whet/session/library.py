"""Built code as a library of this process, and memory for it."""

from __future__ import annotations

import ctypes
import os

import numpy as np

from whet.ir.node import Array


def load_library(code: bytes | memoryview) -> ctypes.CDLL:
    """A shared object from memory, without a file in the file system."""
    descriptor = os.memfd_create("whet-model")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(code)
        return ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def aligned(nbytes: int, alignment: int = 64) -> Array:
    """Zeroed bytes whose address is a multiple of `alignment`."""
    block = np.zeros(nbytes + alignment, np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + nbytes]
