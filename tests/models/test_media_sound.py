"""Sound through the declared steps into real networks, compiled to C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.engine import Engine
from whet.media import load_pipeline, parse_pipeline
from whet.media.audio import decode_wav, resample
from whet.media.tensor import Sample, quantise

KEYWORDS = (
    "Down", "Go", "Left", "No", "Off", "On", "Right", "Stop", "Up", "Yes", "Silence", "Unknown",
)  # fmt: skip
MFCC = """
{ step = "resample", rate = 16000 },
{ step = "pad_trim", samples = 16000 },
{ step = "peak", of = "max" },
{ step = "log_mel", frame_ms = 30, stride_ms = 20, fft = 512, bands = 40, fmin = 20, fmax = 4000,
  power = 1 },
{ step = "mfcc", coefficients = 10, orthonormal = false },
"""
WAKE_WORD = """
{ step = "peak", of = "max" },
{ step = "pre_emphasis", coefficient = 0.96875 },
{ step = "log_mel", frame_ms = 64, stride_ms = 32, bands = 40, window = "hamming_symmetric",
  per_sample = true, log = "db", floor = 1e-30, clip_floor = true },
{ step = "affine", scale = 0.015625, offset = 0.8125 },
{ step = "clip", low = 0, high = 1 },
"""
MICRO_SPEECH = """
{ step = "resample", rate = 16000 },
{ step = "pad_trim", samples = 16000 },
{ step = "keyword_front_end" },
{ step = "reshape", shape = [1, 1960] },
"""


def declared(engine: Engine, steps: str, labels: tuple[str, ...]) -> str:
    one_line = steps.replace(",\n  ", ", ")
    return f"""
    [input."{engine.inputs[0].name}"]
    source = "audio"
    steps = [ {one_line} ]
    [[view]]
    kind = "classes"
    output = "{engine.outputs[0].name}"
    labels = {list(labels)}
    """


def test_yamnet_hears_speech(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/yamnet_audio_classifier.tflite")
    pipeline = load_pipeline(engine.path, engine.inputs, engine.outputs)
    for name, score in (("speech", 0.918), ("jfk", 0.918)):
        wav = shared_data / f"audio/{name}.wav"
        row = pipeline.present(engine.run(pipeline.read([wav]))).tables[0].rows[0]
        assert row[0] == "Speech"
        assert row[1] == pytest.approx(score, abs=0.005)


def test_keyword_features_are_those_of_the_benchmark(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/mlperf_kws_int8.tflite")
    text = declared(engine, MFCC, KEYWORDS)
    pipeline = parse_pipeline(text, engine.inputs, engine.outputs, "kws")
    stored = np.load(shared_data / "datasets/kws01_features.npz")
    by_name = {name.removesuffix(".bin"): i for i, name in enumerate(stored["names"])}
    right = total = 0
    for wav in sorted((shared_data / "audio/speech_commands").glob("*.wav")):
        arrays = pipeline.read([wav])
        codes = arrays[engine.inputs[0].name].reshape(49, 10).astype(int)
        # The benchmark truncates where Whet rounds: never more than one step apart.
        assert np.abs(codes - stored["x"][by_name[wav.stem]]).max() <= 1, wav.stem
        label = pipeline.present(engine.run(arrays)).tables[0].rows[0][0]
        right += label == wav.stem.split("_")[2]
        total += 1
    assert total == 120
    assert right / total >= 0.90


def test_micro_speech_tells_yes_from_no(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/micro_speech_quantized.tflite")
    text = declared(engine, MICRO_SPEECH, ("silence", "unknown", "yes", "no"))
    pipeline = parse_pipeline(text, engine.inputs, engine.outputs, "micro_speech")
    for name, label in (("yes", "yes"), ("no", "no"), ("silence", "silence"), ("noise", "silence")):
        arrays = pipeline.read([shared_data / f"audio/{name}_1000ms.wav"])
        assert pipeline.present(engine.run(arrays)).tables[0].rows[0][0] == label
        stored = shared_data / f"datasets/audio_features/micro_speech_{name}.npy"
        if stored.is_file():
            distance = np.abs(arrays[engine.inputs[0].name].astype(int) - np.load(stored))
            assert distance.mean() < 3.0


def test_wake_word_is_heard_three_times(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/mlperf_streaming_wakeword_int8.tflite")
    text = declared(engine, WAKE_WORD, ("marvin", "silence", "unknown"))
    steps = parse_pipeline(text, engine.inputs, engine.outputs, "wake").config.inputs[0][1].steps
    wav = shared_data / "audio/sww_short_easy10s.wav"
    sample = Sample(*decode_wav(wav.read_bytes(), "wav"))
    for step in steps:
        sample = step.apply(sample, engine.inputs[0])
    spec, output = engine.inputs[0], engine.outputs[0].name
    heard: list[float] = []
    for first in range(sample.data.shape[0] - 29):
        window = sample.data[first : first + 30].reshape(spec.shape)
        scores = engine.run({spec.name: quantise(window, spec)})[output][0]
        if scores.argmax() == 0:
            heard.append((first + 30) * 0.032)
    starts = [t for before, t in zip([-9.0, *heard], heard, strict=False) if t - before > 1.0]
    spoken = ((1.0, 1.65), (4.0, 4.76), (7.0, 7.36))
    assert len(starts) == 3
    for start, (begin, end) in zip(starts, spoken, strict=True):
        assert begin < start < end + 0.5


def test_resampled_speech_is_still_speech(shared_data: Path) -> None:
    engine = Engine(shared_data / "models/tflite/yamnet_audio_classifier.tflite")
    pipeline = load_pipeline(engine.path, engine.inputs, engine.outputs)
    wave, rate = decode_wav((shared_data / "audio/speech.wav").read_bytes(), "wav")
    spec = engine.inputs[0]
    steps = pipeline.config.inputs[0][1].steps
    sample = Sample(resample(wave, rate, 44100), 44100)
    for step in steps:
        sample = step.apply(sample, spec)
    back = sample.data.astype(np.float32)
    scores = engine.run({spec.name: back})
    assert pipeline.present(scores).tables[0].rows[0][0] == "Speech"
