"""rnn.h against ONNX Runtime and torch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import DTYPES, FLOATS, close, evaluate_with_runtime

RNG = np.random.default_rng(19)
KINDS = [
    "Relu",
    "Tanh",
    "Sigmoid",
    "Affine",
    "LeakyRelu",
    "ThresholdedRelu",
    "ScaledTanh",
    "HardSigmoid",
    "Elu",
    "Softsign",
    "Softplus",
]
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
DEFAULTS = {"rnn": ["Tanh"], "gru": ["Sigmoid", "Tanh"], "lstm": ["Sigmoid", "Tanh", "Tanh"]}
DIRECTIONS = ["forward", "reverse", "bidirectional"]
STEPS, BATCH, INPUT, HIDDEN = 5, 3, 18, 4


class Activation(ctypes.Structure):
    """The C struct rnn_activation."""

    _fields_ = [("kind", ctypes.c_int), ("alpha", ctypes.c_double), ("beta", ctypes.c_double)]


class Shape(ctypes.Structure):
    """The C struct rnn_shape."""

    _fields_ = [
        *((name, ctypes.c_long) for name in ("steps", "batch", "input", "hidden")),
        *(
            (name, ctypes.c_int)
            for name in (
                "directions",
                "reverse",
                "batch_first",
                "linear_before_reset",
                "input_forget",
            )
        ),
        ("clip", ctypes.c_double),
        ("activations", (Activation * 3) * 2),
    ]


def _shape(
    direction: str,
    names: Sequence[str],
    alphas: Sequence[float],
    betas: Sequence[float],
    **fields: float,
) -> np.ndarray:
    directions = 1 + (direction == "bidirectional")
    shape = Shape(STEPS, BATCH, INPUT, HIDDEN, directions, int(direction == "reverse"))
    for name, value in fields.items():
        setattr(shape, name, value)
    each = len(names) // directions
    for i, name in enumerate(names):
        shape.activations[i // each][i % each] = Activation(KINDS.index(name), alphas[i], betas[i])
    return np.frombuffer(shape, np.uint8)


def _random(kind: str, *shape: int) -> np.ndarray:
    return (0.5 * RNG.standard_normal(shape)).astype(DTYPES[kind])


def _evaluated(
    op: str,
    feeds: dict[str, np.ndarray],
    outputs: list[str],
    attributes: dict[str, object],
) -> list[np.ndarray]:
    """What ONNX Runtime makes of the layer, in f32."""
    node = onnx.helper.make_node(op.upper(), list(feeds), outputs, hidden_size=HIDDEN, **attributes)
    single = {k: v if k == "l" else v.astype(np.float32) for k, v in feeds.items()}
    return evaluate_with_runtime(node, single, 14)


def _check(
    op: str,
    kind: str = "f32",
    direction: str = "forward",
    *,
    optional: bool = True,
    names: list[str] | None = None,
    alphas: list[float] | None = None,
    betas: list[float] | None = None,
    clip: float = 0.0,
    layout: int = 0,
    lengths: tuple[int, ...] = (5, 2, 4),
    **attributes: int,
) -> None:
    d, g = 1 + (direction == "bidirectional"), GATES[op]
    names = names or DEFAULTS[op] * d
    x = _random(kind, STEPS, BATCH, INPUT)
    w, r = _random(kind, d, g * HIDDEN, INPUT), _random(kind, d, g * HIDDEN, HIDDEN)
    b = _random(kind, d, 2 * g * HIDDEN)
    h0, c0 = _random(kind, d, BATCH, HIDDEN), _random(kind, d, BATCH, HIDDEN)
    p, steps = _random(kind, d, 3 * HIDDEN), np.array(lengths, np.int32)
    feeds: dict[str, np.ndarray] = {"x": x, "w": w, "r": r}
    if optional:
        feeds |= {"b": b, "l": steps, "h": h0} | ({"c": c0, "p": p} if op == "lstm" else {})
    outputs = ["y", "yh", "yc"][: 3 if op == "lstm" else 2]
    extra: dict[str, object] = {"clip": clip} if clip else {}
    if alphas:
        extra["activation_alpha"] = [v for v in alphas if v]  # given to those that take one
    if betas:
        extra["activation_beta"] = [v for v in betas if v]
    extra |= {"direction": direction, "activations": names, **attributes}
    want = _evaluated(op, feeds, outputs, extra)

    shape = _shape(
        direction,
        names,
        alphas or [0.0] * len(names),
        betas or [0.0] * len(names),
        clip=clip,
        batch_first=layout,
        **attributes,
    )
    axes = (1, 0, 2)
    y_shape = (BATCH, STEPS, d, HIDDEN) if layout else (STEPS, d, BATCH, HIDDEN)
    y = np.empty(y_shape, x.dtype)
    states = [
        np.empty((BATCH, d, HIDDEN) if layout else (d, BATCH, HIDDEN), x.dtype) for _ in outputs[1:]
    ]
    scratch = np.empty(7 * HIDDEN, np.float64 if kind == "f64" else np.float32)
    if layout:
        x, h0, c0 = (np.ascontiguousarray(v.transpose(axes)) for v in (x, h0, c0))
        want = [want[0].transpose(2, 0, 1, 3), *(v.transpose(axes) for v in want[1:])]
    given: list[np.ndarray | None] = [b, steps, h0] if optional else [None] * 3
    if op == "lstm":
        given += [c0, p] if optional else [None] * 2
    call(getattr(library("rnn.h"), f"{op}_{kind}"), x, w, r, *given, y, *states, scratch, shape)
    tolerated = "f32" if kind == "f64" else kind
    for got, expected in zip([y, *states], want, strict=True):
        close(got, expected, tolerated, scale=2)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("op", GATES)
def test_cells(op: str, direction: str, kind: str) -> None:
    _check(op, kind, direction)
    _check(op, kind, direction, optional=False)


@pytest.mark.parametrize("op", GATES)
def test_batch_first(op: str) -> None:
    _check(op, direction="bidirectional", layout=1)


def test_linear_before_reset() -> None:
    _check("gru", linear_before_reset=1)
    _check("gru", linear_before_reset=1, optional=False)


def test_coupled_forget_gate() -> None:
    _check("lstm", input_forget=1)


@pytest.mark.parametrize("op", GATES)
def test_clip(op: str) -> None:
    _check(op, clip=0.3)


@pytest.mark.parametrize("name", [n for n in KINDS if n != "Affine"])
def test_activations(name: str) -> None:
    _check("rnn", names=[name], alphas=[0.4], betas=[0.3])


def test_each_gate_has_its_activation() -> None:
    _check(
        "lstm",
        direction="bidirectional",
        names=["HardSigmoid", "Softsign", "Relu", "Sigmoid", "ScaledTanh", "Tanh"],
        alphas=[0.25, 0.0, 0.0, 0.0, 0.7, 0.0],
        betas=[0.4, 0.0, 0.0, 0.0, 0.6, 0.0],
    )
