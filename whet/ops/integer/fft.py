"""The 16-bit fixed-point Fourier transform of real frames: kissfft's arithmetic.

Lengths are powers of two. Mixed radix 4 and 2, decimation in time. Every butterfly first divides
its inputs by the radix, so the result is the transform divided by its length. Numbers are Q0.15;
products round to nearest, ties up; sums wrap at 16 bits.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.errors import ShapeError
from whet.ops.integer.quantization import Integers
from whet.ops.integer.requantize import Wide

FULL = 32767


@dataclass(frozen=True, slots=True)
class RealFft:
    """Tables of a real transform of `length` samples, by a complex one of half that length.

    order: where each complex input goes. twiddles [half, 2] and super_twiddles [half / 2, 2]: (re,
    im) in Q0.15. radices: of the stages, first executed first.
    """

    length: int
    order: npt.NDArray[np.int32]
    twiddles: npt.NDArray[np.int16]
    super_twiddles: npt.NDArray[np.int16]
    radices: tuple[int, ...]


def _unit(phase: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    pair = np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    q15: npt.NDArray[np.int16] = np.floor(0.5 + FULL * pair).astype(np.int16)
    return q15


def _order(radices: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Input index of each position before the first stage; radices outermost first."""
    if not radices:
        return np.zeros(1, np.int32)
    inner = _order(radices[1:])
    return np.concatenate([radices[0] * inner + q for q in range(radices[0])]).astype(np.int32)


def real_fft_constants(length: int) -> RealFft:
    """Tables for frames of `length` samples; ShapeError unless a power of two of at least 4."""
    if length < 4 or length & (length - 1):
        raise ShapeError("FFT", why=f"length {length} is no power of two of at least 4")
    half = length // 2
    bits = half.bit_length() - 1
    outermost_first = (4,) * (bits // 2) + (2,) * (bits % 2)
    index = np.arange(half, dtype=np.float64)
    return RealFft(
        length,
        _order(outermost_first),
        _unit(-2 * math.pi * index / half),
        _unit(-math.pi * ((index[: half // 2] + 1) / half + 0.5)),
        outermost_first[::-1],
    )


def _wrap16(x: Wide) -> Wide:
    narrow: npt.NDArray[np.int16] = x.astype(np.int16)
    return narrow.astype(np.int64)


def _scaled(x: Wide, by: int) -> Wide:
    """x * (FULL / by) in Q0.15: a division by `by`."""
    return (x * (FULL // by) + (1 << 14)) >> 15


def _times(x: Wide, w: Wide) -> Wide:
    """Complex product in Q0.15 of pairs on the last axis."""
    re = x[..., 0] * w[..., 0] - x[..., 1] * w[..., 1]
    im = x[..., 0] * w[..., 1] + x[..., 1] * w[..., 0]
    return _wrap16((np.stack([re, im], axis=-1) + (1 << 14)) >> 15)


def _stage(x: Wide, radix: int, m: int, twiddles: Wide) -> Wide:
    """One stage on x [half, 2]: blocks of radix * m values become transforms of that length."""
    half = len(x)
    stride = half // (radix * m)
    v = _scaled(x.reshape(stride, radix, m, 2), radix)
    k = np.arange(m) * stride
    first = v[:, 0]
    if radix == 2:
        t = _times(v[:, 1], twiddles[k])
        out = np.stack([first + t, first - t], axis=1)
        return _wrap16(out.reshape(half, 2))
    a, b, c = (_times(v[:, q], twiddles[k * q]) for q in (1, 2, 3))
    even, odd = _wrap16(first + b), _wrap16(first - b)
    total, difference = _wrap16(a + c), _wrap16(a - c)
    turned = np.stack([difference[..., 1], -difference[..., 0]], axis=-1)
    out = np.stack([even + total, odd + turned, even - total, odd - turned], axis=1)
    return _wrap16(out.reshape(half, 2))


def real_fft(x: Integers, c: RealFft) -> Integers:
    """Spectrum of int16 frames x [..., n <= length], zero-padded: int16 [..., length / 2 + 1, 2].

    The last axis holds (re, im) of the transform divided by length, in Q0.15 like the input.
    """
    frames = x.reshape(-1, x.shape[-1])
    padded = np.zeros((len(frames), c.length), np.int16)
    padded[:, : x.shape[-1]] = frames
    rows = [_real_fft_frame(frame.astype(np.int64), c) for frame in padded]
    return np.stack(rows).reshape(*x.shape[:-1], c.length // 2 + 1, 2)


def _real_fft_frame(x: Wide, c: RealFft) -> Integers:
    half = c.length // 2
    z, m = x.reshape(half, 2)[c.order], 1
    for radix in c.radices:
        z, m = _stage(z, radix, m, c.twiddles.astype(np.int64)), m * radix
    out = np.zeros((half + 1, 2), np.int64)
    start = _scaled(z[0], 2)
    out[0, 0], out[half, 0] = start[0] + start[1], start[0] - start[1]
    k = np.arange(1, half // 2 + 1)
    near = _scaled(z[k], 2)
    far = _scaled(_wrap16(z[half - k] * np.array([1, -1])), 2)
    total, difference = _wrap16(near + far), _wrap16(near - far)
    turned = _times(difference, c.super_twiddles.astype(np.int64)[k - 1])
    out[half - k] = ((total - turned) * np.array([1, -1])) >> 1
    out[k] = (total + turned) >> 1
    spectrum: Integers = out.astype(np.int16)
    return spectrum
