"""What the public inputs, outputs and states of a built model are."""

from __future__ import annotations

from dataclasses import dataclass

from whet.ir.dim import Size
from whet.ir.element import Scalar


@dataclass(frozen=True, slots=True)
class Port:
    """One public input, output or state: name, C element, shape, bytes at the bound.

    scale, zero: where codes stand for reals, real = scale * (code - zero).
    """

    name: str
    element: Scalar
    shape: tuple[Size, ...]
    nbytes: int
    scale: float | None = None
    zero: int = 0
