"""WAV files and sample-rate conversion.

Reads RIFF/WAVE with PCM of 8, 16, 24 or 32 bits and IEEE float of 32 or 64 bits, plain or
extensible (Microsoft, "Multiple Channel Audio Data and WAVE Files").
"""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError
from whet.media.limits import MAX_RATE, MAX_SAMPLES

Waveform = NDArray[np.float32]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ZERO_CROSSINGS = 32
_KAISER_BETA = 9.0
_CUTOFF = 0.945
_CHUNK = 1 << 16


def decode_wav(data: bytes, where: str) -> tuple[Waveform, int]:
    """The mono mix (mean of the channels) as float32 in [-1, 1), and its rate in hertz.

    A data chunk that promises more than the file holds is an error: the recording is truncated.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise _broken(where, "it is not a RIFF/WAVE file")
    form: tuple[int, int, int, int] | None = None
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        start = position + 8
        if start + size > len(data):
            raise _broken(where, f"chunk {kind!r} promises {size:,} bytes, the file ends before")
        if kind == b"fmt ":
            form = _format(data[start : start + size], where)
        elif kind == b"data":
            if form is None:
                raise _broken(where, "samples come before their format")
            return _samples(data[start : start + size], form, where), form[2]
        position = start + size + (size & 1)
    raise _broken(where, "it holds no samples")


def _format(chunk: bytes, where: str) -> tuple[int, int, int, int]:
    if len(chunk) < 16:
        raise _broken(where, "its format is cut short")
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 40:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    known = (tag == _PCM and bits in (8, 16, 24, 32)) or (tag == _FLOAT and bits in (32, 64))
    if not known:
        raise _broken(where, f"encoding {tag} with {bits} bits", "16-bit PCM")
    if not 1 <= channels <= 64 or align != channels * bits // 8:
        raise _broken(where, f"{channels} channels in blocks of {align} bytes")
    if not 1 <= rate <= MAX_RATE:
        raise _broken(where, f"a sample rate of {rate} Hz")
    return tag, channels, rate, bits


def _samples(raw: bytes, form: tuple[int, int, int, int], where: str) -> Waveform:
    tag, channels, _, bits = form
    frame = channels * bits // 8
    count = len(raw) // frame
    if count == 0 or count * channels > MAX_SAMPLES:
        raise _broken(where, f"{count:,} samples")
    raw = raw[: count * frame]
    if tag == _FLOAT:
        wave = np.frombuffer(raw, f"<f{bits // 8}").astype(np.float32)
        if not np.isfinite(wave).all():
            raise _broken(where, "a sample is not a finite number")
    elif bits == 8:
        wave = (np.frombuffer(raw, np.uint8).astype(np.float32) - 128.0) / 128.0
    elif bits == 24:
        wide = np.zeros((count * channels, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        wave = (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    else:
        wave = (np.frombuffer(raw, f"<i{bits // 8}") / 2.0 ** (bits - 1)).astype(np.float32)
    if channels == 1:
        return wave
    mix: Waveform = wave.reshape(count, channels).mean(axis=1, dtype=np.float64).astype(np.float32)
    return mix


def resample(wave: Waveform, rate: int, wanted: int) -> Waveform:
    """The waveform at `wanted` hertz, by a polyphase Kaiser-windowed sinc.

    The filter cuts at 0.945 of the lower Nyquist frequency and spans 32 zero crossings a side
    (beta 9: pass band flat within 0.01 dB to 0.9 of Nyquist, aliases below -80 dB). The result has
    ceil(n * wanted / rate) samples; sample 0 stays at time 0; silence is assumed outside.
    """
    if rate == wanted or wave.size == 0:
        return wave
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    cutoff = _CUTOFF * min(1.0, wanted / rate)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    size = -(-wave.size * up // down)
    if size > MAX_SAMPLES or half * 2 * min(up, size) > MAX_SAMPLES:
        raise InputError("cannot resample the audio", "", f"{rate} Hz to {wanted} Hz is too far")
    padded = np.pad(wave.astype(np.float64), (half - 1, half + 1))
    out = np.empty(size, np.float32)
    taps = np.arange(2 * half)
    phases = _phase_filters(up, half, cutoff) if up <= size else None
    for start in range(0, size, _CHUNK):
        at = np.arange(start, min(start + _CHUNK, size), dtype=np.int64) * down
        base, phase = at // up, at % up
        weights = phases[phase] if phases is not None else _filters(phase / up, half, cutoff)
        windows = padded[base[:, None] + taps[None, :]]
        out[start : start + at.size] = np.einsum("nt,nt->n", windows, weights)
    return out


def _phase_filters(up: int, half: int, cutoff: float) -> NDArray[np.float64]:
    return _filters(np.arange(up) / up, half, cutoff)


def _filters(shift: NDArray[np.float64], half: int, cutoff: float) -> NDArray[np.float64]:
    """Filters (shifts, 2 * half) that read `half - 1` samples before and `half` after each point.

    Each is scaled to unit gain at zero frequency, so that a constant stays that constant.
    """
    t = np.arange(-half + 1, half + 1)[None, :] - shift[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(1.0 - (t / half) ** 2, 0.0)))
    weights = np.sinc(t * cutoff) * window
    scaled: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return scaled


def _broken(where: str, why: str, hint: str = "") -> InputError:
    return InputError("cannot read the audio", where, why, hint)
