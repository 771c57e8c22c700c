"""Weight layouts that the bf16 kernels stream: pairs of K side by side, NumPy only."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import numpy.typing as npt

__all__ = ["pack_conv_pairs", "pack_pairs", "pack_winograd_pairs"]

Bf16 = npt.NDArray[ml_dtypes.bfloat16]


def pack_pairs(w: Bf16, lanes: int, vectors: int) -> Bf16:
    """Pack w[K, N] for gemm_bf16: panels of `vectors` vectors of `lanes` columns.

    Each panel is [ceil(K / 2)][vectors * lanes][2]; the last one has only the vectors it needs.
    Columns beyond N and the row after an odd K are zero. Returns a flat array.
    """
    k, n = w.shape
    columns, width = -(-n // lanes) * lanes, lanes * vectors
    padded = np.zeros((k + k % 2, columns), w.dtype)
    padded[:k, :n] = w
    pairs = padded.reshape(-1, 2, columns).transpose(0, 2, 1)
    return np.concatenate([pairs[:, p : p + width].ravel() for p in range(0, columns, width)])


def pack_conv_pairs(w: Bf16, groups: int, merged: bool, lanes: int, vectors: int) -> Bf16:
    """Pack w[groups * N, KH, KW, C] for conv_bf16, groups one after another.

    Rows are in the order (kh, kw, c); a row of taps is closed by a zero where it is odd, and where
    it is not merged each tap is.
    """
    outputs, _, kw, c = w.shape
    run = kw * c if merged else c
    runs = w.transpose(1, 2, 3, 0).reshape(-1, run, outputs)
    even = np.zeros((runs.shape[0], run + run % 2, outputs), w.dtype)
    even[:, :run] = runs
    rows, n = even.reshape(-1, outputs), outputs // groups
    return np.concatenate(
        [pack_pairs(rows[:, g * n : (g + 1) * n], lanes, vectors) for g in range(groups)]
    )


def pack_winograd_pairs(w: Bf16, lanes: int, vectors: int) -> Bf16:
    """Pack w[N, 3, 3, C] for winograd_bf16: panels of pairs of channels, [ceil(C / 2)][9] of them;
    the channel after an odd C is zero."""
    n, _, _, c = w.shape
    even = np.zeros((n, 9, c + c % 2), w.dtype)
    even[..., :c] = w.reshape(n, 9, c)
    pairs = even.reshape(n, 9, -1, 2).transpose(2, 1, 3, 0)
    return pack_pairs(pairs.reshape(-1, n), lanes, vectors)
