"""Weight layouts that the f32 kernels stream: made once at compile time, NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["pack_conv", "pack_depthwise", "pack_panels"]

Floats = npt.NDArray[np.float32]


def pack_panels(w: Floats, lanes: int, vectors: int) -> Floats:
    """Pack w[K, N] for gemm_f32 and conv_f32: panels of `vectors` vectors of `lanes` columns.

    Each panel is [K][vectors * lanes]; the last one has only the vectors it
    needs. Columns beyond N are zero. Returns a flat array of K * ceil(N / lanes) * lanes floats.
    """
    k, n = w.shape
    columns = -(-n // lanes) * lanes
    padded = np.zeros((k, columns), w.dtype)
    padded[:, :n] = w
    width = lanes * vectors
    return np.concatenate([padded[:, p : p + width].ravel() for p in range(0, columns, width)])


def pack_conv(w: Floats, groups: int, lanes: int, vectors: int) -> Floats:
    """Pack w[groups * N, C, KH, KW], the order of ONNX and PyTorch, for conv_f32.

    Panels of each group, groups one after another, rows in the order (kh, kw, c).
    """
    outputs, c, kh, kw = w.shape
    rows = w.transpose(2, 3, 1, 0).reshape(kh * kw * c, outputs)
    n = outputs // groups
    return np.concatenate(
        [pack_panels(rows[:, g * n : (g + 1) * n], lanes, vectors) for g in range(groups)]
    )


def pack_depthwise(w: Floats) -> Floats:
    """Pack depthwise weights w[C * M, 1, KH, KW] for depthwise_f32: [KH][KW][C * M], flat."""
    return np.ascontiguousarray(w[:, 0].transpose(1, 2, 0)).ravel()
