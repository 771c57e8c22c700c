"""What the planner reads and writes: steps, buffers with a lifetime, and placed buffers."""

from __future__ import annotations

from dataclasses import dataclass

from whet.errors import CompileError

__all__ = ["Buffer", "Placement", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the compiled model.

    reads, writes: names of values; a value is written by one step at most. inplace: pairs
    (output, input): the kernel may write the output over the input, both starting at the same
    address, when nothing needs the input afterwards. scratch_bytes: memory wanted only during
    the step.
    """

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    inplace: tuple[tuple[str, str], ...] = ()
    scratch_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Buffer:
    """`size` bytes needed from step `start` up to, not including, step `end`.

    Raises CompileError when the size is negative, the lifetime empty, or the alignment not a
    power of two.
    """

    name: str
    size: int
    start: int
    end: int
    alignment: int = 64

    def __post_init__(self) -> None:
        if self.size < 0:
            raise CompileError("negative buffer size", self.name, f"{self.size} bytes")
        if self.end <= self.start:
            raise CompileError("empty lifetime", self.name, f"steps [{self.start}, {self.end})")
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise CompileError("alignment is not a power of two", self.name, str(self.alignment))


@dataclass(frozen=True, slots=True)
class Placement:
    """A buffer and its byte offset in the arena."""

    buffer: Buffer
    offset: int

    @property
    def top(self) -> int:
        """The first byte above the buffer."""
        return self.offset + self.buffer.size
