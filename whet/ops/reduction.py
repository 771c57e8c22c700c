"""Reductions over axes. Accumulation is in f32 for narrow floats, in the element's own type
otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import I64
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type
from whet.ops.affine import operand, result, rounding
from whet.ops.integer import reduction as integer


def reduced_shape(x: Type, axes: tuple[int, ...], keep: bool) -> Type:
    """The shape with `axes` removed, or kept as 1. Raises ShapeError for an axis that is not
    there.
    """
    if any(not 0 <= a < x.rank for a in axes) or len(set(axes)) != len(axes):
        raise ShapeError(f"axes {axes} are not axes of {x}")
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape) if keep or i not in axes)
    return Type(shape, x.element)


def _reduce(
    name: str, function: Callable[..., object], quantized: Callable[..., Array] | None = None
) -> Op:
    def infer(x: Type, *, axes: tuple[int, ...], keep: bool = True) -> Type:
        return reduced_shape(x, axes, keep)

    def run(node: Node, x: Array) -> Array:
        if x.dtype.kind in "fV" and x.dtype.itemsize < 4:
            x = x.astype(np.float32)
        keep = bool(node.attrs.get("keep", True))
        return np.asarray(function(x, axis=node.integers("axes"), keepdims=keep))

    return Op(name, infer, run, "reduction", quantized)


def _quantized_sum(node: Node, x: Array) -> Array:
    return _requantized(node, x, integer.sum_constants)


def _quantized_mean(node: Node, x: Array) -> Array:
    return _requantized(node, x, integer.mean_constants)


def _requantized(node: Node, x: Array, constants_of: Callable[..., integer.Reduction]) -> Array:
    axes = node.integers("axes")
    count = math.prod(x.shape[a] for a in axes)
    constants = constants_of(operand(node, 0), result(node), count, rounding(node))
    return integer.mean_or_sum(x, axes, constants, bool(node.attrs.get("keep", True)))


def _extreme(name: str, function: Callable[..., Array]) -> Op:
    def infer(x: Type, *, axis: int, keep: bool = True, last: bool = False) -> Type:
        return Type(reduced_shape(x, (axis,), keep).shape, I64)

    def run(node: Node, x: Array) -> Array:
        axis, keep = node.integer("axis"), bool(node.attrs.get("keep", True))
        if node["last"]:
            index = x.shape[axis] - 1 - function(np.flip(x, axis), axis=axis)
        else:
            index = function(x, axis=axis)
        return np.expand_dims(index, axis) if keep else index

    return Op(name, infer, run, family="reduction")


def _maximum(x: Array, axis: tuple[int, ...], keepdims: bool) -> object:
    if x.dtype == np.bool_:
        return np.any(x, axis=axis, keepdims=keepdims)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.max(x, axis=axis, keepdims=keepdims, initial=least)


def _minimum(x: Array, axis: tuple[int, ...], keepdims: bool) -> object:
    if x.dtype == np.bool_:
        return np.all(x, axis=axis, keepdims=keepdims)
    greatest = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    return np.min(x, axis=axis, keepdims=keepdims, initial=greatest)


reduce_sum = _reduce("reduce_sum", np.sum, _quantized_sum)
reduce_prod = _reduce("reduce_prod", np.prod)
reduce_mean = _reduce("reduce_mean", np.mean, _quantized_mean)
reduce_max = _reduce("reduce_max", _maximum)
reduce_min = _reduce("reduce_min", _minimum)
argmax, argmin = _extreme("argmax", np.argmax), _extreme("argmin", np.argmin)
