"""Residual sums and tables join the int8 convolution or matrix product that feeds them."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import static_size
from whet.ir.element import F32, I8, I32, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.affine import operand, result, rounding
from whet.ops.convert import bitcast, convert
from whet.ops.convolution import contraction_of, conv, sum_element
from whet.ops.elementwise import add
from whet.ops.integer.addition import addition_constants
from whet.ops.integer.quantization import Activation
from whet.ops.lookup import lookup
from whet.ops.matmul import matmul
from whet.rewrite.rule import Replacement, Rule, Uses, rule

STEPS = 4
LONGEST_SHIFT = 30  # of a 32-bit lane
# Kernel rows of a depthwise convolution with an epilogue, of one column and of more: what the
# kernels have room for.
TALLEST_COLUMN, TALLEST = 40, 24


def _example() -> Graph:
    x, r = parameter("x", Type((1, 4, 4, 2), F32)), parameter("r", Type((1, 4, 4, 3), F32))
    w = constant(np.arange(-3, 3, dtype=np.int8).reshape(3, 1, 1, 2) * 20, Quant(I8, (0.01,), (0,)))
    bias = constant(np.array([9, -9, 0], np.int32), Quant(I32, (5e-4,), (0,)))
    sums, out = Quant(I8, (0.06,), (-3,)), Quant(I8, (0.09,), (5,))
    y = conv(
        convert(x, to=Quant(I8, (0.05,), (3,))), w, bias, stride=(1, 1), dilation=(1, 1),
        low=(0, 0), high=(0, 0), element=sums, clamp=(-100, 90),
    )  # fmt: skip
    y = add(convert(r, to=Quant(I8, (0.04,), (1,))), y, element=out, clamp=(-120, 127))
    table = constant((np.arange(256) * 7 % 251).astype(np.uint8).view(np.int8))
    return Graph((x, r), (convert(lookup(y, table, to=out), to=F32),), ("y",))


@rule(add, lookup, bitcast, example=_example)
def fuse_integer_epilogue(node: Node, uses: Uses) -> Replacement:
    """conv(x) + residual -> conv(x) with the sum as its epilogue, lookup(conv(x)) and
    bitcast(conv(x)) alike, on int8 codes and bit for bit, where nothing else reads the convolution;
    matmul alike."""
    if node["random"] or not _is_s8(node.types[0]):
        return None
    for value in node.inputs[: 2 if node.op is add else 1]:
        if value is not None and uses(value) == 1 and _accepts(value) and _joins(node, value):
            return _fused(node, value)
    return None


def _codes(element: Element) -> bool:
    return isinstance(element, Quant) and element.store == I8


def _is_s8(t: object) -> bool:
    """Whether a type is a tensor of int8 codes of one scale and a known size."""
    if not isinstance(t, Type) or not t.static or not isinstance(t.element, Quant):
        return False
    return t.element.store == I8 and len(t.element.scale) == 1


def _accepts(value: Value) -> bool:
    """Whether a value is an int8 contraction with constant weights, with room for a step more."""
    node = value.node
    if node.op not in (conv, matmul) or node["element"] is None or not _is_s8(value.type):
        return False
    x, w, bias = node.inputs[0], node.inputs[1], node.operand(2)
    if x is None or w is None or not _is_s8(x.type) or not _codes(w.tensor.element):
        return False
    if known(w) is None or (bias is not None and known(bias) is None):
        return False
    if (node.op is matmul and len(w.shape) != 2) or len(w.shape) > 4 or _tall(node):
        return False
    body = node["epilogue"]
    if isinstance(body, Graph) and len(body.nodes) > 2 * STEPS:
        return False
    try:
        contraction_of(node)
    except ShapeError:
        return False
    return _codes(sum_element(node))


def _tall(node: Node) -> bool:
    """Whether the kernels with epilogues leave the node to others."""
    taps, groups = node.input(1).shape[1:], node.integer("groups", 1)
    if groups == 1 or len(taps) != 3 or taps[2] != 1:
        return False
    return static_size(taps[0]) > (TALLEST_COLUMN if taps[1] == 1 else TALLEST)


def _joins(node: Node, value: Value) -> bool:
    """Whether the kernels can do this after the contraction."""
    if node.op is bitcast:
        return True
    if node.op is lookup:
        return known(node.inputs[1]) is not None
    a, b = node.inputs
    if node["element"] is None or a is None or b is None or a is b or a.shape != b.shape:
        return False
    if not (_is_s8(a.type) and _is_s8(b.type)) or node.types[0].shape != a.shape:  # type: ignore
        return False
    try:
        c = addition_constants(
            operand(node, 0), operand(node, 1), result(node), Activation.NONE, rounding(node)
        )
    except ShapeError:
        return False
    shifts = [int(by.t) - 31 for by in (c.a_by, c.b_by, c.y_by) if by is not None]
    return all(0 <= s <= LONGEST_SHIFT for s in shifts)


def _fused(node: Node, value: Value) -> Value:
    held, before = value.node["epilogue"], value.node
    if isinstance(held, Graph):
        inputs, made = list(held.inputs), held.outputs[0]
    else:
        inputs = [parameter("acc", Type((), value.tensor.element))]
        made = inputs[0]
    extras = list(before.inputs[3:])
    arguments: list[Value | None] = []
    for v in node.inputs:
        if v is value:
            arguments.append(made)
        elif node.op is lookup:
            arguments.append(v)
        else:
            assert v is not None
            extras.append(v)
            inputs.append(parameter(f"extra{len(extras)}", Type((), v.tensor.element)))
            arguments.append(inputs[-1])
    step = node.replace(tuple(arguments)).outputs[0]
    x, w, bias = (*before.inputs, None)[:3]
    made_by = before.replace(
        (x, w, bias, *extras),
        epilogue=Graph(tuple(inputs), (step,), ("y",)),
        element=node.outputs[0].tensor.element,
    )
    return made_by.outputs[0]


INTEGER_EPILOGUE: tuple[Rule, ...] = (fuse_integer_epilogue,)
"""Rules of the int8 epilogues."""
