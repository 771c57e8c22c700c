"""An image of planes of reals becomes codes and channels last in one step."""

from __future__ import annotations

from whet.ir.element import F32, I8, U8, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import parameter
from whet.ir.node import Node
from whet.ir.type import Type
from whet.ops.channels_last import channels_last, order
from whet.ops.convert import convert
from whet.ops.movement import transpose
from whet.rewrite.rule import Replacement, Rule, Uses, rule

CHANNELS = 4


def _image() -> Graph:
    x = parameter("x", Type((1, 3, 4, 5), F32))
    y = transpose(convert(x, to=Quant(I8, (0.05,), (3,))), perm=(0, 2, 3, 1))
    return Graph((x,), (convert(y, to=F32),), ("y",))


@rule(transpose, example=_image)
def quantize_channels_last(node: Node, uses: Uses) -> Replacement:
    """transpose(quantise(x), perm=(0, 2, ..., 1)) -> channels_last(x) of few channels."""
    codes = node.input(0)
    if codes.op is not convert or uses(codes) > 1:
        return None
    x, to = codes.node.input(0), codes.tensor.element
    if not isinstance(to, Quant) or to.store not in (I8, U8) or to.axis is not None:
        return None
    image = x.tensor.static and len(x.shape) > 2 and x.tensor.element == F32
    if not image or node.integers("perm") != order(len(x.shape)):
        return None
    few = isinstance(x.shape[1], int) and x.shape[1] <= CHANNELS
    return channels_last(x, to=to) if few and to.rounding != "double" else None


CHANNELS_LAST: tuple[Rule, ...] = (quantize_channels_last,)
