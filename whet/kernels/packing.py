"""Weight layouts that the f32 kernels stream: made once at compile time, NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "WINOGRAD_POINTS",
    "kernel_transform",
    "pack_conv",
    "pack_depthwise",
    "pack_panels",
    "pack_winograd",
]

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


WINOGRAD_POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.75, -0.75, 1.5, -1.5)}
"""Interpolation points of F(m x m, 3 x 3) besides infinity; winograd_f32.h has their matrices."""


def kernel_transform(m: int) -> npt.NDArray[np.float64]:
    """G of F(m, 3), arXiv 1509.09308: for each point p, (1, p, p^2) / product of p - q."""
    points = WINOGRAD_POINTS[m]
    rows = [[p**j / np.prod([p - q for q in points if q != p]) for j in range(3)] for p in points]
    return np.array([*rows, [0.0, 0.0, 1.0]])


def pack_winograd(w: Floats, m: int, lanes: int, vectors: int) -> Floats:
    """Pack w[N, C, 3, 3] for winograd_f32 with tiles of m x m outputs, m = 2 or 4.

    G w G^T gives (m + 2)^2 matrices [C, N], each packed in panels, row by row of positions.
    """
    g = kernel_transform(m)
    u = np.einsum("ia,ncab,jb->ijcn", g, w.astype(np.float64), g).astype(np.float32)
    return np.concatenate([pack_panels(p, lanes, vectors) for row in u for p in row])
