"""Small graphs for every kernel that asks for scratch, by the file of `whet.kernels` it is in.

Sizes are no multiples of vectors, tiles or blocks; names differ from graph to graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import numpy as np

from tests.kernels.test_codes_s8 import attended
from whet.ir.element import BOOL, F32, F64, I8, I16, I32, I64, Element, Quant, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant, parameter
from whet.ir.node import Attr, Value
from whet.ir.type import Type
from whet.ops import elementwise as e
from whet.ops.attention import attention
from whet.ops.audio import spectrum
from whet.ops.control import branch, loop
from whet.ops.convolution import conv
from whet.ops.determinant import det
from whet.ops.dft import dft
from whet.ops.matmul import matmul
from whet.ops.mersenne import mersenne_uniform
from whet.ops.order import nms, unique
from whet.ops.postprocess import detection_postprocess
from whet.ops.recurrent import gru, lstm, rnn
from whet.ops.reduction import reduce_mean, reduce_sum
from whet.ops.region import roi_align
from whet.ops.rfft import rfft
from whet.ops.sequence_lstm import sequence_lstm
from whet.passes.pipeline import in_precision

RNG, NAMES = np.random.default_rng(7), count()
CODES, WEIGHTS = Quant(I8, (0.05,), (3,)), Quant(I8, (0.01,), (0,))


def given(*shape: int, element: Element = F32) -> Value:
    return parameter(f"x{next(NAMES)}", Type(shape, element))


def weights(*shape: int) -> Value:
    """Of a size that keeps results near that of inputs."""
    scale = np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 1.0
    return constant((RNG.standard_normal(shape) / scale).astype(np.float32))


def coded(*shape: int) -> Value:
    return constant(RNG.integers(-127, 128, shape).astype(np.int8), WEIGHTS)


def graph(inputs: Iterable[Value], *outputs: Value) -> Graph:
    return Graph(tuple(inputs), outputs, tuple(f"y{next(NAMES)}" for _ in outputs))


def together(graphs: Iterable[Graph]) -> Graph:
    """One graph that computes all of them: one compilation."""
    every = list(graphs)
    inputs = tuple(v for made in every for v in made.inputs)
    outputs = tuple(v for made in every for v in made.outputs)
    return Graph(inputs, outputs, tuple(n for made in every for n in made.output_names))


def heads() -> Graph:
    q, k, v = given(2, 19, 3, 21), given(2, 37, 3, 21), given(2, 37, 3, 5)
    mask = given(2, 1, 19, 37)
    return graph((q, k, v, mask), attention(q, k, v, mask, scale=0.2), attention(k, k, v))


def transformed() -> Graph:
    x = given(3, 200, element=I16)
    return graph((x,), *(spectrum(x, length=length) for length in (256, 512)))


def layer(
    x: Value, outputs: int, taps: tuple[int, int], stride: int = 1, *, dilation: int = 1,
    groups: int = 1, pad: bool = True,
) -> Value:  # fmt: skip
    """A convolution of floats or of codes."""
    shape, is_coded = (outputs, *taps, int(str(x.shape[-1])) // groups), x.tensor.element == CODES
    around = tuple((k - 1) * dilation // 2 * pad for k in taps)
    attrs: dict[str, Attr] = {"element": CODES} if is_coded else {}
    if not is_coded:
        return conv(
            x, weights(*shape), weights(outputs), stride=(stride,) * 2, dilation=(dilation,) * 2,
            low=around, high=around, groups=groups,
        )  # fmt: skip
    scales = tuple(float(s) for s in RNG.uniform(0.001, 0.01, outputs))
    w = constant(
        RNG.integers(-127, 128, shape).astype(np.int8), Quant(I8, scales, (0,) * outputs, 0)
    )
    return conv(
        x, w, None, stride=(stride,) * 2, dilation=(dilation,) * 2, low=around, high=around,
        groups=groups, **attrs,
    )  # fmt: skip


def images(element: Element) -> Graph:
    """Windows that step, reach far, lie apart or in groups, of images of odd sizes."""
    x, y = given(2, 13, 17, 12, element=element), given(1, 11, 19, 70, element=element)
    return graph(
        (x, y), layer(x, 37, (3, 3)), layer(x, 9, (5, 2), 2), layer(y, 33, (3, 3), dilation=2),
        layer(x, 24, (3, 3), groups=3, pad=False), layer(y, 70, (3, 5), 2, groups=70),
        layer(layer(y, 19, (1, 1)), 21, (3, 3)),
    )  # fmt: skip


def regions() -> Graph:
    x, rois = given(2, 9, 11, 37), given(3, 4)
    ones = constant(np.array([1, 0, 1], np.int64))
    attrs: dict[str, Attr] = {"size": (2, 3), "scale": 0.5, "ratio": 2}
    return graph((x, rois), *(roi_align(x, rois, ones, **attrs, largest=v) for v in (True, False)))


def controlled() -> Graph:
    """A branch and a loop whose bodies need memory of their own."""

    def body(*inputs: Value, flag: Value | None = None) -> Graph:
        x = inputs[-1]
        y = reduce_sum(e.mul(e.exp(x), x), axes=(0, 2), keep=True)
        y = e.add(x, e.sin(y))
        return Graph(inputs, (y,) if flag is None else (flag, y), ("y",) if flag is None else "fy")

    def made(name: str) -> Value:
        return parameter(name, Type((3, 5, 7), F32))

    x, condition = given(3, 5, 7), given(element=BOOL)
    bodies = {"then": body(made("a")), "otherwise": body(made("a"))}
    chosen = branch(condition, x, **bodies, made=(x.type,))
    index, alive = parameter("i", Type((), I64)), parameter("c", Type((), BOOL))
    again = body(index, alive, made("a"), flag=alive)
    attrs: dict[str, Attr] = {
        "body": again,
        "carried": 1,
        "made": (x.type, Type((), I64)),
        "limit": 3,
    }
    looped = loop.many(constant(np.int64(3)), None, x, **attrs)
    return graph((x, condition), chosen, looped[0])


def multiplied() -> Graph:
    a, b = given(3, 70, 23, element=CODES), given(1, 23, 37, element=CODES)
    return graph((a, b), matmul(a, b, element=Quant(I8, (0.05,), (-4,))))


def narrow(kind: str) -> Graph:
    """In bf16: products, or images."""
    if kind == "images":
        return in_precision(images(F32), "bf16")
    x, y = given(41, 23), given(1, 300)
    wide = graph((x, y), matmul(x, weights(23, 70), weights(70)), matmul(y, weights(300, 37)))
    return in_precision(wide, "bf16")


def ordered() -> Graph:
    """What does not end within its room: how many there are, and of which each is."""
    x, y = given(37, element=I32), given(9, 3)
    boxes, scores = given(2, 23, 4), given(2, 3, 23)
    bounds = [constant(np.int64(7)), constant(np.float32(0.4)), constant(np.float32(-9))]
    made = unique.many(x, axis=0)[1:4:2] + unique.many(y, axis=1, ordered=False)[1:4:2]
    return graph((x, y, boxes, scores), *made, nms.many(boxes, scores, *bounds)[1])


def detected(regular: bool) -> Graph:
    boxes, scores, anchors = given(1, 23, 4), given(1, 23, 5), given(23, 4)
    made = detection_postprocess.many(
        boxes, scores, anchors, detections=7, categories=2, per_class=9, classes=4,
        least_score=-9.0, most_overlap=0.5, scales=(10.0, 10.0, 5.0, 5.0), regular=regular,
    )  # fmt: skip
    return graph((boxes, scores, anchors), *made)


def summed(element: Element) -> Graph:
    """Over two axes apart, and over an only image."""
    x, y = given(3, 5, 7, 19, element=element), given(1, 9, 7, 70, element=element)
    attrs: dict[str, Attr] = {"element": CODES} if element == CODES else {}
    means = (
        reduce_mean(y, axes=(1, 2), keep=True, **attrs),
        reduce_sum(y, axes=(1, 2), keep=True, **attrs),
    )
    apart = (
        ()
        if element == CODES
        else (reduce_sum(x, axes=(1, 3), keep=False), reduce_mean(x, axes=(0, 2), keep=True))
    )
    return graph((x, y) if apart else (y,), *means, *apart)


def usual(*names: str) -> tuple[tuple[str, float, float], ...]:
    return tuple((name, 0.0, 0.0) for name in names)


def recurrent(kind: str) -> Graph:
    """Two directions, several chunks of steps: as they are, of codes, or with other activations."""
    hidden, size = 37, 21
    element = CODES if kind == "codes" else F32
    x, y = given(5, 2, size, element=element), given(140, 1, size, element=element)

    def held(gates: int) -> list[Value]:
        make = coded if kind == "codes" else weights
        of = [make(2, gates * hidden, size), make(2, gates * hidden, hidden)]
        return [*of, weights(2, 2 * gates * hidden)]

    long, short = usual("sigmoid", "tanh", "tanh"), usual("sigmoid", "tanh")
    if kind == "other":
        names = ("reverse", "batch_first", "linear_before_reset", "input_forget")
        flags: dict[str, Attr] = {**dict.fromkeys(names, False), "clip": 0.5}
        plain, odd = usual("tanh"), usual("sigmoid", "softsign", "tanh")
        made = [rnn.many(x, *held(1), activations=(plain, plain), **flags),
                lstm.many(x, *held(4), activations=(odd, odd), **flags),
                gru.many(x, *held(3), activations=(short, short), **flags)]  # fmt: skip
        return graph((x,), *(v for values in made for v in values))
    first = lstm.many(x, *held(4), activations=(long, long))
    second = gru.many(y, *held(3), activations=(short, short), linear_before_reset=True)
    return graph((x, y), *first, *second)


def sequence() -> Graph:
    x, h, c = given(2, 141, 5), given(2, 37), given(2, 37)
    held = [weights(37, 5) for _ in range(4)] + [weights(37, 37) for _ in range(4)]
    made = sequence_lstm.many(x, h, c, *held, *(weights(37) for _ in range(4)), clip=0.5)
    return graph((x, h, c), *made)


def coded_sequence() -> Graph:
    def codes(store: Scalar, scale: float, zero: int = 0) -> Quant:
        return Quant(store, (scale,), (zero,), rounding="double")

    x, h = given(2, 141, 5, element=codes(I8, 0.02, -4)), given(2, 37, element=codes(I8, 0.01, 4))
    c = given(2, 37, element=codes(I16, 2.0**-11))
    held = [RNG.integers(-127, 128, (37, n)).astype(np.int8) for n in [5] * 4 + [37] * 4]
    biases = [constant(RNG.integers(-3000, 3000, 37).astype(np.int32)) for _ in range(4)]
    made = [constant(w, codes(I8, 0.002)) for w in held]
    return graph((x, h, c), *sequence_lstm.many(x, h, c, *made, *biases, clip=3.0))


def spectra() -> Graph:
    x, y, z = given(2, 13, 3, 2), given(2, 12, 1, element=F64), given(3, 7, 7)
    return graph((x, y, z), dft(x, axis=1, length=13), dft(y, axis=1, length=9), det(z))


def signals() -> Graph:
    x = given(37, 64)
    return graph((x,), rfft(x))


def squares() -> Graph:
    """3 x 3 windows of many channels."""
    x = given(1, 22, 26, 64)
    return graph((x,), layer(x, 70, (3, 3)))


def scratch_graphs() -> dict[str, list[Graph]]:
    """The graphs of each file."""
    return {
        "attention": [heads()],
        "attention_s8": [attended(2, 3, 43, 45, 15, 17, "after")],
        "audio": [transformed()],
        "control": [controlled()],
        "conv_bf16": [narrow("images")],
        "conv_generic": [regions()],
        "conv_s8": [images(CODES)],
        "matmul_batch_s8": [multiplied()],
        "matmul_bf16": [narrow("products")],
        "mersenne": [graph((), mersenne_uniform(shape=(700,), seed=5, random=True))],
        "order": [ordered()],
        "postprocess": [detected(True), detected(False)],
        "quantized": [summed(CODES)],
        "recurrent": [recurrent("other")],
        "recurrent_f32": [recurrent("floats"), recurrent("codes")],
        "reduction": [summed(F32)],
        "rfft": [signals()],
        "sequence_lstm": [sequence()],
        "sequence_s8": [coded_sequence()],
        "spectrum": [spectra()],
        "winograd_bf16": [in_precision(squares(), "bf16")],
        "winograd_f32": [squares()],
    }
