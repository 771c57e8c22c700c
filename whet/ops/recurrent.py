"""`rnn`, `gru` and `lstm`: recurrent layers over whole sequences (ONNX RNN, GRU, LSTM).

Time and batch first as ONNX has them; gates in ONNX's order: h; z r h; i o f c. x, w and r may be
codes: they stand for their numbers, and the results are floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import F32, Quant
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.convert import dequantize

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda x, a, b: np.maximum(x, 0),
    "tanh": lambda x, a, b: np.tanh(x),
    "sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "affine": lambda x, a, b: a * x + b,
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, 0),
    "scaled_tanh": lambda x, a, b: a * np.tanh(b * x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "elu": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(x)),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "softplus": lambda x, a, b: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
}


def _infer(gates: int) -> Callable[..., tuple[Type, ...]]:
    def infer(
        x: Type, w: Type, r: Type, b: Type | None = None, lengths: Type | None = None,
        h0: Type | None = None, c0: Type | None = None, p: Type | None = None, *,
        activations: Attr, reverse: bool = False, batch_first: bool = False, clip: float = 0.0,
        linear_before_reset: bool = False, input_forget: bool = False,
    ) -> tuple[Type, ...]:  # fmt: skip
        """x: [T, N, I]; w: [D, G*H, I]; r: [D, G*H, H]; b: [D, 2*G*H]; lengths: i32 [N]; states:
        [D, N, H]; p: [D, 3*H]. Results y [T, D, N, H] and the last states [D, N, H].

        batch_first: x [N, T, I], y [N, T, D, H], states [N, D, H]. activations: for each direction
        f, g and h, each a name of ACTIVATIONS with its alpha and beta. clip: 0 for none.
        """
        if x.rank != 3 or w.rank != 3 or r.rank != 3 or w.shape[2] != x.shape[2]:
            raise ShapeError(f"a recurrent layer of {x} with {w} and {r}")
        hidden = r.shape[2]
        if w.shape[1] != r.shape[1] or r.shape[1] != gates * hidden:
            raise ShapeError(f"{gates} gates of {w} and {r}")
        first, second, directions = x.shape[0], x.shape[1], w.shape[0]
        element = F32 if isinstance(x.element, Quant) else x.element
        if batch_first:
            y = Type((first, second, directions, hidden), element)
            state = Type((first, directions, hidden), element)
        else:
            y = Type((first, directions, second, hidden), element)
            state = Type((directions, second, hidden), element)
        return (y, state, state) if gates == GATES["lstm"] else (y, state)

    return infer


Activation = tuple[str, float, float]


def activations_of(node: Node) -> tuple[tuple[Activation, ...], ...]:
    """For each direction f, g and h: name, alpha, beta."""
    return cast("tuple[tuple[Activation, ...], ...]", node["activations"])


USUAL = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh")}


def is_usual(node: Node) -> bool:
    """Whether an LSTM or GRU is plain: static shape, the usual activations, all sequences of one
    length, no peepholes or clipping, and a GRU resets what the product gave."""
    x, w, r = node.inputs[:3]
    if any(v is None or not v.tensor.static for v in (x, w, r)) or node.op is rnn:
        return False
    if node["clip"] or node["input_forget"] or node.operand(4) is not None:
        return False
    usual = USUAL[node.op.name]
    names = [tuple(name for name, _, _ in each[: len(usual)]) for each in activations_of(node)]
    if node.operand(7) is not None or any(each != usual for each in names):
        return False
    return node.op is lstm or bool(node["linear_before_reset"])


def starts_bounded(node: Node, first: Array | None) -> bool:
    """Whether h lies in [-1, 1] from the beginning, as that of a usual layer does later.

    first: the initial h, where it is known.
    """
    given = node.operand(5) is not None
    return not given if first is None else bool((np.abs(first) <= 1).all())


class _Cell:
    """One direction of a layer: a step from the state h (and c) to the next."""

    def __init__(self, node: Node, direction: int, arrays: tuple[Array | None, ...]) -> None:
        w, r, b, p = arrays
        assert w is not None
        assert r is not None
        self.node, self.w, self.r = node, w[direction], r[direction]
        self.hidden = self.r.shape[1]
        bias = np.zeros(2 * len(self.w), self.w.dtype) if b is None else b[direction]
        self.wb, self.rb = bias[: len(self.w)], bias[len(self.w) :]
        self.p = np.zeros(3 * self.hidden, self.w.dtype) if p is None else p[direction]
        self.activations = activations_of(node)[direction]

    def activate(self, which: int, x: Array) -> Array:
        clip = self.node["clip"]
        if isinstance(clip, float) and clip > 0:
            x = np.clip(x, -clip, clip)
        return self.plain(which, x)

    def plain(self, which: int, x: Array) -> Array:
        name, alpha, beta = self.activations[which]
        return ACTIVATIONS[name](x, alpha, beta)

    def rnn(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        return self.activate(0, x @ self.w.T + h @ self.r.T + self.wb + self.rb), c

    def gru(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        n = self.hidden
        given = x @ self.w.T + self.wb
        back = h @ self.r[: 2 * n].T + self.rb[: 2 * n]
        z, r = np.split(self.activate(0, given[:, : 2 * n] + back), 2, axis=1)
        if self.node["linear_before_reset"]:
            inner = r * (h @ self.r[2 * n :].T + self.rb[2 * n :])
        else:
            inner = (r * h) @ self.r[2 * n :].T + self.rb[2 * n :]
        return (1 - z) * self.activate(1, given[:, 2 * n :] + inner) + z * h, c

    def lstm(self, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
        i, o, f, g = np.split(x @ self.w.T + h @ self.r.T + self.wb + self.rb, 4, axis=1)
        see_i, see_o, see_f = np.split(self.p, 3)
        i = self.activate(0, i + see_i * c)
        f = 1 - i if self.node["input_forget"] else self.activate(0, f + see_f * c)
        c = f * c + i * self.activate(1, g)
        return self.activate(0, o + see_o * c) * self.plain(2, c), c


def _numbers(node: Node, index: int, a: Array) -> Array:
    """What an operand stands for."""
    value = node.inputs[index]
    element = None if value is None else value.tensor.element
    return dequantize(a, element) if isinstance(element, Quant) else a


def _evaluate(
    node: Node, x: Array, w: Array, r: Array, b: Array | None = None,
    lengths: Array | None = None, h0: Array | None = None, c0: Array | None = None,
    p: Array | None = None,
) -> tuple[Array, ...]:  # fmt: skip
    wide = np.float64 if x.dtype == np.float64 else np.float32
    x, w, r = (_numbers(node, i, a).astype(wide) for i, a in enumerate((x, w, r)))
    b, h0, c0, p = (None if a is None else a.astype(wide) for a in (b, h0, c0, p))
    first = bool(node["batch_first"])
    if first:
        x = x.swapaxes(0, 1)
        h0, c0 = (None if a is None else a.swapaxes(0, 1) for a in (h0, c0))
    steps, batch, _ = x.shape
    counts = np.full(batch, steps) if lengths is None else np.clip(lengths, 0, steps)
    y = np.zeros((steps, len(w), batch, r.shape[2]), wide)
    h, c = (np.zeros((len(w), batch, r.shape[2]), wide) if a is None else a.copy()
            for a in (h0, c0))  # fmt: skip
    for d in range(len(w)):
        cell = _Cell(node, d, (w, r, b, p))
        for step in range(steps):
            rows = np.flatnonzero(step < counts)
            at = counts[rows] - 1 - step if d or node["reverse"] else np.full(len(rows), step)
            run: Callable[..., tuple[Array, Array]] = getattr(cell, node.op.name)
            h[d, rows], c[d, rows] = run(x[at, rows], h[d, rows], c[d, rows])
            y[at, d, rows] = h[d, rows]
    if first:
        y, h, c = y.transpose(2, 0, 1, 3), h.swapaxes(0, 1), c.swapaxes(0, 1)
    return (y, h, c) if node.op is lstm else (y, h)


rnn = Op("rnn", _infer(GATES["rnn"]), _evaluate, "recurrent")
gru = Op("gru", _infer(GATES["gru"]), _evaluate, "recurrent")
lstm = Op("lstm", _infer(GATES["lstm"]), _evaluate, "recurrent")
