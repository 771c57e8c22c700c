"""The weights of a program: every constant once, aligned, in one block that is mapped as it is."""

from __future__ import annotations

import hashlib

import numpy as np

from whet.ir.node import Array

ALIGNMENT = 64


class Weights:
    """Collects constants; equal bytes share one place."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def place(self, array: Array) -> int:
        """The byte offset of a constant, added where it is new."""
        data = np.ascontiguousarray(array).tobytes()
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest not in self._places:
            self._places[digest] = self.size
            padding = -len(data) % ALIGNMENT
            self._parts += [data, bytes(padding)]
            self.size += len(data) + padding
        return self._places[digest]

    def block(self) -> bytes:
        """The whole block."""
        return b"".join(self._parts)
