"""Resizing an axis: resize_axis.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Record
from whet.ir.dim import Size
from whet.ir.element import STRING
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type, real
from whet.kernels.share import rows
from whet.ops.movement import flattened
from whet.ops.resize import REACH, resize
from whet.targets.target import Target

TRANSFORM = {
    "half_pixel": "RESIZE_HALF_PIXEL", "half_pixel_symmetric": "RESIZE_HALF_PIXEL_SYMMETRIC",
    "pytorch_half_pixel": "RESIZE_PYTORCH_HALF_PIXEL", "align_corners": "RESIZE_ALIGN_CORNERS",
    "asymmetric": "RESIZE_ASYMMETRIC", "tf_crop_and_resize": "RESIZE_CROP",
}  # fmt: skip


NANOSECONDS = 0.05  # an element


@kernel("resize", resize)
def lower(node: Node, target: Target) -> Lowered | None:
    x, y = node.input(0), node.outputs[0]
    axis, mode, element = node.integer("axis"), str(node["mode"]), x.tensor.element
    outer, n, inner = flattened(x.shape, axis)
    roi: Argument = 0 if node.operand(2) is None else In(2)
    rule = Record(
        "resize_rule",
        (
            ("transform", Name(TRANSFORM[str(node["transform"])])),
            ("filter", REACH.get(mode, 1)), ("antialias", int(bool(node["antialias"]))),
            ("exclude_outside", int(bool(node["exclude_outside"]))),
            ("cubic_a", real(node, "cubic_a")), ("extrapolation", real(node, "extrapolation")),
        ),
    )  # fmt: skip
    made = y.shape[axis]
    units, sizes, given, result = _shared(outer, n, made, inner)
    if mode != "nearest":
        s = float_type(x.tensor)
        call = Call(f"resize_axis_{s}", (given, In(1), roi, result, *sizes, inner, rule))
        return Lowered((call,), ("resize_axis.h",), parallel=units) if s else None
    if element == STRING:
        return None
    fill: Argument = 0 if node.operand(3) is None else In(3)
    nearest = Name(f"RESIZE_{str(node['nearest']).upper()}")
    ends = (inner * element.size, rule, nearest, element.size)
    call = Call("resize_axis_nearest", (given, In(1), roi, fill, result, *sizes, *ends))
    return Lowered((call,), ("resize_axis.h",), parallel=units)


def _shared(
    outer: Size, n: Size, made: Size, inner: Size
) -> tuple[Size | None, tuple[Argument, ...], In, Out]:
    """Units, the sizes outer, in, out, first and count, and both ends: what is outside the axis is
    shared, or where there is one of it the axis itself."""
    if outer == 1:
        each = rows(made, _nanoseconds(inner))
        return each.units, (1, n, made, each.after(0, 1), each.count), In(0), Out()
    each = rows(outer, _nanoseconds(made * inner))
    ends = each.at(In(0), n * inner), each.to(Out(), made * inner)
    return each.units, (each.count, n, made, 0, made), *ends


def _nanoseconds(elements: Size) -> float:
    """About what making so many elements takes."""
    return NANOSECONDS * elements if isinstance(elements, int) else 0.0
