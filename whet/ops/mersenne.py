"""`mersenne_uniform`: numbers drawn by the Mersenne twister MT19937 (Matsumoto, Nishimura 1998),
seeded as its authors seed it and 53 bits a number: the stream of NumPy's RandomState(seed)."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import Size
from whet.ir.element import F64
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _infer(*, shape: tuple[Size, ...], seed: int, random: bool = True) -> Type:
    """f64 in [0, 1), drawn anew from the seed at every evaluation."""
    return Type(shape, F64)


def _evaluate(node: Node) -> Array:
    state = np.random.RandomState(node.integer("seed") & 0xFFFFFFFF)
    return np.asarray(state.uniform(0.0, 1.0, node.integers("shape")))


mersenne_uniform = Op("mersenne_uniform", _infer, _evaluate)
