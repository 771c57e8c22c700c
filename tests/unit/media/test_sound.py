"""Sound: WAV files, resampling against closed forms, features against PyTorch and SciPy."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from scipy import fft, signal

from whet.errors import InputError
from whet.media.audio import decode_wav, resample
from whet.media.config import parse_config
from whet.media.features import cepstrum, from_mel, mel_bank, to_mel, window
from whet.media.tensor import Sample, TensorSpec

SPEC = TensorSpec.of("audio", (1, 16), np.float32)


def pcm(samples: np.ndarray, width: int, rate: int = 16000) -> bytes:
    """A WAV made by the standard library; samples (n, channels) are integers of `width` bytes."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        if width == 1:
            file.writeframes((samples + 128).astype(np.uint8).tobytes())
        else:
            raw = samples.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
            file.writeframes(np.ascontiguousarray(raw).tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pcm_of_every_width(width: int, channels: int) -> None:
    peak = 1 << (8 * width - 1)
    samples = np.random.default_rng(width).integers(-peak, peak, (50, channels))
    got, rate = decode_wav(pcm(samples, width), "w.wav")
    assert rate == 16000
    assert got.dtype == np.float32
    assert np.allclose(got, (samples / peak).mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("bits", [32, 64])
def test_float_and_extensible_wavs(bits: int) -> None:
    samples = np.linspace(-1, 1, 9)
    body = samples.astype(f"<f{bits // 8}").tobytes()
    size = bits // 8
    plain = struct.pack("<HHIIHH", 3, 1, 8000, 8000 * size, size, bits)
    guid = struct.pack("<H", 3) + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    extended = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 8000 * size, size, bits)
    extended += struct.pack("<HHI", 22, bits, 4) + guid
    for form in (plain, extended):
        chunks = b"fmt " + struct.pack("<I", len(form)) + form
        chunks += b"LIST" + struct.pack("<I", 3) + b"abc\x00"
        chunks += b"data" + struct.pack("<I", len(body)) + body
        data = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
        got, rate = decode_wav(data, "f.wav")
        assert rate == 8000
        assert np.allclose(got, samples, atol=1e-7)


def test_damaged_wavs_are_one_line() -> None:
    data = pcm(np.arange(200)[:, None], 2)
    for size in (0, 11, 12, 30, 43, 44, 100, len(data) - 1):
        with pytest.raises(InputError) as caught:
            decode_wav(data[:size], "x.wav")
        assert "\n" not in str(caught.value)
    random, messages = np.random.default_rng(0), list[str]()
    for _ in range(500):
        hurt = bytearray(data)
        hurt[random.integers(0, 44)] = random.integers(0, 256)
        try:
            decode_wav(bytes(hurt), "x.wav")
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [(44100, 16000), (48000, 16000), (8000, 16000), (16000, 22050), (11025, 8000)],
)
def test_resampling_keeps_tones_and_removes_aliases(rate: int, wanted: int) -> None:
    count = rate // 2
    time, new_time = np.arange(count) / rate, np.arange(-(-count * wanted // rate)) / wanted
    inner = slice(200, -200)
    nyquist = min(rate, wanted) / 2
    for share in (0.01, 0.5, 0.85):
        got = resample(np.sin(2 * np.pi * share * nyquist * time).astype(np.float32), rate, wanted)
        expected = np.sin(2 * np.pi * share * nyquist * new_time)
        assert got.shape == expected.shape
        assert np.abs(got - expected)[inner].max() < 2e-3
    if wanted < rate:
        tone = np.sin(2 * np.pi * 1.15 * nyquist * time).astype(np.float32)
        assert np.abs(resample(tone, rate, wanted))[inner].max() < 1e-4


def test_resampling_a_constant_gives_that_constant() -> None:
    got = resample(np.full(4000, 0.5, np.float32), 44100, 16000)
    assert np.allclose(got[100:-100], 0.5, atol=1e-6)


def run(steps: str, sample: Sample) -> Sample:
    config = parse_config(f'[input.x]\nsource="audio"\nsteps=[{steps}]', "t")
    for step in config.inputs[0][1].steps:
        sample = step.apply(sample, SPEC)
    return sample


def test_pad_trim_peak_and_pre_emphasis() -> None:
    sound = Sample(np.array([1.0, -4.0, 2.0]), 100)
    kept = {"start": [1, -4], "center": [1, -4], "end": [-4, 2]}
    for keep, expected in kept.items():
        got = run(f'{{step="pad_trim",samples=2,keep="{keep}"}}', sound).data
        assert got.tolist() == expected
    assert run('{step="pad_trim",samples=5,keep="center"}', sound).data.tolist() == [0, 1, -4, 2, 0]
    assert run('{step="peak"}', sound).data.tolist() == [0.25, -1.0, 0.5]
    assert run('{step="peak",of="max"}', sound).data.tolist() == [0.5, -2.0, 1.0]
    assert run('{step="pre_emphasis",coefficient=0.5}', sound).data.tolist() == [1.0, -4.5, 4.0]


@pytest.mark.parametrize("kind", ["hann", "hamming"])
def test_windows_and_log_mel_follow_scipy(kind: str) -> None:
    assert np.allclose(window(kind, 480), signal.get_window(kind, 480))
    assert np.allclose(
        window(f"{kind}_symmetric", 480), signal.get_window(kind, 480, fftbins=False)
    )
    sound = np.random.default_rng(3).normal(size=4000)
    step = f'{{step="log_mel",frame_ms=30,stride_ms=10,bands=30,window="{kind}"}}'
    got = run(step, Sample(sound, 8000))
    taper = signal.get_window(kind, 240)
    _, _, stft = signal.stft(
        sound, 8000, taper, 240, 160, 256, boundary=None, padded=False, scaling="spectrum"
    )
    energy = np.abs(stft * taper.sum()) ** 2
    expected = np.log(energy.T @ mel_bank(30, 129, 8000, 0.0, 4000.0) + 1e-6)
    assert got.data.shape == (1 + (4000 - 240) // 80, 30)
    assert np.allclose(got.data, expected)


def test_mel_scales_meet_published_points() -> None:
    # librosa's documentation: hz_to_mel(60) = 0.9, mel_to_hz(3) = 200; HTK: 1000 Hz is 1000 mel.
    assert to_mel(np.array([60.0]), "slaney")[0] == pytest.approx(0.9)
    assert from_mel(np.array([3.0]), "slaney")[0] == pytest.approx(200.0)
    assert to_mel(np.array([1000.0]), "htk")[0] == pytest.approx(1000.0, abs=0.02)
    for scale in ("htk", "slaney"):
        hertz = np.array([10.0, 999.0, 1001.0, 7000.0])
        assert np.allclose(from_mel(to_mel(hertz, scale), scale), hertz)


def test_slaney_bands_hold_equal_energy_of_white_noise() -> None:
    bank = mel_bank(20, 2049, 16000, 0.0, 8000.0, "slaney")
    assert np.allclose(bank.sum(axis=0) * 8000 / 2048, 1.0, rtol=0.05)


def test_cepstrum_is_the_discrete_cosine_transform() -> None:
    bands = np.random.default_rng(5).normal(size=(7, 40))
    expected = fft.dct(bands, type=2, norm="ortho", axis=1)[:, :13]
    assert np.allclose(cepstrum(bands, 13, True), expected)
    plain = cepstrum(bands, 13, False)
    assert np.allclose(plain[:, 1:], expected[:, 1:])
    assert np.allclose(plain[:, 0], expected[:, 0] * np.sqrt(2.0))


def test_stacked_frames_are_runs_of_frames() -> None:
    frames = Sample(np.arange(12.0).reshape(4, 3))
    got = run('{step="stack_frames",count=2}', frames).data
    assert got.tolist()[1] == [3, 4, 5, 6, 7, 8]
    assert got.shape == (3, 6)


def test_steps_refuse_what_they_cannot_use() -> None:
    picture = Sample(np.zeros((2, 2, 3)))
    for name in ('"resample",rate=8', '"log_mel",frame_ms=1,stride_ms=1', '"mfcc"'):
        with pytest.raises(InputError):
            run(f"{{step={name}}}", picture)
    with pytest.raises(InputError, match="7500 Hz"):
        run('{step="keyword_front_end"}', Sample(np.zeros(4000), 8000))
