"""`convert`: change what represents a number: cast, quantise, dequantise, requantise."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from whet.errors import ShapeError
from whet.ir.element import F4E2M1, F8E8M0, Element, Quant, Scalar
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import Type
from whet.ops.affine import affine
from whet.ops.integer.quantization import Rounding
from whet.ops.integer.unary import rescale, rescale_constants


def _infer(x: Type, *, to: Element, saturate: bool = True, round: str = "up") -> Type:
    if isinstance(to, Quant):
        _check_axis(to, x)
    return Type(x.shape, to)


def _check_axis(element: Quant, x: Type) -> None:
    if element.axis is None:
        return
    if not 0 <= element.axis < x.rank or x.shape[element.axis] != len(element.scale):
        raise ShapeError(f"{len(element.scale)} scales along axis {element.axis} of {x}")


def along(values: tuple[float, ...] | tuple[int, ...], element: Quant, rank: int) -> Array:
    """Scales or zero points shaped to broadcast against an array of `rank` axes."""
    array = np.asarray(values)
    if element.axis is None:
        return array.reshape(())
    return array.reshape([-1 if i == element.axis else 1 for i in range(rank)])


def dequantize(codes: Array, element: Quant) -> Array:
    """(code - zero) * scale in f32, as ONNX DequantizeLinear and TFLite Dequantize compute it."""
    zero = along(element.zero, element, codes.ndim).astype(np.int64)
    scale = along(element.scale, element, codes.ndim).astype(np.float32)
    return np.asarray((codes.astype(np.int64) - zero).astype(np.float32) * scale)


def quantize(x: Array, element: Quant) -> Array:
    """round_half_even(x / scale) + zero, saturated (ONNX QuantizeLinear).

    With `double` rounding halves go away from zero, as TFLite Micro's Quantize does.
    """
    scale = along(element.scale, element, x.ndim).astype(np.float32)
    zero = along(element.zero, element, x.ndim).astype(np.int64)
    ratio = x.astype(np.float32) / scale
    if element.rounding == "double":
        whole = np.trunc(ratio + np.copysign(np.float32(0.5), ratio))
        whole = np.where(np.abs(ratio) < 2**23, _half_away(ratio), whole)
    else:
        whole = np.rint(ratio)
    limits = integer_limits(element.store)
    whole = np.nan_to_num(whole, nan=0.0, posinf=2.0**62, neginf=-(2.0**62))
    return np.asarray(np.clip(whole.astype(np.float64) + zero, *limits), element.store.dtype)


def _half_away(x: Array) -> Array:
    floor = np.floor(np.abs(x))
    return np.asarray(np.copysign(floor + (np.abs(x) - floor >= 0.5), x))


def integer_limits(store: Scalar) -> tuple[int, int]:
    """The least and greatest code of an integer type."""
    bits = int(store.name[1:])
    return (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if store.kind == "i" else (0, (1 << bits) - 1)
    )


def _cast(x: Array, target: Scalar, saturate: bool, mode: str) -> Array:
    """ONNX Cast. A float becomes an integer toward zero, its low bits kept."""
    if target.kind == "b":
        return np.asarray(x != 0)
    if target.kind in "iu" and x.dtype.kind in "fV":
        wide = x.astype(np.float64)
        whole = wide.astype(np.uint64 if target.name == "u64" else np.int64)
        return np.asarray(whole.astype(target.dtype))
    if target.kind != "f" or target.size > 1:
        return x.astype(target.dtype)
    if target == F8E8M0:
        return _power_of_two(x.astype(np.float32), saturate, mode)
    narrow = x.astype(np.float32).astype(target.dtype)
    if not saturate or target == F4E2M1:
        return narrow
    largest = np.float32(ml_dtypes.finfo(target.dtype).max)  # type: ignore[no-untyped-call]
    held = np.clip(x.astype(np.float32), -largest, largest)
    return np.asarray(held.astype(target.dtype))


def _power_of_two(x: Array, saturate: bool, mode: str) -> Array:
    """The f8e8m0 code: the exponent of |x|, rounded up, down or to nearest. Infinity is NaN."""
    bits = np.ascontiguousarray(x).view(np.uint32).reshape(x.shape)
    exponent, fraction = (bits >> 23 & 0xFF).astype(np.int32), bits & 0x7FFFFF
    up = fraction != 0
    if mode == "nearest":
        up = (fraction > 0x400000) | ((fraction == 0x400000) & (exponent > 0))
    up &= mode != "down"
    up &= (exponent != 0xFE) | (not saturate)
    code = np.where(exponent == 0xFF, 0xFF, exponent + up).astype(np.uint8)
    return code.view(F8E8M0.dtype)


def _evaluate(node: Node, x: Array) -> Array:
    element, source = node["to"], _source(node)
    if isinstance(source, Quant) and isinstance(element, Quant):
        return _rescaled(x, source, element)
    if isinstance(source, Quant):
        return dequantize(x, source)
    if isinstance(element, Quant):
        return quantize(x, element)
    assert isinstance(element, Scalar)
    saturate, mode = bool(node.attrs.get("saturate", True)), str(node["round"] or "up")
    return _cast(x, element, saturate, mode)


def _rescaled(x: Array, source: Quant, element: Quant) -> Array:
    """From one quantisation to another in integers; between equal scales the codes just move."""
    if source.axis is not None or element.axis is not None:
        return quantize(dequantize(x, source), element)
    if source.scale == element.scale:
        moved = x.astype(np.int64) - source.zero[0] + element.zero[0]
        return np.clip(moved, *integer_limits(element.store)).astype(element.store.dtype)
    rounding: Rounding = "double" if element.rounding == "double" else "single"
    constants = rescale_constants(affine(source), affine(element), rounding)
    return np.asarray(rescale(x, constants))


def _source(node: Node) -> Element:
    value = node.inputs[0]
    assert isinstance(value, Value)
    return value.tensor.element


def _bitcast(x: Type, *, to: Element) -> Type:
    if x.element.size != to.size:
        raise ShapeError(f"{x} has other bytes than {to}")
    if isinstance(to, Quant):
        _check_axis(to, x)
    return Type(x.shape, to)


def _evaluate_bitcast(node: Node, x: Array) -> Array:
    to = node["to"]
    assert isinstance(to, Scalar | Quant)
    return np.ascontiguousarray(x).view(to.dtype).reshape(x.shape)


convert = Op("convert", _infer, _evaluate, family="elementwise")
bitcast = Op("bitcast", _bitcast, _evaluate_bitcast, family="movement")
"""The same bytes read as another element: codes as the numbers they stand for, and back."""
