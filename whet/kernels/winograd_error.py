"""How much rounding error Winograd convolution may add, from the weights themselves.

With e = 2^-24, every sum of C products per position, and transforms of at most 16 roundings,

    |y - exact| <= (C + 16) e b max|x|,
    b = max over outputs of |A^T| (sum over c of |G| |w_c| |G|^T  *  |B^T| 1 |B|) |A|,

while summing the 9 C products directly gives 9 C e (sum of |w|) max|x|. (Higham, Accuracy and
Stability of Numerical Algorithms, 2002, section 3; the matrices are those of winograd_f32.h.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from whet.kernels.packing import WINOGRAD_POINTS, kernel_transform

__all__ = ["LOSS", "winograd_loss"]

Doubles = npt.NDArray[np.float64]
LOSS = 32.0  # five bits; what winograd_f32 may lose of the bound of direct summation
ROUNDINGS = 16


def _input_transform(m: int) -> Doubles:
    """B^T of F(m, 3): row p has the coefficients of the product of x - q over the other points."""
    points = WINOGRAD_POINTS[m]
    rows = [np.poly([q for q in points if q != p])[::-1] for p in points]
    return np.array([*(np.pad(r, (0, m + 2 - len(r))) for r in rows), np.poly(points)[::-1]])


def _output_transform(m: int) -> Doubles:
    """A^T of F(m, 3): powers of the points, and infinity's column."""
    powers = [[p**i for p in WINOGRAD_POINTS[m]] for i in range(m)]
    return np.column_stack([powers, np.eye(m)[:, -1]])


def winograd_loss(w: npt.NDArray[np.float32], m: int) -> float:
    """The error bound of F(m x m, 3 x 3) over that of direct summation, for w[N, 3, 3, C]."""
    g, a, b = (np.abs(t) for t in (kernel_transform(m), _output_transform(m), _input_transform(m)))
    c = w.shape[3]
    size = np.abs(w.astype(np.float64)).sum(axis=3)
    inputs = b.sum(axis=1)[:, None] * b.sum(axis=1)[None, :]
    products = np.einsum("ia,nab,jb->nij", g, size, g) * inputs
    most = np.einsum("pi,nij,qj->npq", a, products, a).max(axis=(1, 2))
    direct = 9 * c * size.sum(axis=(1, 2))
    return float(((c + ROUNDINGS) * most / np.maximum(direct, 1e-300)).max())
