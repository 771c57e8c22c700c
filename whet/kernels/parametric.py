"""PReLU, squared differences and unit norms of codes and of floats."""

from __future__ import annotations

from itertools import dropwhile

from whet.emit.lowered import Argument, Call, In, Lowered, Out
from whet.ir.dim import static_size
from whet.ir.element import I8, Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.quantized import elementwise_pairs, quantised, rounding_name, scalar, store
from whet.ops.affine import operand, result, rounding
from whet.ops.integer.multiplication import prelu_constants, squared_difference_constants
from whet.ops.parametric import l2_normalize, prelu, squared_difference
from whet.targets.target import Target


@kernel("integer_squared_difference", squared_difference)
def difference(node: Node, target: Target) -> Lowered | None:
    pairs = elementwise_pairs(node)
    if pairs is None or node["clamp"] is not None:
        return None
    c = squared_difference_constants(
        operand(node, 0), operand(node, 1), result(node), rounding(node)
    )
    a: tuple[Argument, ...] = (pairs.given(0), c.a_zero, scalar(c.a_by.m), scalar(c.a_by.t))
    b: tuple[Argument, ...] = (pairs.given(1), c.b_zero, scalar(c.b_by.m), scalar(c.b_by.t))
    y = (scalar(c.y_by.m), scalar(c.y_by.t), c.y_zero, c.low, c.high, rounding_name(node))
    ends = (*y, pairs.each.to(Out()))
    arguments = (*pairs.head, c.left_shift, *a, *b, *ends)
    return pairs.lowered(Call("integer_squared_difference", arguments))


@kernel("integer_prelu", prelu)
def leak(node: Node, target: Target) -> Lowered | None:
    x, alpha = node.inputs[0], node.inputs[1]
    if not quantised(node) or x is None or alpha is None or not x.tensor.static:
        return None
    if operand(node, 0).store != operand(node, 1).store or node["clamp"] is not None:
        return None
    own = tuple(dropwhile(lambda d: d == 1, alpha.shape))
    if x.shape != node.outputs[0].shape or own != x.shape[len(x.shape) - len(own) :]:
        return None
    c = prelu_constants(operand(node, 0), operand(node, 1), result(node), rounding(node))
    positive = (scalar(c.by_positive.m), scalar(c.by_positive.t))
    negative = (scalar(c.by_negative.m), scalar(c.by_negative.t))
    ends = (c.y_zero, c.low, c.high, rounding_name(node), Out())
    head: tuple[Argument, ...] = (x.tensor.elements, alpha.tensor.elements, store(operand(node, 0)))
    call = Call(
        "integer_prelu",
        (*head, In(0), c.x_zero, In(1), c.alpha_zero, *positive, *negative, *ends),
    )
    return Lowered((call,), ("integer_elementwise.h",))


@kernel("integer_l2_normalize", l2_normalize)
def unit(node: Node, target: Target) -> Lowered | None:
    x = node.inputs[0]
    if not quantised(node) or x is None or not x.tensor.static:
        return None
    elements = (x.tensor.element, node.outputs[0].tensor.element)
    if any(not isinstance(e, Quant) or e.store != I8 for e in elements):
        return None
    depth = static_size(x.shape[-1])
    rows = static_size(x.tensor.elements) // depth
    arguments = (rows, depth, In(0), operand(node, 0).zero, rounding_name(node), Out())
    return Lowered((Call("integer_l2_normalize", arguments),), ("integer_normalization.h",))
