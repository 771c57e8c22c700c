"""The suite: what `make bench` can race, and where each model's file comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from whet.bench.engine import PEERS

ROOT = Path(__file__).resolve().parents[1]
MODELS = (
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_lite0",
    "resnet50",
    "vit_tiny",
    "bert_6x384",
    "yolo_320",
    "kws",
    "vww",
    "resnet8",
    "lstm",
    "conformer_block",
)
PRECISIONS = ("f32", "int8", "bf16")
# Precisions that engines turn a model into: the file is the f32 one.
CONVERTED = {"bf16": ("openvino_bf16",)}
# Trained models, under the folder of shared models; the others of MODELS are made here.
REAL = {
    ("kws", "int8"): "tflite/mlperf_kws_int8.tflite",
    ("vww", "f32"): "tflite/mlperf_vww_fp32.tflite",
    ("vww", "int8"): "tflite/mlperf_vww_int8.tflite",
    ("resnet8", "f32"): "tflite/mlperf_ic_resnet_fp32.tflite",
    ("resnet8", "int8"): "tflite/mlperf_ic_resnet_int8.tflite",
    ("anomaly", "f32"): "tflite/mlperf_ad_fp32.tflite",
    ("anomaly", "int8"): "tflite/mlperf_ad_int8.tflite",
    ("person_detect", "int8"): "tflite/person_detect.tflite",
    ("mobilenet_v2_ptq", "int8"): "tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite",
    ("coco_ssd", "int8"): "tflite/coco_ssd_mobilenet_v1_1.0_quant.tflite",
    ("deeplab_mnv2", "int8"): "tflite/deeplabv3_mnv2_dm05_pascal_quant.tflite",
    ("deeplab_v3", "f32"): "tflite/deeplabv3_257.tflite",
    ("face_landmark", "f32"): "tflite/mediapipe_face_landmark.tflite",
    ("face_detection", "f32"): "tflite/mediapipe_face_detection_short_range.tflite",
    ("mobilenet_v1_quarter", "f32"): "tflite/mobilenet_v1_0.25_224_float.tflite",
    ("mobilenet_v1_quarter", "int8"): "tflite/mobilenet_v1_0.25_224_quant.tflite",
    ("mnist_lstm", "f32"): "tflite/mnist_lstm_float.tflite",
    ("mnist_lstm", "int8"): "tflite/mnist_lstm_int8.tflite",
    ("micro_speech", "int8"): "tflite/micro_speech_quantized.tflite",
    ("har_cnn", "int8"): "tflite/har_cnn_int8.tflite",
    ("yamnet", "f32"): "tflite/yamnet_audio_classifier.tflite",
    ("dtln_1", "f32"): "onnx/dtln_1.onnx",
    ("dtln_2", "f32"): "onnx/dtln_2.onnx",
}
TRAINED = tuple(dict.fromkeys(model for model, _ in REAL if model not in MODELS))
MAKING_SECONDS = 600


class Unavailable(Exception):
    """A case that cannot be raced here; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Case:
    """One race: a model of the suite in one precision on a number of threads."""

    model: str
    precision: str
    threads: int

    def __str__(self) -> str:
        return f"{self.model} {self.precision}, {self.threads} thread(s)"


def is_stored(model: str, precision: str) -> bool:
    """Whether the suite has a file of a model in a precision; one it makes, it can make in any."""
    return model in MODELS or (model, precision) in REAL


def shared_models() -> Path | None:
    """The folder of trained models in `../shared/data`, if there is one."""
    named = os.environ.get("WHET_SHARED_DATA")
    roots = [Path(named)] if named else [p / "shared" / "data" for p in ROOT.parents]
    found = [root / "models" for root in roots]
    return next((folder for folder in found if folder.is_dir()), None)


def model_file(model: str, precision: str, folder: Path) -> Path:
    """The file of a model, made under `folder` by the first call that needs it.

    Raises:
        Unavailable: there is no such model or precision, or its file cannot be had here.
    """
    if precision in CONVERTED:
        path = model_file(model, "f32", folder)
        if path.suffix != ".onnx":
            raise Unavailable(f"the f32 model is no ONNX file: {path.name}")
        return path
    if not is_stored(model, precision) or precision not in PRECISIONS:
        raise Unavailable(f"no {model} {precision} in the suite")
    if name := REAL.get((model, precision)):
        shared = shared_models()
        if shared is None or not (shared / name).is_file():
            raise Unavailable(f"{name} is not in ../shared/data")
        return shared / name
    path = folder / f"{model}_{precision}.onnx"
    if not path.is_file():
        _make(model, folder)
    return path


def _make(model: str, folder: Path) -> None:
    """Both precisions of a model, by a process of its own: torch keeps hundreds of megabytes."""
    command = [sys.executable, "-m", "bench.models", model, "--out", str(folder)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=MAKING_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the model was not made in {MAKING_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(f"the model cannot be made: {said[-1]}")


def peers(path: Path, precision: str) -> dict[str, Path]:
    """The engines beside Whet that take a model, and the file that each of them reads."""
    if precision in CONVERTED:
        return dict.fromkeys(CONVERTED[precision], path)
    others = {n for names in CONVERTED.values() for n in names}
    found = {name: path for name, peer in PEERS.items() if path.suffix in peer.suffixes}
    found = {n: file for n, file in found.items() if n not in others}
    if path.suffix == ".onnx" and path.stem.endswith("_f32"):
        found["ncnn"] = path.parent / "ncnn" / f"{path.stem}.ncnn.param"
    return found


def ready(engine: str, path: Path, model: Path) -> None:
    """Convert `model` where the file `path` of an engine is not there yet: ncnn's own converter.

    Raises:
        Unavailable: the converter is not installed, or refuses the model.
    """
    if engine != "ncnn" or path.is_file():
        return
    spec = find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise Unavailable("its converter pnnx is not installed")
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / model.name
        source.write_bytes(model.read_bytes())
        command = [str(Path(spec.origin).with_name("pnnx")), model.name, "fp16=0"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=MAKING_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"pnnx did not convert it in {MAKING_SECONDS} s") from None
        made = source.with_suffix(".ncnn.param")
        if done.returncode or not made.is_file():
            raise Unavailable(f"pnnx does not convert it (exit code {done.returncode})")
        shutil.copy(made.with_suffix(".bin"), path.with_suffix(".bin"))
        shutil.copy(made, path)
