"""The engines that can be raced: Whet, and the peers that are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError

Array = NDArray[np.generic]
Run = Callable[[Sequence[Array]], list[Array]]
Load = Callable[[Path, int], Run]


def load_whet(path: Path, threads: int) -> Run:
    """A `.whet` artifact."""
    from whet.session.load import load

    session = load(path, threads)
    names = [port.name for port in session.interface.inputs]

    def run(inputs: Sequence[Array]) -> list[Array]:
        return list(session(dict(zip(names, inputs, strict=True))).values())

    return run


def load_onnxruntime(path: Path, threads: int) -> Run:
    """ONNX Runtime's CPU provider, every optimisation on."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(inputs: Sequence[Array]) -> list[Array]:
        found: list[Array] = session.run(None, dict(zip(names, inputs, strict=True)))
        return found

    return run


def load_openvino(path: Path, threads: int) -> Run:
    """OpenVINO's CPU plugin, tuned for latency, in the model's own precision."""
    return _openvino(path, threads, "f32")


def load_openvino_bf16(path: Path, threads: int) -> Run:
    """The same where float layers may compute in bf16: its default on machines that have it."""
    return _openvino(path, threads, "bf16")


def _openvino(path: Path, threads: int, precision: str) -> Run:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(inputs: Sequence[Array]) -> list[Array]:
        found = request.infer(dict(enumerate(inputs)), share_inputs=True)
        return [np.asarray(value) for value in found.values()]

    return run


def load_litert(path: Path, threads: int) -> Run:
    """LiteRT with its XNNPACK delegate."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    taken = [detail["index"] for detail in interpreter.get_input_details()]
    given = [detail["index"] for detail in interpreter.get_output_details()]

    def run(inputs: Sequence[Array]) -> list[Array]:
        for index, value in zip(taken, inputs, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in given]

    return run


def load_ncnn(path: Path, threads: int) -> Run:
    """ncnn in f32 arithmetic and storage, Winograd and packed layouts on; `path` is a .param file
    with its .bin beside it. Tensors have a leading axis of one, which ncnn does not see."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for setting in dir(net.opt):
        if setting.startswith(("use_fp16", "use_bf16", "use_int8")):
            setattr(net.opt, setting, False)
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise InputError("ncnn cannot read this model", str(path))

    def run(inputs: Sequence[Array]) -> list[Array]:
        extractor = net.create_extractor()
        for i, value in enumerate(inputs):
            extractor.input(f"in{i}", ncnn.Mat(value[0]))
        return [np.array(extractor.extract(name)[1]) for name in net.output_names()]

    return run


# Engine: how it loads, the module it needs, the files it reads.
ENGINES: dict[str, tuple[Load, str, tuple[str, ...]]] = {
    "whet": (load_whet, "whet.session.load", (".whet",)),
    "whet_avx2": (load_whet, "whet.session.load", (".whet",)),
    "onnxruntime": (load_onnxruntime, "onnxruntime", (".onnx",)),
    "openvino": (load_openvino, "openvino", (".onnx", ".tflite")),
    "openvino_bf16": (load_openvino_bf16, "openvino", (".onnx", ".tflite")),
    "litert": (load_litert, "ai_edge_litert", (".tflite",)),
    "ncnn": (load_ncnn, "ncnn", (".param",)),
}
# Whet itself, built for less than this machine has: the `cpu` it is compiled for.
LEVELS = {"whet_avx2": "x86-64-v3"}
PEERS = tuple(name for name in ENGINES if name != "whet" and name not in LEVELS)


def check_peer(name: str, model: Path) -> None:
    """InputError unless the engine is known, installed, and reads such a file."""
    if name not in PEERS:
        raise InputError("unknown engine", name, hint=", ".join(PEERS))
    _, module, suffixes = ENGINES[name]
    if find_spec(module) is None:
        raise InputError("the engine is not installed", name, hint="pip install 'whet[bench]'")
    if model.suffix.lower() not in suffixes:
        raise InputError(f"{name} cannot read this model", str(model), hint=", ".join(suffixes))
