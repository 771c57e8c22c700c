"""Resource variables of a .tflite file as states."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from whet.ir.dim import static_shape
from whet.ir.element import Quant
from whet.ir.graph import State
from whet.ir.leaf import state
from whet.ir.node import Array, Value
from whet.ir.type import Type


@dataclass(slots=True)
class Variables:
    """What each variable holds while the layers are walked in order, by its shared name.

    held: the values at the start of a step; now: those assigned since; initial: before the first.
    """

    held: dict[str, Value] = field(default_factory=dict)
    now: dict[str, Value] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)

    def read(self, name: str, type: Type) -> Value:
        """The value of a variable at this point."""
        if name not in self.now:
            self.held[name] = self.now[name] = state(name, type)
        return self.now[name]

    def assign(self, name: str, value: Value) -> None:
        """Give a variable another value."""
        self.now[name] = value

    def states(self) -> tuple[State, ...]:
        """Those that are read before they are assigned; zero where nothing says how they start."""
        return tuple(State(n, v, self.now[n], self._start(n, v)) for n, v in self.held.items())

    def _start(self, name: str, value: Value) -> Array:
        shape, element = static_shape(value.shape), value.tensor.element
        if name in self.initial:
            return self.initial[name].reshape(shape)
        zero = element.zero[0] if isinstance(element, Quant) else 0
        return np.full(shape, zero, element.dtype)
