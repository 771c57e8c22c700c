"""Normalisations along axes: softmax, layer norm and their kin."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.node import Array, Attr, Node, Op
from whet.ir.type import Type
from whet.ops.affine import operand, result, rounding
from whet.ops.integer import softmax as integer
from whet.ops.integer.normalization import LayerNorm, layer_norm_constants
from whet.ops.integer.normalization import layer_norm as integer_layer_norm
from whet.ops.integer.softmax8 import LONGEST, Softmax8, softmax8, softmax8_constants


def _infer(x: Type, *, axis: int, clamp: Attr = None, beta: float = 1.0) -> Type:
    if not 0 <= axis < x.rank:
        raise ShapeError(f"axis {axis} is not an axis of {x}")
    return x


def _softmax(node: Node, x: Array) -> Array:
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    axis, beta = node.integer("axis"), node.attrs.get("beta", 1.0)
    assert isinstance(beta, float)
    e = np.exp((wide - wide.max(axis=axis, keepdims=True)) * wide.dtype.type(beta))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def softmax8_of(node: Node) -> Softmax8 | None:
    """The constants of a softmax of int8 codes to int8 codes of any scale, rounded once; None for
    another one. Raises ShapeError where the result's scale has none."""
    x, y, beta = operand(node, 0), result(node), node.attrs.get("beta", 1.0)
    assert isinstance(beta, float)
    longest = node.outputs[0].shape[-1]
    short = isinstance(longest, int) and longest <= LONGEST
    if rounding(node) != "single" or (x.store, y.store) != ("int8", "int8") or not short:
        return None
    return softmax8_constants(x, beta, y)


def _quantized_softmax(node: Node, x: Array) -> Array:
    """Along the last axis; but for softmax8, the result's scale is fixed by its width."""
    eight = softmax8_of(node)
    if eight is not None:
        return softmax8(x, eight)
    beta = node.attrs.get("beta", 1.0)
    assert isinstance(beta, float)
    store = result(node).store
    assert store != "int32"
    constants = integer.softmax_constants(operand(node, 0), beta, rounding(node), store)
    return integer.softmax(x, constants)


softmax = Op("softmax", _infer, _softmax, "reduction", _quantized_softmax)


def _infer_layer_norm(
    x: Type, scale: Type, bias: Type | None = None, *, axis: int, epsilon: float
) -> Type:
    """scale and bias: the shape of x from `axis` on, which is what is normalised over."""
    given = [scale] if bias is None else [scale, bias]
    if not 0 <= axis < x.rank or any(t.shape != x.shape[axis:] for t in given):
        raise ShapeError(f"normalisation of {x} from axis {axis} with a scale of {scale}")
    return x


def _unit(node: Node, x: Array, centred: bool) -> Array:
    wide = x.astype(np.float32) if x.dtype.itemsize < 4 else x
    axes, epsilon = tuple(range(node.integer("axis"), x.ndim)), node["epsilon"]
    assert isinstance(epsilon, float)
    if centred:
        wide = wide - wide.mean(axis=axes, keepdims=True)
    variance = (wide * wide).mean(axis=axes, keepdims=True)
    return np.asarray(wide / np.sqrt(variance + wide.dtype.type(epsilon)))


def _layer_norm(node: Node, x: Array, scale: Array, bias: Array | None = None) -> Array:
    y = _unit(node, x, centred=True) * scale
    return y if bias is None else y + bias


def _rms_norm(node: Node, x: Array, scale: Array) -> Array:
    return _unit(node, x, centred=False) * scale


def layer_norm_of(node: Node, scale: Array, bias: Array | None) -> LayerNorm:
    """The constants of a quantised layer norm. Raises ShapeError where it has none."""
    epsilon = node["epsilon"]
    assert isinstance(epsilon, float)
    shift = np.zeros_like(scale) if bias is None else bias
    return layer_norm_constants(operand(node, 0), result(node), scale, shift, epsilon)


def _quantized_layer_norm(node: Node, x: Array, scale: Array, bias: Array | None = None) -> Array:
    """Over the last axis."""
    return integer_layer_norm(x, layer_norm_of(node, scale, bias))


layer_norm = Op("layer_norm", _infer_layer_norm, _layer_norm, "reduction", _quantized_layer_norm)
"""(x - mean) / sqrt(variance + epsilon) * scale + bias (arXiv 1607.06450)."""
rms_norm = Op("rms_norm", _infer_layer_norm, _rms_norm, "reduction")
"""x / sqrt(mean(x * x) + epsilon) * scale (arXiv 1910.07467)."""


def _log_softmax(node: Node, x: Array) -> Array:
    axis, wide = node.integer("axis"), _wide(x)
    shifted = wide - wide.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


def _standard(x: Array, axes: tuple[int, ...], node: Node) -> Array:
    """(x - mean) / sqrt(variance + epsilon)"""
    epsilon = x.dtype.type(node["epsilon"])
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + epsilon))


def _infer_group(x: Type, scale: Type, bias: Type, *, groups: int, epsilon: float) -> Type:
    """x: [N, *S, C], statistics over each image's C/groups channels; scale, bias: [C]."""
    channels = x.shape[-1]
    if x.rank < 2 or scale.shape != (channels,) or bias.shape != (channels,):
        raise ShapeError(f"{x} normalised in groups with scale {scale} and bias {bias}")
    if isinstance(channels, int) and channels % groups:
        raise ShapeError(f"{channels} channels in {groups} groups")
    return x


def _group_norm(node: Node, x: Array, scale: Array, bias: Array) -> Array:
    wide, groups = _wide(x), node.integer("groups")
    rows = wide.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    y = _standard(rows, (1, 3), node).reshape(x.shape)
    return np.asarray(y * scale.astype(wide.dtype) + bias.astype(wide.dtype))


def _infer_lrn(x: Type, *, axis: int, size: int, alpha: float, beta: float, bias: float) -> Type:
    return _infer(x, axis=axis)


def _lrn(node: Node, x: Array) -> Array:
    """x / (bias + alpha / size * sum of squares of `size` neighbours along the axis) ** beta."""
    wide, axis, size = np.moveaxis(_wide(x), node.integer("axis"), -1), -1, node.integer("size")
    before = (size - 1) // 2
    widths = [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)]
    squares = np.pad(np.square(wide), widths)
    windows = np.lib.stride_tricks.sliding_window_view(squares, size, axis=axis)
    alpha, beta, bias = (float(str(node[a])) for a in ("alpha", "beta", "bias"))
    y = wide / (bias + alpha / size * windows.sum(axis=-1)) ** beta
    return np.moveaxis(y, -1, node.integer("axis"))


log_softmax = Op("log_softmax", _infer, _log_softmax, "reduction")
group_norm = Op("group_norm", _infer_group, _group_norm, "reduction")
lrn = Op("lrn", _infer_lrn, _lrn, "reduction")
