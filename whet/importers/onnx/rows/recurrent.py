"""Recurrent layers."""

from __future__ import annotations

import re

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, Result, row
from whet.ir.element import I32
from whet.ir.node import Attr
from whet.ops.convert import convert
from whet.ops.recurrent import ACTIVATIONS, gru, lstm, rnn

CELLS = {"RNN": rnn, "GRU": gru, "LSTM": lstm}
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
ALPHA = {
    "affine": 1.0, "leaky_relu": 0.01, "thresholded_relu": 1.0, "scaled_tanh": 1.0,
    "hard_sigmoid": 0.2, "elu": 1.0,
}  # fmt: skip
BETA = {"hard_sigmoid": 0.5, "scaled_tanh": 1.0}


@row(*CELLS)
def recurrent(layer: Layer) -> Result:
    kind, direction = layer.proto.op_type, layer.text("direction", "forward")
    lengths = layer.optional(4)
    states = [layer.optional(i) for i in range(5, 8)] if kind == "LSTM" else [layer.optional(5)]
    attrs: dict[str, Attr] = {
        "activations": _activations(layer, 2 if direction == "bidirectional" else 1),
        "reverse": direction == "reverse",
        "batch_first": bool(layer.integer("layout")),
        "clip": layer.real("clip"),
        "linear_before_reset": bool(layer.integer("linear_before_reset")),
        "input_forget": bool(layer.integer("input_forget")),
    }
    if lengths is not None:
        lengths = convert(lengths, to=I32)
    inputs = (layer[0], layer[1], layer[2], layer.optional(3), lengths, *states)
    return CELLS[kind].many(*inputs, **attrs)


def _activations(layer: Layer, directions: int) -> Attr:
    """For each direction f, g and h with their alpha and beta."""
    defaults = DEFAULTS[layer.proto.op_type]
    names = layer.texts("activations") or defaults * directions
    if len(names) != len(defaults) * directions:
        raise ModelError(f"{len(names)} activations", where=layer.name)
    alphas, betas = list(layer.reals("activation_alpha")), list(layer.reals("activation_beta"))
    chosen = []
    for name in names:
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        if kind not in ACTIVATIONS:
            raise ModelError(f"no activation {name}", where=layer.name)
        alpha = alphas.pop(0) if kind in ALPHA and alphas else ALPHA.get(kind, 0.0)
        beta = betas.pop(0) if kind in BETA | {"affine": 0.0} and betas else BETA.get(kind, 0.0)
        chosen.append((kind, alpha, beta))
    each = len(defaults)
    rest = (chosen[0],) * (3 - each)
    return tuple((*chosen[d * each : (d + 1) * each], *rest) for d in range(directions))
