"""The C struct window_shape of window.h, built from ONNX attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def three(values: Sequence[int], fill: int) -> list[int]:
    """``values`` of one to three spatial axes with ``fill`` for the absent leading ones."""
    return [fill] * (3 - len(values)) + list(values)


def output_size(
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Sequence[int],
    ceil_mode: int,
) -> list[int]:
    """Spatial output shape of a pooling or convolution window, as ONNX MaxPool-22 defines it."""
    rank, out = len(kernel), []
    for axis in range(rank):
        before, after = pads[axis], pads[axis + rank]
        room = shape[axis] + before + after - dilation[axis] * (kernel[axis] - 1) - 1
        size = math.ceil(room / stride[axis]) + 1 if ceil_mode else room // stride[axis] + 1
        if ceil_mode and (size - 1) * stride[axis] >= shape[axis] + before:
            size -= 1
        out.append(size)
    return out


def window_shape(
    batch: int,
    channels: int,
    in_shape: Sequence[int],
    out_shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Sequence[int],
) -> np.ndarray:
    """The struct's fields as C longs, in order."""
    rank = len(kernel)
    return np.array(
        [
            batch,
            channels,
            *three(in_shape, 1),
            *three(out_shape, 1),
            *three(kernel, 1),
            *three(stride, 1),
            *three(dilation, 1),
            *three(pads[:rank], 0),
            *three(pads[rank:], 0),
        ],
        np.dtype("long"),
    )
