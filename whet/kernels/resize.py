"""Resizing an axis: resize_axis.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Record
from whet.ir.element import STRING
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type, real
from whet.ops.movement import flattened
from whet.ops.resize import REACH, resize
from whet.targets.target import Target

TRANSFORM = {
    "half_pixel": "RESIZE_HALF_PIXEL", "half_pixel_symmetric": "RESIZE_HALF_PIXEL_SYMMETRIC",
    "pytorch_half_pixel": "RESIZE_PYTORCH_HALF_PIXEL", "align_corners": "RESIZE_ALIGN_CORNERS",
    "asymmetric": "RESIZE_ASYMMETRIC", "tf_crop_and_resize": "RESIZE_CROP",
}  # fmt: skip


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
    sizes = (outer, n, y.shape[axis])
    if mode != "nearest":
        s = float_type(x.tensor)
        call = Call(f"resize_axis_{s}", (In(0), In(1), roi, Out(), *sizes, inner, rule))
        return Lowered((call,), ("resize_axis.h",)) if s else None
    if element == STRING:
        return None
    fill: Argument = 0 if node.operand(3) is None else In(3)
    nearest = Name(f"RESIZE_{str(node['nearest']).upper()}")
    ends = (inner * element.size, rule, nearest, element.size)
    call = Call("resize_axis_nearest", (In(0), In(1), roi, fill, Out(), *sizes, *ends))
    return Lowered((call,), ("resize_axis.h",))
