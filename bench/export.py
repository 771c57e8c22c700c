"""Torch module -> float ONNX -> statically quantised QDQ ONNX, reproducible from one seed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench import recurrent
from bench.recipe import Recipe

SEED = 20240229
OPSET = 17
CALIBRATION_INPUTS = 4
SETTLING_BATCHES = 2
SETTLING_SIZE = 4


def module(recipe: Recipe, seed: int = SEED) -> nn.Module:
    """The recipe's module in evaluation mode, with seeded weights and batch-norm statistics.

    Scales and shifts are drawn at random; means and variances are those of sampled batches, so
    that activations neither vanish nor explode with depth, then moved a little at random, because
    no trained network has batches that match its averages exactly.
    """
    torch.manual_seed(seed)
    model = recipe.build()
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.6, 1.4)
            norm.bias.normal_(0.0, 0.2)
            norm.momentum = None
        if norms:
            settle(model.train(), recipe)
        for norm in norms:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.add_(0.1 * norm.running_var.sqrt() * torch.randn_like(norm.bias))
            norm.running_var.mul_(torch.empty_like(norm.bias).uniform_(0.8, 1.25))
    return model.eval()


def settle(model: nn.Module, recipe: Recipe) -> None:
    """Runs a few sampled batches through the model in training mode."""
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(SETTLING_BATCHES):
        samples = [recipe.sample(generator) for _ in range(SETTLING_SIZE)]
        model(*(torch.cat(column) for column in zip(*samples, strict=True)))


def export_float(recipe: Recipe, path: Path) -> None:
    """Writes the recipe's float model."""
    sample = recipe.sample(torch.Generator().manual_seed(SEED + 1))
    export_onnx(module(recipe), sample, path, recipe.inputs, recipe.outputs)


def export_onnx(
    model: nn.Module,
    sample: tuple[Tensor, ...],
    path: Path,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> None:
    """Writes a module as plain ONNX of fixed shapes, batch normalisation left in."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            sample,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            do_constant_folding=True,
            training=torch.onnx.TrainingMode.PRESERVE,
        )


def export_int8(recipe: Recipe, source: Path, path: Path, activation: QuantType) -> None:
    """Quantises the recipe's float model, calibrated on a few seeded inputs."""
    quantise(source, path, feeds(recipe, CALIBRATION_INPUTS, SEED + 2), activation)


Feed = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]


def feeds(recipe: Recipe, count: int, seed: int) -> Iterator[Feed]:
    """`count` inputs by name, as NumPy arrays."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        sample = recipe.sample(generator)
        yield {n: t.numpy() for n, t in zip(recipe.inputs, sample, strict=True)}


class Calibration(CalibrationDataReader):
    """Inputs read once, as the quantiser wants them."""

    def __init__(self, inputs: Iterator[Feed]) -> None:
        self.inputs = inputs

    def get_next(self) -> Feed | None:
        return next(self.inputs, None)


def quantise(source: Path, path: Path, inputs: Iterator[Feed], activation: QuantType) -> None:
    """Writes a QDQ model: per-channel symmetric int8 weights, per-tensor activations.

    The source is simplified first (constants and batch normalisation fold), as the quantiser asks.
    """
    recurrent.register()
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            Calibration(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=activation,
        )
