"""The engines that can be raced: Whet, and the peers that are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError

Array = NDArray[np.generic]
Run = Callable[[Sequence[Array]], list[Array]]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model is run. settled: whole-number inputs that Whet's build has as constants."""

    threads: int = 1
    settled: Mapping[str, int] = field(default_factory=dict)


Load = Callable[[Path, Setting], Run]


def load_whet(path: Path, setting: Setting) -> Run:
    """A `.whet` artifact."""
    from whet.session.load import load

    session = load(path, setting.threads)
    names = [port.name for port in session.interface.inputs]

    def run(inputs: Sequence[Array]) -> list[Array]:
        return list(session(dict(zip(names, inputs, strict=True))).values())

    return run


def load_onnxruntime(path: Path, setting: Setting) -> Run:
    """ONNX Runtime's CPU provider, every optimisation on."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = setting.threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    taken = {value.name: value for value in session.get_inputs()}
    fixed = {
        name: np.full(taken[name].shape, n, _numpy_type(taken[name].type))
        for name, n in setting.settled.items()
        if name in taken
    }
    names = [name for name in taken if name not in fixed]

    def run(inputs: Sequence[Array]) -> list[Array]:
        found: list[Array] = session.run(None, fixed | dict(zip(names, inputs, strict=True)))
        return found

    return run


def _numpy_type(type_name: str) -> np.dtype[np.generic]:
    """Of a tensor of whole numbers in ONNX Runtime's words, such as `tensor(int32)`."""
    return np.dtype(type_name.removeprefix("tensor(").removesuffix(")"))


def load_openvino(path: Path, setting: Setting) -> Run:
    """OpenVINO's CPU plugin, tuned for latency, in the model's own precision."""
    return _openvino(path, setting, "f32")


def load_openvino_bf16(path: Path, setting: Setting) -> Run:
    """The same where float layers may compute in bf16: its default on machines that have it."""
    return _openvino(path, setting, "bf16")


def _openvino(path: Path, setting: Setting, precision: str) -> Run:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": setting.threads,
        "INFERENCE_PRECISION_HINT": precision,
    }
    model = openvino.Core().compile_model(str(path), "CPU", settings)
    request = model.create_infer_request()
    settled = setting.settled.items()
    ports = dict(enumerate(model.inputs))
    fixed = {
        i: np.full(list(port.shape), n, port.get_element_type().to_dtype())
        for i, port in ports.items()
        for name, n in settled
        if name in port.get_names()
    }
    free = [i for i in ports if i not in fixed]

    def run(inputs: Sequence[Array]) -> list[Array]:
        given = fixed | dict(zip(free, inputs, strict=True))
        found = request.infer(given, share_inputs=True)
        return [np.asarray(value) for value in found.values()]

    return run


def load_litert(path: Path, setting: Setting) -> Run:
    """LiteRT with its XNNPACK delegate."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=setting.threads)
    interpreter.allocate_tensors()
    taken = [detail["index"] for detail in interpreter.get_input_details()]
    given = [detail["index"] for detail in interpreter.get_output_details()]

    def run(inputs: Sequence[Array]) -> list[Array]:
        for index, value in zip(taken, inputs, strict=True):
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in given]

    return run


def load_ncnn(path: Path, setting: Setting) -> Run:
    """ncnn in f32 arithmetic and storage, Winograd and packed layouts on; `path` is a .param file
    with its .bin beside it. Tensors have a leading axis of one, which ncnn does not see."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = setting.threads
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16", "use_int8")):
            setattr(net.opt, option, False)
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise InputError("ncnn cannot read this model", str(path))

    def run(inputs: Sequence[Array]) -> list[Array]:
        extractor = net.create_extractor()
        for i, value in enumerate(inputs):
            extractor.input(f"in{i}", ncnn.Mat(value[0]))
        return [np.array(extractor.extract(name)[1]) for name in net.output_names()]

    return run


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine loads, the module it needs, and the suffixes of the files it reads."""

    load: Load
    module: str
    suffixes: tuple[str, ...]


WHET = Engine(load_whet, "whet.session.load", (".whet",))
# Whet itself, built for less than this machine has: the `cpu` it is compiled for.
LEVELS = {"whet_avx2": "x86-64-v3"}
PEERS = {
    "onnxruntime": Engine(load_onnxruntime, "onnxruntime", (".onnx",)),
    "openvino": Engine(load_openvino, "openvino", (".onnx", ".tflite")),
    "openvino_bf16": Engine(load_openvino_bf16, "openvino", (".onnx", ".tflite")),
    "litert": Engine(load_litert, "ai_edge_litert", (".tflite",)),
    "ncnn": Engine(load_ncnn, "ncnn", (".param",)),
}
ENGINES = {"whet": WHET, **dict.fromkeys(LEVELS, WHET), **PEERS}


def check_peer(name: str, model: Path) -> None:
    """InputError unless the engine is known, installed, and reads such a file."""
    if name not in PEERS:
        raise InputError("unknown engine", name, hint=", ".join(PEERS))
    peer = PEERS[name]
    if find_spec(peer.module) is None:
        raise InputError("the engine is not installed", name, hint="pip install 'whet[bench]'")
    if model.suffix.lower() not in peer.suffixes:
        hint = ", ".join(peer.suffixes)
        raise InputError(f"{name} cannot read this model", str(model), hint=hint)
