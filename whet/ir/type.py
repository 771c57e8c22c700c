"""The type of a value: shape and element of a tensor, or a sequence or optional of a type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from whet.ir.dim import Dim, Size, Symbol, bounds, substitute
from whet.ir.element import Element


@dataclass(frozen=True, slots=True)
class Type:
    """A dense row-major tensor."""

    shape: tuple[Size, ...]
    element: Element

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def static(self) -> bool:
        return not any(isinstance(d, Dim) for d in self.shape)

    @property
    def elements(self) -> Size:
        """How many elements, as a size."""
        return size_product(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes at the upper bound of every dimension."""
        return prod(max(0, bounds(d)[1]) for d in self.shape) * self.element.size

    def bind(self, values: Mapping[Symbol, Size]) -> Type:
        """The type with symbols replaced."""
        if self.static:
            return self
        return Type(tuple(substitute(d, values) for d in self.shape), self.element)

    def __str__(self) -> str:
        return f"{self.element}[{','.join(str(d) for d in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A run-time list of values of one type; its reference value is a Python list."""

    of: AnyType

    def __str__(self) -> str:
        return f"seq<{self.of}>"


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing; its reference value is None or the value."""

    of: AnyType

    def __str__(self) -> str:
        return f"optional<{self.of}>"


AnyType = Type | Sequence | Optional


def size_product(sizes: tuple[Size, ...]) -> Size:
    """The product of sizes; 1 for none."""
    total: Size = 1
    for d in sizes:
        total = total * d
    return total
