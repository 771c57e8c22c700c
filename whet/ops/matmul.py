"""`matmul`: batched matrix product, NumPy's rules for ranks of two and more."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Dim
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.broadcast import broadcast_shapes, same_element
from whet.ops.convolution import contraction_of
from whet.ops.epilogue import applied, checked
from whet.ops.integer import contraction as integer


def _infer(
    a: Type,
    b: Type,
    bias: Type | None = None,
    *extras: Type,
    epilogue: Attr = None,
    clamp: Attr = None,
    float32_product: bool = False,
) -> Type:
    """a: [..., M, K]; b: [..., K, N]; bias: [N]. Result [..., M, N]."""
    if a.rank < 2 or b.rank < 2:
        raise ShapeError(f"matmul of {a} and {b}: both need two axes or more")
    k, n = a.shape[-1], b.shape[-1]
    if k != b.shape[-2] and not isinstance(k, Dim) and not isinstance(b.shape[-2], Dim):
        raise ShapeError(f"matmul of {a} and {b}: inner sizes differ")
    if bias is not None and bias.shape != (n,):
        raise ShapeError(f"bias {bias} for {n} columns")
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    result = Type((*batch, a.shape[-2], n), same_element(a, b).element)
    return checked(result, extras, epilogue)


def _evaluate(node: Node, a: Array, b: Array, bias: Array | None = None, *extras: Array) -> Array:
    if a.dtype.kind == "V" or (a.dtype.itemsize == 2 and a.dtype.kind == "f"):
        a, b = a.astype(np.float32), b.astype(np.float32)
    out = np.matmul(a, b)
    return applied(node, np.asarray(out if bias is None else out + bias), extras)


def _quantized(node: Node, a: Array, b: Array, bias: Array | None = None, *extras: Array) -> Array:
    """Exact sums in 32 bits, then requantised; b may differ for each batch."""
    constants = contraction_of(node)
    if b.ndim == 2:
        return applied(node, integer.fully_connected(a, b.T, bias, constants), extras)
    left = a.astype(np.int32) - constants.x_zero
    right = b.astype(np.int32) - constants.w_zero
    sums = integer.exact_matmul(left, right)
    return applied(node, integer.finish(sums, bias, constants), extras)


matmul = Op("matmul", _infer, _evaluate, "contraction", _quantized)
