"""Which nodes the kernels of codes take."""

from __future__ import annotations

import pytest

from whet.errors import UnsupportedError
from whet.ir.element import F32, I8, I32, Quant
from whet.ir.leaf import parameter
from whet.ir.type import Type
from whet.kernels.kernel import load_all, lower
from whet.ops.channels_last import channels_last
from whet.targets.host import host

CODES = Quant(I8, (0.05,), (3,))


@pytest.mark.parametrize(
    ("channels", "to", "taken"),
    [
        (1, CODES, True),
        (4, CODES, True),
        (5, CODES, False),
        (3, Quant(I8, (0.05,), (3,), rounding="double"), False),
        (3, Quant(I32, (0.05,), (0,)), False),
    ],
)
def test_channels_last_is_of_few_channels_of_small_codes(
    channels: int, to: Quant, taken: bool
) -> None:
    load_all()
    node = channels_last(parameter("x", Type((2, channels, 5, 7), F32)), to=to).node
    if taken:
        assert lower(node, host()).kernel == "quantize_channels_last"
    else:
        with pytest.raises(UnsupportedError):
            lower(node, host())
