"""The optimizers of ai.onnx.preview.training, each a few elementwise steps."""

from __future__ import annotations

from collections.abc import Sequence

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.ir.element import F32
from whet.ir.leaf import constant
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.convert import convert
from whet.ops.movement import reshape

TRAINING = "ai.onnx.preview.training"


def _operands(layer: Layer, kinds: int) -> list[tuple[Value, ...]]:
    """For each tensor that is trained: itself, its gradient and its states. Inputs are the rate,
    the step and then all of each kind."""
    count = (len(layer.inputs) - 2) // kinds
    return [tuple(layer[2 + k * count + i] for k in range(kinds)) for i in range(count)]


def _gradient(layer: Layer, x: Value, g: Value) -> Value:
    """With the gradient of the L2 penalty."""
    return e.add(scaled(x, layer.real("norm_coefficient")), g)


def _scalars(layer: Layer) -> tuple[Value, Value]:
    """The learning rate and the step, as numbers."""
    step = convert(reshape(layer[1], shape=()), to=F32)
    return reshape(layer[0], shape=()), step


def _flat(results: Sequence[tuple[Value, ...]]) -> Result:
    """All first results, then all second ones."""
    return tuple(v for kind in zip(*results, strict=True) for v in kind)


@row("Adagrad", domain=TRAINING)
def adagrad(layer: Layer) -> Result:
    rate, step = _scalars(layer)
    rate = e.div(rate, scaled(step, layer.real("decay_factor"), 1))
    results = []
    for x, g, h in _operands(layer, 3):
        gradient = _gradient(layer, x, g)
        h = e.add(h, e.mul(gradient, gradient))
        size = e.add(e.sqrt(h), scalar(layer.real("epsilon", 1e-6), h))
        results.append((e.sub(x, e.div(e.mul(rate, gradient), size)), h))
    return _flat(results)


@row("Momentum", domain=TRAINING)
def momentum(layer: Layer) -> Result:
    """The first step takes the whole gradient, whatever beta is."""
    rate, step = _scalars(layer)
    alpha, beta = layer.real("alpha"), layer.real("beta")
    first = e.less(scalar(0, step), step)
    share = e.select(first, scalar(beta, step), scalar(1, step))
    results = []
    for x, g, v in _operands(layer, 3):
        gradient = _gradient(layer, x, g)
        v = e.add(scaled(v, alpha), e.mul(share, gradient))
        taken = e.add(gradient, scaled(v, alpha)) if layer.text("mode") == "nesterov" else v
        results.append((e.sub(x, e.mul(rate, taken)), v))
    return _flat(results)


@row("Adam", domain=TRAINING)
def adam(layer: Layer) -> Result:
    rate, step = _scalars(layer)
    alpha, beta = layer.real("alpha", 0.9), layer.real("beta", 0.999)

    def left(decay: float) -> Value:
        return e.sub(constant(1.0, F32), e.pow(constant(decay, F32), step))

    corrected = e.div(e.mul(rate, e.sqrt(left(beta))), left(alpha))
    rate = e.select(e.less(scalar(0, step), step), corrected, rate)
    shrink, results = 1 - layer.real("norm_coefficient_post"), []
    for x, g, v, h in _operands(layer, 4):
        gradient = _gradient(layer, x, g)
        v = e.add(scaled(v, alpha), scaled(gradient, 1 - alpha))
        h = e.add(scaled(h, beta), scaled(e.mul(gradient, gradient), 1 - beta))
        size = e.add(e.sqrt(h), scalar(layer.real("epsilon", 1e-6), h))
        results.append((scaled(e.sub(x, e.div(e.mul(rate, v), size)), shrink), v, h))
    return _flat(results)
