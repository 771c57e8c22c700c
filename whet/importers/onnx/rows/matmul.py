"""Matrix products."""

from __future__ import annotations

from whet.importers.onnx.layer import Layer, row, scalar
from whet.ir.node import Value
from whet.ops import elementwise as e
from whet.ops.matmul import matmul
from whet.ops.movement import reshape, transpose


@row("MatMul")
def product(layer: Layer) -> Value:
    return multiplied(layer[0], layer[1])


def multiplied(a: Value, b: Value) -> Value:
    """NumPy's matrix product: an operand of one axis is a row, or a column, without that axis."""
    left, right = len(a.shape) == 1, len(b.shape) == 1
    a = reshape(a, shape=(1, *a.shape)) if left else a
    b = reshape(b, shape=(*b.shape, 1)) if right else b
    y = matmul(a, b)
    shape = y.shape[:-1] if right else y.shape
    if left:
        shape = (*shape[:-1],) if right else (*shape[:-2], shape[-1])
    return reshape(y, shape=shape) if left or right else y


@row("Gemm")
def gemm(layer: Layer) -> Value:
    a, b, c = layer[0], layer[1], layer.optional(2)
    a = transpose(a, perm=(1, 0)) if layer.integer("transA") else a
    b = transpose(b, perm=(1, 0)) if layer.integer("transB") else b
    alpha, beta = layer.real("alpha", 1.0), layer.real("beta", 1.0)
    y = matmul(a, b)
    y = y if alpha == 1 else e.mul(y, scalar(alpha, y))
    if c is None:
        return y
    return e.add(y, c if beta == 1 else e.mul(c, scalar(beta, c)))
