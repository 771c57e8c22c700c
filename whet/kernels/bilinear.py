"""Bilinear resizing of float and of quantised images."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Name, Out, Weight
from whet.ir.dim import static_shape
from whet.ir.element import Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.quantized import store
from whet.ops.affine import affine
from whet.ops.bilinear import bilinear, codes_tie_up, options, positions, sizes
from whet.ops.integer.resize import bilinear_positions
from whet.targets.target import Target


@kernel("bilinear", bilinear)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    batch, h, w, c = static_shape(x.shape)
    out_h, out_w = sizes(node)
    tables = tuple(Weight(i) for i in range(6))
    element = x.tensor.element
    if not isinstance(element, Quant):
        constants = (
            *positions(h, out_h, *options(node)), *positions(w, out_w, *options(node)),
        )  # fmt: skip
        span = (Name("begin"), Name("end"))
        arguments: tuple[Argument, ...] = (h, w, c, out_h, out_w, In(0), *tables, Out(), *span)
        call = Call("bilinear_f32", arguments)
        return Lowered((call,), ("bilinear.h",), constants, parallel=batch * out_h)
    fixed = (
        *bilinear_positions(h, out_h, *options(node)),
        *bilinear_positions(w, out_w, *options(node)),
    )
    rounding = Name("WHET_SINGLE" if codes_tie_up(node) else "WHET_DOUBLE")
    shape: tuple[Argument, ...] = (batch, h, w, c, out_h, out_w, store(affine(element)))
    call = Call("integer_resize_bilinear", (*shape, In(0), *tables, rounding, Out()))
    constants_ = tuple(t.astype(np.int32) for t in fixed)
    return Lowered((call,), ("integer_resize.h",), constants_)
