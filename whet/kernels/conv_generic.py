"""Convolutions and regions without a tuned kernel: conv_generic.h and detection.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, In, Lowered, Out, Scratch
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type, real
from whet.kernels.pooling import window_shape
from whet.ops import region
from whet.ops.convolution import conv
from whet.ops.convolution_transpose import conv_transpose, deform_conv
from whet.targets.target import Target

MAX_SPATIAL = 3


def _taps(node: Node) -> tuple[int, ...] | None:
    """The kernel's size, where the header can do it."""
    w = node.input(1)
    taps = tuple(d for d in w.shape[1:-1] if isinstance(d, int))
    fits = len(taps) == len(w.shape) - 2 <= MAX_SPATIAL
    plain = node["epilogue"] is None and node["element"] is None
    return taps if fits and plain and float_type(node.outputs[0].tensor) else None


def _optional(node: Node, index: int) -> Argument:
    return 0 if node.operand(index) is None else In(index)


@kernel("conv_generic", conv, conv_transpose, fallback=True)
def convolve(node: Node, target: Target) -> Lowered | None:
    taps, y = _taps(node), node.outputs[0]
    if taps is None:
        return None
    name = "conv_plain" if node.op is conv else node.op.name
    call = Call(
        f"{name}_{float_type(y.tensor)}",
        (In(0), In(1), _optional(node, 2), Out(), window_shape(node, taps), y.shape[-1],
         node.integer("groups", 1)),
    )  # fmt: skip
    return Lowered((call,), ("conv_generic.h",))


@kernel("deform_conv", deform_conv)
def deform(node: Node, target: Target) -> Lowered | None:
    taps, y = _taps(node), node.outputs[0]
    if taps is None:
        return None
    call = Call(
        f"deform_conv_{float_type(y.tensor)}",
        (In(0), In(1), In(2), _optional(node, 3), _optional(node, 4), Out(),
         window_shape(node, taps), y.shape[-1], node.integer("groups", 1),
         node.integer("offset_groups", 1)),
    )  # fmt: skip
    return Lowered((call,), ("conv_generic.h",))


@kernel("roi_align", region.roi_align)
def align(node: Node, target: Target) -> Lowered | None:
    x, y = node.inputs[0], node.outputs[0]
    s = float_type(y.tensor)
    channels = y.shape[-1]
    if s is None or x is None or not isinstance(channels, int):
        return None
    call = Call(
        f"roi_align_{s}",
        (In(0), In(1), In(2), Out(), Scratch(0), *x.shape, y.shape[0], *node.integers("size"),
         real(node, "scale"), node.integer("ratio"), bool(node["largest"]),
         bool(node["half_pixel"])),
        checked=True,
    )  # fmt: skip
    return Lowered((call,), ("detection.h",), scratch=8 * channels)


@kernel("max_roi_pool", region.max_roi_pool)
def roi_pool(node: Node, target: Target) -> Lowered | None:
    x, y = node.inputs[0], node.outputs[0]
    s = float_type(y.tensor)
    if s is None or x is None:
        return None
    sizes = (*x.shape, y.shape[0], *node.integers("size"), real(node, "scale"))
    call = Call(f"max_roi_pool_{s}", (In(0), In(1), Out(), *sizes), checked=True)
    return Lowered((call,), ("detection.h",))
