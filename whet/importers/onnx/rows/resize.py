"""Resize and Upsample: one `resize` for each axis."""

from __future__ import annotations

from math import floor

import numpy as np

from whet.errors import ModelError
from whet.importers.onnx.layer import Layer, row, scalar
from whet.importers.onnx.rows.activation import clamped
from whet.ir.dim import Dim, Size, bounds
from whet.ir.element import F32, F64, I64, Scalar
from whet.ir.leaf import constant, known
from whet.ir.node import Attr, Value
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.convert import convert, integer_limits
from whet.ops.movement import concat, reshape, slice_op
from whet.ops.resize import resize
from whet.ops.size import size_scalar

GROWTH = 64  # the most an axis is taken to grow where nothing says how much


@row("Upsample")
def upsample(layer: Layer) -> Value:
    """Before version 9 the scales are an attribute."""
    scales = layer.optional(1)
    if scales is None:
        scales = constant(np.array(layer.reals("scales"), np.float32))
    rules: dict[str, Attr] = {
        "mode": layer.text("mode", "nearest"), "transform": "asymmetric", "nearest": "floor",
    }  # fmt: skip
    axes = tuple(range(len(layer[0].shape)))
    return _resized(layer, axes, _by_scales(layer, convert(scales, to=F64), axes), rules)


@row("Resize")
def resized(layer: Layer) -> Value:
    """Version 10 has the scales second and no coordinate modes."""
    x, rank = layer[0], len(layer[0].shape)
    axes = tuple(layer.front(a, rank) for a in layer.integers("axes", tuple(range(rank))))
    rules: dict[str, Attr] = {
        "mode": layer.text("mode", "nearest"),
        "transform": layer.text("coordinate_transformation_mode", "half_pixel"),
        "nearest": layer.text("nearest_mode", "round_prefer_floor"),
        "cubic_a": layer.real("cubic_coeff_a", -0.75),
        "exclude_outside": bool(layer.integer("exclude_outside")),
        "antialias": bool(layer.integer("antialias")),
        "extrapolation": layer.real("extrapolation_value"),
    }
    if layer.version < 11:
        rules |= {"transform": "asymmetric", "nearest": "floor"}
    scales = layer.optional(2 if layer.version >= 11 else 1)
    if scales is not None and scales.shape != (0,):
        return _resized(layer, axes, _by_scales(layer, convert(scales, to=F64), axes), rules)
    sizes = layer.whole(3)
    if sizes is None:
        raise ModelError("neither scales nor sizes", where=layer.name)
    return _resized(layer, axes, _by_sizes(layer, x, sizes, axes), rules)


Plan = list[tuple[Value, Size]]
"""For each axis the scale, an f64 scalar, and the size of the result."""


def _at(vector: Value, index: int, count: int = 1) -> Value:
    part = slice_op(vector, begin=(index,), size=(count,), step=(1,))
    return reshape(part, shape=()) if count == 1 else part


def _by_scales(layer: Layer, scales: Value, axes: tuple[int, ...]) -> Plan:
    plan: Plan = []
    for i, axis in enumerate(axes):
        scale, size = layer.settled(_at(scales, i)), layer[0].shape[axis]
        factor = known(scale)
        if factor is not None and isinstance(size, int):
            plan.append((scale, floor(float(factor) * size)))
            continue
        wanted = e.floor(e.mul(scale, convert(size_scalar(size), to=F64)))
        high = GROWTH * max(1, bounds(size)[1])
        plan.append((scale, layer.extent(convert(wanted, to=I64), axis, high)))
    return plan


def _by_sizes(layer: Layer, x: Value, sizes: Value, axes: tuple[int, ...]) -> Plan:
    """The scale is the quotient of sizes, or with a policy the least or greatest of them all."""
    policy = layer.text("keep_aspect_ratio_policy", "stretch")
    old = [convert(size_scalar(x.shape[a]), to=F64) for a in axes]
    high = [GROWTH * max(1, bounds(x.shape[a])[1]) for a in axes]
    if policy == "stretch":
        new = [layer.extent(_at(sizes, i), a, high[i]) for i, a in enumerate(axes)]
        return [
            (layer.settled(e.div(convert(size_scalar(n), to=F64), o)), n)
            for n, o in zip(new, old, strict=True)
        ]
    ratios = e.div(convert(sizes, to=F64), concat(*(reshape(o, shape=(1,)) for o in old), axis=0))
    op = r.reduce_min if policy == "not_larger" else r.reduce_max
    scale = layer.settled(op(ratios, axes=(0,), keep=False))
    plan: Plan = []
    for i, axis in enumerate(axes):
        wanted = e.floor(e.add(e.mul(scale, old[i]), scalar(0.5, scale)))
        plan.append((scale, layer.extent(convert(wanted, to=I64), axis, high[i])))
    return plan


def _resized(layer: Layer, axes: tuple[int, ...], plan: Plan, rules: dict[str, Attr]) -> Value:
    x, element = layer[0], layer[0].tensor.element
    crop = rules["transform"] == "tf_crop_and_resize"
    roi = convert(layer[1], to=F64) if crop else None
    wide = rules["mode"] != "nearest" and element.kind != "f"
    fill = scalar(float(str(rules.get("extrapolation", 0.0))), x) if not wide else None
    y = convert(x, to=F32) if wide else x
    defaults: dict[str, Attr] = {"cubic_a": -0.75, "extrapolation": 0.0}
    for i, (axis, (scale, size)) in enumerate(zip(axes, plan, strict=True)):
        factor, old = known(scale), y.shape[axis]
        same = factor is not None and abs(float(factor) - 1) < 1e-9 and size == old
        if same and not crop and not isinstance(old, Dim):
            continue
        part = None
        if roi is not None:
            ends = (_at(roi, i), _at(roi, i + len(axes)))
            part = concat(*(reshape(v, shape=(1,)) for v in ends), axis=0)
        y = resize(y, scale, part, fill, axis=axis, size=size, **(defaults | rules))
    if not wide:
        return y
    assert isinstance(element, Scalar)
    low, high = integer_limits(element)
    return convert(clamped(e.round_even(y), low, high), to=element)
