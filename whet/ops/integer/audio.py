"""The fixed-point audio front end: window, energy, filter bank, noise reduction, gain, logarithm.

These are TensorFlow Lite Micro's Signal operators, integers throughout, the same in both roundings.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whet.ops.integer.quantization import Integers

Words = npt.NDArray[np.uint32]

LOG_SEGMENTS = 128
LN2_Q16 = 45426
SNR_BITS = 12
GAIN_BITS = 6


def window(x: Integers, weights: Integers, shift: int) -> Integers:
    """sat16((x * weights) >> shift): int16 frames [..., n] by int16 weights [n]."""
    product = (x.astype(np.int64) * weights.astype(np.int64)) >> shift
    y: Integers = np.clip(product, -32768, 32767).astype(np.int16)
    return y


def auto_scale(x: Integers) -> tuple[Integers, int]:
    """(x << b, b) with b the number of spare bits of the largest magnitude in the int16 frame."""
    largest = min(int(np.abs(x.astype(np.int64)).max()), 32767)
    spare = max(0, 15 - largest.bit_length()) if largest else 0
    y: Integers = (x.astype(np.int64) << spare).astype(np.int16)
    return y, spare


def energy(spectrum: Integers, start: int, end: int) -> Words:
    """re**2 + im**2 of bins start <= i < end of an int16 spectrum [bins, 2]; the others are 0."""
    wide = spectrum.astype(np.int64)
    y = np.zeros(len(spectrum), np.uint32)
    y[start:end] = (wide * wide).sum(axis=1)[start:end]
    return y


def filter_bank(
    x: Words,
    weights: Integers,
    unweights: Integers,
    frequency_starts: Integers,
    weight_starts: Integers,
    widths: Integers,
) -> npt.NDArray[np.uint64]:
    """Triangular filters over energies: uint64 [channels], channels = len(widths) - 1.

    Channel i takes its rising slope from band i (weights) and its falling slope from band i - 1
    (unweights); band 0 only feeds channel 1.
    """
    out, falling = [], 0
    for first, at, width in zip(frequency_starts, weight_starts, widths, strict=True):
        band = [int(v) for v in x[first : first + width]]
        rising = sum(int(w) * v for w, v in zip(weights[at : at + width], band, strict=True))
        out.append((falling + rising) % (1 << 64))
        falling = sum(int(w) * v for w, v in zip(unweights[at : at + width], band, strict=True))
    return np.array(out[1:], np.uint64)


def square_root(x: npt.NDArray[np.uint64], scale_down_bits: int) -> Words:
    """round(sqrt(x)) >> scale_down_bits, rounded to nearest and never beyond 16 or 32 bits."""
    roots = []
    for value in (int(v) for v in x):
        root, rest = _isqrt(value)
        limit = 0xFFFF if value < 1 << 32 else 0xFFFFFFFF
        roots.append((root + (rest > root and root != limit)) >> scale_down_bits)
    return np.array(roots, np.uint32)


def _isqrt(x: int) -> tuple[int, int]:
    root = math.isqrt(x)
    return root, x - root * root


@dataclass(frozen=True, slots=True)
class SpectralSubtraction:
    """Constants in Q(bits): smoothing of even and of odd channels, and the floor that remains."""

    smoothing: int
    one_minus_smoothing: int
    alternate_smoothing: int
    alternate_one_minus_smoothing: int
    min_signal_remaining: int
    smoothing_bits: int
    bits: int
    clamping: bool


def spectral_subtraction(x: Words, noise: Words, c: SpectralSubtraction) -> tuple[Words, Words]:
    """(y, noise'): subtract a running noise estimate, but keep min_signal_remaining of x.

    noise' = (up * s + noise * (1 - s)) >> bits with up = x << smoothing_bits (mod 2**32);
    y = max((up - min(noise', up)) >> smoothing_bits, x * min_signal_remaining >> bits).
    """
    odd = np.arange(len(x)) % 2 == 1
    s = np.where(odd, c.alternate_smoothing, c.smoothing).astype(np.uint64)
    rest = np.where(odd, c.alternate_one_minus_smoothing, c.one_minus_smoothing).astype(np.uint64)
    bits = np.uint64(c.bits)
    up = (x.astype(np.uint64) << np.uint64(c.smoothing_bits)) & np.uint64(0xFFFFFFFF)
    estimate = ((up * s + noise.astype(np.uint64) * rest) >> bits) & np.uint64(0xFFFFFFFF)
    used = np.minimum(estimate, up)
    floor = (x.astype(np.uint64) * np.uint64(c.min_signal_remaining)) >> bits
    subtracted = (up - used) >> np.uint64(c.smoothing_bits)
    y = np.maximum(subtracted, floor & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    return y, (used if c.clamping else estimate).astype(np.uint32)


def pcan(x: Words, noise: Words, gains: Integers, snr_shift: int) -> Words:
    """Per-channel gain from the noise estimate, then compression: uint32 [channels].

    gain = a quadratic through `gains`, four entries for every doubling of the noise; snr = (x *
    gain) >> snr_shift; y = snr**2 >> 20 below 2**13, else (snr >> 6) - 64.
    """
    out = []
    for value, estimate in zip(x, noise, strict=True):
        gain = _wide_gain(int(estimate), gains) & 0xFFFFFFFF
        snr = ((int(value) * gain) >> snr_shift) & 0xFFFFFFFF
        if snr < 2 << SNR_BITS:
            out.append(((snr * snr) & 0xFFFFFFFF) >> (2 + 2 * SNR_BITS - GAIN_BITS))
        else:
            out.append((snr >> (SNR_BITS - GAIN_BITS)) - (1 << GAIN_BITS))
    return np.array(out, np.uint32)


def _wide_gain(x: int, gains: Integers) -> int:
    if x <= 2:
        return int(gains[x])
    interval = x.bit_length()
    at = 4 * interval - 6
    place = (x << (11 - interval)) if interval < 11 else (x >> (interval - 11))
    fraction = place & 0x3FF
    slope = ((int(gains[at + 2]) * fraction) >> 5) + (int(gains[at + 1]) << 5)
    y = ((slope * fraction + (1 << 14)) >> 15) + int(gains[at])
    return (y + 0x8000 & 0xFFFF) - 0x8000


def log_table() -> npt.NDArray[np.uint16]:
    """2**16 * (log2(1 + i / 128) - i / 128) for i = 0..128, and a last 0."""
    i = np.arange(LOG_SEGMENTS + 2) / LOG_SEGMENTS
    table = np.rint(65536 * (np.log2(1 + i) - i))
    table[LOG_SEGMENTS:] = 0
    return table.astype(np.uint16)


_LOG_TABLE = [int(v) for v in log_table()]


def _log2_q16(x: int) -> int:
    integer = x.bit_length() - 1
    rest = x - (1 << integer)
    fraction = rest << (16 - integer) if integer < 16 else rest >> (integer - 16)
    segment = fraction >> 9
    c0, c1 = _LOG_TABLE[segment], _LOG_TABLE[segment + 1]
    return (integer << 16) + fraction + c0 + (((c1 - c0) * (fraction - 512 * segment)) >> 16)


def filter_bank_log(x: Words, output_scale: int, correction_bits: int) -> Integers:
    """min(output_scale * ln(x << correction_bits), 32767) as int16; 0 where the argument is <= 1.

    log2 in Q16 from a table of 128 linear segments, times ln 2 in Q16, rounded twice.
    """
    out = []
    for value in x:
        scaled = (int(value) << correction_bits) & 0xFFFFFFFF
        if scaled <= 1:
            out.append(0)
            continue
        natural = (LN2_Q16 * _log2_q16(scaled) + (1 << 15)) >> 16
        out.append(min((((output_scale * natural) + (1 << 15)) & 0xFFFFFFFF) >> 16, 32767))
    return np.array(out, np.int16)
