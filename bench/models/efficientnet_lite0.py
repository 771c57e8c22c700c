"""EfficientNet-Lite0, 224x224 (Tan & Le, 2019, without squeeze-and-excite): 4.7 M, 0.39 GMAC."""

from __future__ import annotations

from torch import nn

from bench.models._blocks import Residual, conv_norm
from bench.recipe import Recipe, image

# expansion, kernel, output channels, repeats, stride of the first
STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)


def block(inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> nn.Module:
    """Expand 1x1, depthwise, project 1x1; a residual where the shape stays."""
    hidden = inputs * expansion
    layers = [conv_norm(inputs, hidden, activation=nn.ReLU6)] if expansion > 1 else []
    layers.append(conv_norm(hidden, hidden, kernel, stride, hidden, nn.ReLU6))
    layers.append(conv_norm(hidden, outputs))
    body = nn.Sequential(*layers)
    return Residual(body) if stride == 1 and inputs == outputs else body


def build() -> nn.Module:
    layers: list[nn.Module] = [conv_norm(3, 32, 3, 2, activation=nn.ReLU6)]
    channels = 32
    for expansion, kernel, outputs, repeats, stride in STAGES:
        for repeat in range(repeats):
            first = stride if repeat == 0 else 1
            layers.append(block(channels, outputs, expansion, kernel, first))
            channels = outputs
    layers.append(conv_norm(channels, 1280, activation=nn.ReLU6))
    return nn.Sequential(
        nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)
    )


RECIPE = Recipe("efficientnet_lite0", build, image(224, 224))
