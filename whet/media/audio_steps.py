"""Steps on sound: (samples,) arrays with a rate, and the features made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from whet.errors import InputError
from whet.media.audio import resample
from whet.media.features import (
    LOGS,
    MEL_SCALES,
    WINDOWS,
    Floats,
    cepstrum,
    frames,
    keyword_front_end,
    logarithm,
    mel_bank,
    spectrum,
    window,
)
from whet.media.limits import MAX_ELEMENTS, MAX_RATE, MAX_SAMPLES
from whet.media.tensor import Sample, TensorSpec

MAX_FFT = 1 << 16


def _sound(sample: Sample, step: str) -> Floats:
    if sample.data.ndim != 1 or sample.rate <= 0:
        raise InputError(f"step {step} needs audio", "", f"it got rank {sample.data.ndim}")
    return sample.data.astype(np.float64)


def _feature_frames(sample: Sample, step: str) -> Floats:
    if sample.data.ndim != 2:
        raise InputError(
            f"step {step} needs frames of features", "", f"it got rank {sample.data.ndim}"
        )
    return sample.data.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Resample:
    """To `rate` hertz by a windowed sinc (see whet.media.audio.resample)."""

    rate: int

    def check(self) -> str:
        return "" if 0 < self.rate <= MAX_RATE else f"rate is 1 to {MAX_RATE}"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "resample").astype(np.float32)
        return Sample(resample(wave, sample.rate, self.rate), self.rate)


@dataclass(frozen=True, slots=True)
class PadTrim:
    """Exactly `samples` samples: the start, center or end is kept, silence fills the rest."""

    samples: int
    keep: str = "start"

    def check(self) -> str:
        if not 0 < self.samples <= MAX_SAMPLES:
            return f"samples is 1 to {MAX_SAMPLES}"
        return "" if self.keep in ("start", "center", "end") else "keep is start, center or end"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "pad_trim")
        spare = wave.size - self.samples
        share = {"start": 0.0, "center": 0.5, "end": 1.0}[self.keep]
        start = int(max(spare, 0) * share)
        before = int(max(-spare, 0) * share)
        kept = wave[start : start + self.samples]
        out = np.zeros(self.samples)
        out[before : before + kept.size] = kept
        return Sample(out, sample.rate)


@dataclass(frozen=True, slots=True)
class Peak:
    """Scaled so that the largest sample (of = "max") or magnitude (of = "magnitude") is 1."""

    of: str = "magnitude"

    def check(self) -> str:
        return "" if self.of in ("max", "magnitude") else "of is max or magnitude"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "peak")
        peak = float(wave.max() if self.of == "max" else np.abs(wave).max()) if wave.size else 0.0
        return Sample(wave / peak if peak > 0.0 else wave, sample.rate)


@dataclass(frozen=True, slots=True)
class PreEmphasis:
    """x[n] - coefficient * x[n - 1], with x[-1] = 0."""

    coefficient: float = 0.97

    def check(self) -> str:
        return "" if 0.0 <= self.coefficient <= 1.0 else "coefficient is 0 to 1"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "pre_emphasis")
        return Sample(wave - self.coefficient * np.append(0.0, wave[:-1]), sample.rate)


@dataclass(frozen=True, slots=True)
class LogMel:
    """Frames of log mel energies (frames, bands).

    frame_ms, stride_ms: window and hop; fft: transform size (0: the next power of two); window: a
    name of whet.media.features.WINDOWS; power: 1 magnitudes, 2 energies; per_sample divides the
    spectrum by the frame length; scale: htk or slaney; fmax 0 is the Nyquist frequency; log: ln,
    log10, db or none, of the energy with `floor` added, or clipped to it when clip_floor is set.
    """

    frame_ms: float
    stride_ms: float
    bands: int = 40
    fmin: float = 0.0
    fmax: float = 0.0
    fft: int = 0
    window: str = "hann"
    power: int = 2
    per_sample: bool = False
    scale: str = "htk"
    log: str = "ln"
    floor: float = 1e-6
    clip_floor: bool = False

    def check(self) -> str:
        if not (0.0 < self.frame_ms <= 10_000.0 and 0.0 < self.stride_ms <= 10_000.0):
            return "frame_ms and stride_ms are above 0 and at most 10000"
        if not 0 < self.bands <= 1024 or not 0 <= self.fft <= MAX_FFT or self.power not in (1, 2):
            return f"bands is 1 to 1024, fft at most {MAX_FFT}, power 1 or 2"
        choices = ((self.window, WINDOWS), (self.scale, MEL_SCALES), (self.log, LOGS))
        for value, known in choices:
            if value not in known:
                return f"'{value}' is not one of {', '.join(known)}"
        if self.fmin < 0.0 or (self.fmax and self.fmax <= self.fmin):
            return "0 <= fmin < fmax"
        return "" if self.floor > 0.0 or self.log == "none" else "floor is above 0"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "log_mel")
        length = max(1, round(self.frame_ms * sample.rate / 1000.0))
        stride = max(1, round(self.stride_ms * sample.rate / 1000.0))
        size = self.fft or 1 << (length - 1).bit_length()
        high = self.fmax or sample.rate / 2.0
        count = max(0, 1 + (wave.size - length) // stride)
        if size < length or size > MAX_FFT or high > sample.rate / 2.0:
            raise InputError(
                "step log_mel does not fit the audio",
                why=f"frames of {length} samples, fft {size}, bands up to {high} Hz",
            )
        if count * size > MAX_ELEMENTS:
            raise InputError("the audio is too long", "", f"{count:,} frames", "a pad_trim step")
        taper = window(self.window, length)
        energy = spectrum(frames(wave, length, stride), taper, size, self.power)
        if self.per_sample:
            energy = energy / length
        bank = mel_bank(self.bands, size // 2 + 1, sample.rate, self.fmin, high, self.scale)
        return Sample(logarithm(energy @ bank, self.log, self.floor, not self.clip_floor))


@dataclass(frozen=True, slots=True)
class Mfcc:
    """The first cepstral coefficients of each frame; TensorFlow's are not orthonormal."""

    coefficients: int = 13
    orthonormal: bool = True

    def check(self) -> str:
        return "" if 0 < self.coefficients <= 1024 else "coefficients is 1 to 1024"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        features = _feature_frames(sample, "mfcc")
        if self.coefficients > features.shape[1]:
            raise InputError("step mfcc", "", f"only {features.shape[1]} bands")
        return Sample(cepstrum(features, self.coefficients, self.orthonormal))


@dataclass(frozen=True, slots=True)
class StackFrames:
    """Each run of `count` frames joined into one vector: (frames - count + 1, count * bands)."""

    count: int

    def check(self) -> str:
        return "" if 0 < self.count <= 4096 else "count is 1 to 4096"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        features = _feature_frames(sample, "stack_frames")
        if features.shape[0] < self.count:
            raise InputError("the audio is too short", "", f"{features.shape[0]} frames")
        runs = sliding_window_view(features, self.count, axis=0).transpose(0, 2, 1)
        return Sample(runs.reshape(runs.shape[0], -1))


@dataclass(frozen=True, slots=True)
class KeywordFrontEnd:
    """The features of micro_speech (see whet.media.features.keyword_front_end)."""

    frame_ms: float = 30.0
    stride_ms: float = 20.0

    def check(self) -> str:
        return "" if min(self.frame_ms, self.stride_ms) > 0.0 else "durations are positive"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        wave = _sound(sample, "keyword_front_end")
        if sample.rate < 15_000:
            raise InputError("step keyword_front_end", "", "bands reach 7500 Hz", "a resample step")
        length = max(1, round(self.frame_ms * sample.rate / 1000.0))
        stride = max(1, round(self.stride_ms * sample.rate / 1000.0))
        return Sample(keyword_front_end(wave, sample.rate, length, stride))
