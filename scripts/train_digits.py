"""Trains the demo's digit classifier and writes what the demo ships.

`python -m scripts.train_digits` needs the extras `torch` and `test`, runs some seconds, and writes
`whet/demo/digits_f32.onnx`, `digits_int8.onnx` (QDQ) and `digits_test.npz` (held-out images, 8x8
grey levels 0..16, and labels). The models take one image, shape (1, 1, 8, 8), grey levels / 16.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from onnxruntime.quantization import QuantType
from sklearn.datasets import load_digits
from torch import Tensor, nn

from bench.export import Feed, export_onnx, quantise
from bench.models._blocks import Residual, conv_norm

OUT = Path(__file__).resolve().parents[1] / "whet" / "demo"
SEED = 8
HELD_OUT = 450
EPOCHS = 40
BATCH = 64
CALIBRATION_IMAGES = 200

Bytes = npt.NDArray[np.uint8]


def classifier() -> nn.Module:
    """A residual block and depthwise separable layers: what larger networks are made of."""
    return nn.Sequential(
        conv_norm(1, 16, 3, activation=nn.ReLU),
        Residual(conv_norm(16, 16, 3), activation=nn.ReLU),
        conv_norm(16, 32, 3, stride=2, activation=nn.ReLU),
        conv_norm(32, 32, 3, groups=32, activation=nn.ReLU6),
        conv_norm(32, 64, activation=nn.ReLU6),
        nn.MaxPool2d(2),
        conv_norm(64, 64, activation=nn.ReLU),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def split() -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Training and held-out (images, labels), from one seeded shuffle."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    order = np.random.default_rng(SEED).permutation(len(labels))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return (images[train], labels[train]), (images[test], labels[test])


def scaled(images: Bytes) -> npt.NDArray[np.float32]:
    """Grey levels as the models take them, shape (n, 1, 8, 8)."""
    return (images[:, None] / 16).astype(np.float32)


def train(images: Bytes, labels: Bytes) -> nn.Module:
    """The classifier fitted with seeded weights, order and one-pixel shifts."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    model = classifier()
    x, y = torch.from_numpy(scaled(images)), torch.from_numpy(labels).long()
    optimiser = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.01)
    steps = EPOCHS * (len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, steps)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in range(EPOCHS):
        order = torch.randperm(len(y))
        for batch in order.split(BATCH)[: len(y) // BATCH]:
            optimiser.zero_grad()
            loss(model(shifted(x[batch])), y[batch]).backward()
            optimiser.step()
            schedule.step()
    return model


def shifted(images: Tensor) -> Tensor:
    """The batch moved by up to one pixel each way, black moving in."""
    dx, dy = (int(v) for v in torch.randint(0, 3, (2,)))
    return nn.functional.pad(images, (1, 1, 1, 1))[..., dy : dy + 8, dx : dx + 8]


def accuracy(path: Path, images: Bytes, labels: Bytes) -> float:
    """Share of right answers, one image at a time, computed by ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answers = [int(session.run(None, {"image": x[None]})[0].argmax()) for x in scaled(images)]
    return float(np.mean(np.array(answers) == labels))


def calibration(images: Bytes) -> Iterator[Feed]:
    return ({"image": x[None]} for x in scaled(images[:CALIBRATION_IMAGES]))


def main() -> None:
    logging.getLogger().setLevel(logging.ERROR)
    (train_images, train_labels), (test_images, test_labels) = split()
    model = train(train_images, train_labels)
    OUT.mkdir(exist_ok=True)
    paths = [OUT / "digits_f32.onnx", OUT / "digits_int8.onnx"]
    sample = (torch.from_numpy(scaled(test_images[:1])),)
    export_onnx(model, sample, paths[0], ("image",), ("scores",))
    quantise(*paths, calibration(train_images), QuantType.QInt8)
    np.savez_compressed(OUT / "digits_test.npz", images=test_images, labels=test_labels)
    for path in paths:
        right = accuracy(path, test_images, test_labels)
        print(f"{path.name}: {path.stat().st_size:,} bytes, {right:.2%} of {HELD_OUT} right")


if __name__ == "__main__":
    main()
