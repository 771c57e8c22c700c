"""Speech features: framed spectra, mel bands, logarithms, cepstral coefficients.

Conventions follow the frameworks that models are trained with: HTK mel scale with triangles in mel
(TensorFlow `linear_to_mel_weight_matrix`), Slaney scale with triangles in hertz (librosa).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WINDOWS = ("hann", "hamming", "hann_symmetric", "hamming_symmetric", "none")
MEL_SCALES = ("htk", "slaney")
LOGS = ("ln", "log10", "db", "none")


def window(kind: str, length: int) -> Floats:
    """A tapering window of `length` samples; the symmetric forms reach their edge at both ends."""
    if kind == "none":
        return np.ones(length)
    period = length - 1 if kind.endswith("_symmetric") else length
    cosine = np.cos(2.0 * np.pi * np.arange(length) / max(period, 1))
    return 0.5 - 0.5 * cosine if kind.startswith("hann") else 0.54 - 0.46 * cosine


def frames(wave: NDArray[np.floating], length: int, stride: int) -> Floats:
    """Overlapping frames (count, length); samples after the last whole frame are left out."""
    if wave.size < length:
        return np.zeros((0, length))
    return sliding_window_view(np.asarray(wave, np.float64), length)[::stride]


def spectrum(framed: Floats, taper: Floats, size: int, power: int) -> Floats:
    """|FFT|^power of tapered frames, zero-padded to `size`: (count, size // 2 + 1)."""
    magnitude = np.abs(np.fft.rfft(framed * taper, size))
    return magnitude if power == 1 else magnitude * magnitude


def to_mel(hertz: Floats, scale: str) -> Floats:
    """Frequencies on the mel scale: HTK, or Slaney (linear below 1 kHz, logarithmic above)."""
    if scale == "htk":
        return 1127.0 * np.log1p(hertz / 700.0)
    step = np.log(6.4) / 27.0
    return np.where(
        hertz < 1000.0, hertz * 3.0 / 200.0, 15.0 + np.log(np.maximum(hertz, 1.0) / 1000.0) / step
    )


def from_mel(mel: Floats, scale: str) -> Floats:
    """The inverse of `to_mel`."""
    if scale == "htk":
        return 700.0 * np.expm1(mel / 1127.0)
    step = np.log(6.4) / 27.0
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(step * (mel - 15.0)))


def mel_bank(
    bands: int, bins: int, rate: int, low: float, high: float, scale: str = "htk"
) -> Floats:
    """Triangular filters (bins, bands) over FFT bins 0 .. rate / 2.

    "htk": triangles are linear in mel and bin 0 is dropped. "slaney": linear in hertz, and each
    band is divided by half its width, so that bands hold energy density.
    """
    hertz = np.linspace(0.0, rate / 2.0, bins)
    ends = to_mel(np.array([low, high]), scale)
    edges = np.linspace(ends[0], ends[1], bands + 2)
    at = to_mel(hertz, scale) if scale == "htk" else hertz
    if scale == "slaney":
        edges = from_mel(edges, scale)
    left, center, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (at[:, None] - left) / (center - left)
    falling = (right - at[:, None]) / (right - center)
    bank: Floats = np.maximum(0.0, np.minimum(rising, falling))
    if scale == "slaney":
        density: Floats = bank * (2.0 / (right - left))
        return density
    bank[0] = 0.0
    return bank


def logarithm(energy: Floats, kind: str, floor: float, add: bool) -> Floats:
    """The log of energies, after adding `floor` or after raising values below it to it."""
    if kind == "none":
        return energy
    safe = energy + floor if add else np.maximum(energy, floor)
    if kind == "ln":
        return np.log(safe)
    return np.log10(safe) * (10.0 if kind == "db" else 1.0)


def cepstrum(log_mel: Floats, coefficients: int, orthonormal: bool) -> Floats:
    """The first DCT-II coefficients of each frame, scaled by sqrt(2 / bands).

    Orthonormal form also scales coefficient 0 by sqrt(1/2); TensorFlow's MFCCs do not.
    """
    bands = log_mel.shape[-1]
    angle = np.pi * (np.arange(bands)[:, None] + 0.5) * np.arange(coefficients)[None, :] / bands
    basis = np.cos(angle) * np.sqrt(2.0 / bands)
    if orthonormal:
        basis[:, 0] *= np.sqrt(0.5)
    coefficient: Floats = log_mel @ basis
    return coefficient


def keyword_front_end(wave: NDArray[np.floating], rate: int, length: int, stride: int) -> Floats:
    """The 40-band noise-suppressed log spectrum of TensorFlow's `micro_speech`, in floats.

    wave is in [-1, 1). Returns (frames, 40), about 0 .. 26. Each frame: Hann window, energy, 40 mel
    bands of 125 .. 7500 Hz, square root, subtraction of a running noise estimate, per-channel
    amplitude normalisation (Wang et al., "Trainable frontend", 2017), log. The device's version is
    16-bit fixed point; its rounding noise shows where bands are near silence.
    """
    size = 1 << (length - 1).bit_length()
    phase = 2.0 * np.pi * (np.arange(length) + 0.5) / length
    energy = spectrum(frames(wave, length, stride), 0.5 - 0.5 * np.cos(phase), size, 2)
    energy *= (32768.0 / size) ** 2
    bank = mel_bank(40, size // 2 + 1, rate, 125.0, 7500.0)
    bank[: round(1.0 + 125.0 * size / rate)] = 0.0
    bands = np.floor(np.sqrt(energy @ bank) * 64.0)
    smoothing = np.where(np.arange(40) % 2 == 0, 0.025, 0.06)
    noise = np.zeros(40)
    out = np.zeros_like(bands)
    for i, band in enumerate(bands):
        noise = noise * (1.0 - smoothing) + band * smoothing
        clean = np.maximum(band - noise, 0.05 * band)
        ratio = 8.0 * clean * (8.0 * noise + 80.0) ** -0.95
        shrunk = np.where(ratio < 2.0, ratio * ratio / 4.0, ratio - 1.0)
        fixed = np.floor(shrunk * 64.0) * 8.0
        out[i] = np.where(fixed > 1.0, np.log(np.maximum(fixed, 1.0)), 0.0)
    return np.floor(out * 64.0 + 0.5) / 25.6
