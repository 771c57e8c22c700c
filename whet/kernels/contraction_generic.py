"""Integer contractions of every element type, portable; the fast kernels are tried before them."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Weight
from whet.errors import ShapeError
from whet.ir.dim import Size, static_shape, static_size
from whet.ir.element import I8, I16, U8, Quant
from whet.ir.leaf import known
from whet.ir.node import Array, Node
from whet.kernels.conv_f32 import image, pair
from whet.kernels.kernel import kernel
from whet.kernels.quantized import rounding_name, scalar, store
from whet.ops.affine import operand, result
from whet.ops.convolution import contraction_of, conv
from whet.ops.integer.contraction import Contraction
from whet.ops.matmul import matmul
from whet.targets.target import Target


def _constants(node: Node) -> Contraction | None:
    """The constants, or None where the headers do not know an element."""
    elements = [v.tensor.element for v in (*node.inputs[:2], node.outputs[0]) if v is not None]
    quants = [e for e in elements if isinstance(e, Quant)]
    known_stores = all(q.store in (I8, U8, I16) for q in quants)
    static = all(v.tensor.static for v in node.operands)
    if len(quants) != 3 or not known_stores or quants[0].store != quants[2].store or not static:
        return None
    try:
        return contraction_of(node)
    except ShapeError:
        return None


def _conv(
    node: Node, c: Contraction, sizes: tuple[int, ...], weights: Argument, w_store: Argument,
    more: tuple[Array, ...],
) -> Lowered:  # fmt: skip
    channels = sizes[6]
    per_channel = c.by.m.size > 1
    m, t = (np.asarray(v, np.int32).reshape(-1) for v in (c.by.m, c.by.t))
    assert m.size in (1, channels)
    bias: Argument = 0 if node.operand(2) is None else In(2)
    at = len(more)
    by: tuple[Argument, ...] = (Weight(at), Weight(at + 1), int(per_channel))
    arguments: tuple[Argument, ...] = (
        *sizes, store(operand(node, 0)), w_store, In(0), c.x_zero, weights, c.w_zero, bias, *by,
        c.y_zero, c.low, c.high, rounding_name(node), Out(),
    )  # fmt: skip
    call = Call("integer_conv2d", arguments)
    return Lowered((call,), ("integer_contraction.h",), (*more, m, t))


def _weight_store(node: Node) -> Argument:
    element = node.input(1).tensor.element
    assert isinstance(element, Quant)
    return Name(f"INTEGER_{str(element.store).upper()}")


@kernel("integer_conv", conv)
def convolution(node: Node, target: Target) -> Lowered | None:
    x, w = node.inputs[0], node.inputs[1]
    c = _constants(node)
    if c is None or x is None or w is None or len(x.shape) > 4 or node["epilogue"] is not None:
        return None
    b, h, width, channels = image(x.shape)
    _, oh, ow, o = image(node.outputs[0].shape)
    kernel_sizes = static_shape(w.shape[1:-1])
    kh, kw = kernel_sizes if len(kernel_sizes) == 2 else (1, kernel_sizes[0])
    stride, dilation = pair(node.integers("stride"), 1), pair(node.integers("dilation"), 1)
    sizes = (
        b, h, width, channels, oh, ow, o, kh, kw, *stride, *dilation,
        *pair(node.integers("low"), 0), node.integer("groups", 1),
    )  # fmt: skip
    return _conv(node, c, sizes, In(1), _weight_store(node), ())


@kernel("integer_matmul", matmul)
def product(node: Node, target: Target) -> Lowered | None:
    a, b, c = node.inputs[0], node.inputs[1], _constants(node)
    if c is None or a is None or b is None or node["epilogue"] is not None:
        return None
    rows, depth, columns = static_shape((a.shape[-2], a.shape[-1], b.shape[-1]))
    weights = known(b)
    if weights is not None and weights.ndim == 2:
        count = static_size(a.tensor.elements) // depth
        sizes = (count, 1, 1, depth, 1, 1, columns, 1, 1, 1, 1, 1, 1, 0, 0, 1)
        return _conv(node, c, sizes, Weight(0), _weight_store(node), (weights.T.copy(),))
    if node.operand(2) is not None or c.by.m.size != 1:
        return None
    if operand(node, 0).store != operand(node, 1).store:
        return None
    total = static_size(node.outputs[0].tensor.elements) // (rows * columns)
    strides = [_stride(v.shape, total) for v in (a, b)]
    if None in strides:
        return None
    by = (scalar(c.by.m), scalar(c.by.t), c.y_zero, c.low, c.high, rounding_name(node))
    head = (total, rows, depth, columns, *(s for s in strides if s is not None))
    call = Call(
        "integer_batch_matmul",
        (*head, store(result(node)), In(0), c.x_zero, In(1), c.w_zero, *by, Out()),
    )
    return Lowered((call,), ("integer_contraction.h",))


def _stride(shape: tuple[Size, ...], total: int) -> int | None:
    """Elements from one matrix to the next; 0 to repeat one, None for anything in between."""
    sizes = static_shape(shape)
    matrices = int(np.prod(sizes[:-2]))
    if matrices == total:
        return sizes[-2] * sizes[-1]
    return 0 if matrices == 1 else None
