"""Recurrent layers read the codes of their weights and inputs."""

from __future__ import annotations

import numpy as np

from whet.ir.dim import static_size
from whet.ir.element import F32, I8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.recurrent import gru, is_usual, lstm, starts_bounded
from whet.passes.codes import codes_of, real_constant
from whet.rewrite.rule import Replacement, Rule, Uses, rule

ROWS = 1  # the axis of the weights that has the gates
MOST = 1 << 16  # hidden units and inputs whose sums of products fit 32 bits
ACTIVATIONS = ((("sigmoid", 0.0, 0.0), ("tanh", 0.0, 0.0), ("tanh", 0.0, 0.0)),)


def _weights(numbers: np.random.Generator, columns: int) -> Value:
    codes = numbers.integers(-127, 128, (1, 12, columns)).astype(np.int8)
    scale = tuple(float(s) for s in numbers.uniform(0.002, 0.004, 12).astype(np.float32))
    return convert(constant(codes, Quant(I8, scale, (0,) * 12, ROWS)), to=F32)


def _layer() -> Graph:
    numbers = np.random.default_rng(0)
    x = parameter("x", Type((4, 1, 5), F32))
    y = lstm(x, _weights(numbers, 5), _weights(numbers, 3), activations=ACTIVATIONS)
    return Graph((x,), y.node.outputs, ("y", "h", "c"))


@rule(lstm, gru, example=_layer)
def coded_layer(node: Node, uses: Uses) -> Replacement:
    """lstm(x, dequantise(w), dequantise(r)) -> lstm(x, w, r) of constant codes; gru alike. An
    initial h that is not known to lie in [-1, 1], as all later ones do, keeps its layer in floats.
    """
    if not is_usual(node) or not node.outputs[0].tensor.elements:
        return None
    w, r = (_codes(v) for v in node.inputs[1:3])
    bias = node.operand(3)
    b, h = (real_constant(node.operand(i)) for i in (3, 5))
    if w is None or r is None or (bias is not None and b is None):
        return None
    if not starts_bounded(node, h):
        return None
    if not all(0 < static_size(v.shape[2]) <= MOST for v in (w, r)):
        return None
    rest = node.inputs[4:]
    known_bias = None if b is None else constant(b.astype(np.float32))
    return tuple(node.replace((node.inputs[0], w, r, known_bias, *rest)).outputs)


def _codes(value: Value | None) -> Value | None:
    """Constant symmetric int8 codes behind a dequantised value, of one scale or one for each row
    of a gate."""
    if value is None or value.op is not convert or value.tensor.element != F32:
        return None
    codes = value.node.input(0)
    element = codes.tensor.element
    if known(codes) is None or not isinstance(element, Quant) or element.store != I8:
        return None
    return codes if element.axis in (None, ROWS) and not any(element.zero) else None


def _sequence() -> Graph:
    numbers = np.random.default_rng(1)
    x = parameter("x", Type((4, 1, 5), F32))
    given = convert(convert(x, to=Quant(I8, (0.03,), (3,))), to=F32)
    w, r = (_weights(numbers, size).node.input(0) for size in (5, 3))
    y = lstm(given, w, r, activations=ACTIVATIONS)
    return Graph((x,), y.node.outputs, ("y", "h", "c"))


@rule(lstm, gru, example=_sequence)
def coded_sequence(node: Node, uses: Uses) -> Replacement:
    """lstm(dequantise(x), w, r) -> lstm(x, w, r) where w is codes; gru alike."""
    x, w = codes_of(node.inputs[0]), node.inputs[1]
    if x is None or w is None or not isinstance(w.tensor.element, Quant):
        return None
    return tuple(node.replace((x, *node.inputs[1:])).outputs)


RECURRENT: tuple[Rule, ...] = (coded_layer, coded_sequence)
