"""Fourier transforms and determinants: spectrum.h and linear_algebra.h."""

from __future__ import annotations

from whet.emit.lowered import Call, In, Lowered, Out, Scratch
from whet.ir.dim import Size, bounds
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type
from whet.ops.determinant import det
from whet.ops.dft import dft
from whet.ops.movement import flattened
from whet.targets.target import Target

WIDEST = 8


@kernel("dft", dft)
def transform(node: Node, target: Target) -> Lowered | None:
    x, y = node.input(0), node.outputs[0]
    s, axis = float_type(y.tensor), node.integer("axis")
    if s is None:
        return None
    length: Size = node.attrs["length"]  # type: ignore[assignment]
    run = flattened(x.shape[:-1], axis)
    sizes = (*run, length, x.shape[-1], y.shape[-1], y.shape[axis], bool(node["inverse"]))
    name, header = (s, "spectrum.h") if s != "f32" else ("f32d", "spectrum_f32.h")
    call = Call(f"dft_{name}", (In(0), Out(), Scratch(0), *sizes))
    return Lowered((call,), (header,), scratch=6 * WIDEST * bounds(length)[1])


@kernel("det", det)
def determinant(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s, n = float_type(x.tensor), x.shape[-1]
    if s is None:
        return None
    call = Call(f"det_{s}", (In(0), Out(), Scratch(0), size_product(x.shape[:-2]), n))
    return Lowered((call,), ("linear_algebra.h",), scratch=WIDEST * bounds(n)[1] ** 2)
