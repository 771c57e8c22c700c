"""Reading a FlatBuffer without trusting any offset in it.

Source: the FlatBuffers internals document. Every access is checked against the buffer and counted,
so that a hostile file costs bounded time; a table that refers to itself is only as deep as the
reader asks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from whet.errors import ModelError

MAX_READS = 1 << 20
MAX_VECTOR = 1 << 20
MAX_STRING = 1 << 16


@dataclass(slots=True)
class Buffer:
    """Bytes and the number of reads so far; ModelError on any access outside them."""

    data: bytes | memoryview
    where: str
    reads: int = field(default=0)

    def broken(self, why: str) -> ModelError:
        return ModelError("malformed FlatBuffer", self.where, why)

    def _at(self, form: str, position: int) -> int | float:
        self.reads += 1
        if self.reads > MAX_READS:
            raise self.broken("too many fields")
        if position < 0 or position + struct.calcsize(form) > len(self.data):
            raise self.broken(f"offset {position} is outside its {len(self.data)} bytes")
        value: int | float = struct.unpack_from(form, self.data, position)[0]
        return value

    def integer(self, form: str, position: int) -> int:
        return int(self._at("<" + form, position))

    def real(self, position: int) -> float:
        return float(self._at("<f", position))

    def root(self) -> Table:
        """The root table."""
        return Table(self, self.integer("I", 0))


@dataclass(frozen=True, slots=True)
class Table:
    """One table; fields are named by their index in the schema, absent ones give the default."""

    buffer: Buffer
    position: int

    def _field(self, index: int) -> int:
        vtable = self.position - self.buffer.integer("i", self.position)
        if 4 + 2 * index + 2 > self.buffer.integer("H", vtable):
            return 0
        offset = self.buffer.integer("H", vtable + 4 + 2 * index)
        return self.position + offset if offset else 0

    def integer(self, index: int, form: str, default: int = 0) -> int:
        at = self._field(index)
        return self.buffer.integer(form, at) if at else default

    def real(self, index: int, default: float = 0.0) -> float:
        at = self._field(index)
        return self.buffer.real(at) if at else default

    def table(self, index: int) -> Table | None:
        at = self._field(index)
        return Table(self.buffer, at + self.buffer.integer("I", at)) if at else None

    def _vector(self, index: int, size: int, limit: int = MAX_VECTOR) -> tuple[int, int]:
        at = self._field(index)
        if not at:
            return 0, 0
        start = at + self.buffer.integer("I", at)
        count = self.buffer.integer("I", start)
        if count > limit or start + 4 + count * size > len(self.buffer.data):
            raise self.buffer.broken(f"a vector of {count} elements")
        return start + 4, count

    def tables(self, index: int) -> list[Table]:
        start, count = self._vector(index, 4)
        at = range(start, start + 4 * count, 4)
        return [Table(self.buffer, p + self.buffer.integer("I", p)) for p in at]

    def integers(self, index: int, form: str = "i") -> list[int]:
        size = struct.calcsize("<" + form)
        start, count = self._vector(index, size)
        return [self.buffer.integer(form, start + size * i) for i in range(count)]

    def reals(self, index: int) -> list[float]:
        start, count = self._vector(index, 4)
        return [self.buffer.real(start + 4 * i) for i in range(count)]

    def view(self, index: int) -> memoryview:
        start, count = self._vector(index, 1, len(self.buffer.data))
        return memoryview(self.buffer.data)[start : start + count]

    def raw(self, index: int) -> bytes:
        return bytes(self.view(index))

    def text(self, index: int) -> str:
        start, count = self._vector(index, 1, MAX_STRING)
        return bytes(self.buffer.data[start : start + count]).decode("utf-8", errors="replace")
