"""MobileNetV2, width 1.0, 224x224 (Sandler et al., 2018, table 2): 3.5 M parameters, 0.30 GMAC."""

from __future__ import annotations

from torch import nn

from bench.models._blocks import Residual, conv_norm
from bench.recipe import Recipe, image

# expansion, output channels, repeats, stride of the first
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def inverted_residual(inputs: int, outputs: int, expansion: int, stride: int) -> nn.Module:
    """Expand 1x1, depthwise 3x3, project 1x1; a residual where the shape stays."""
    hidden = inputs * expansion
    layers = [conv_norm(inputs, hidden, activation=nn.ReLU6)] if expansion > 1 else []
    layers.append(conv_norm(hidden, hidden, 3, stride, groups=hidden, activation=nn.ReLU6))
    layers.append(conv_norm(hidden, outputs))
    body = nn.Sequential(*layers)
    return Residual(body) if stride == 1 and inputs == outputs else body


def build() -> nn.Module:
    layers: list[nn.Module] = [conv_norm(3, 32, 3, 2, activation=nn.ReLU6)]
    channels = 32
    for expansion, outputs, repeats, stride in STAGES:
        for repeat in range(repeats):
            layers.append(
                inverted_residual(channels, outputs, expansion, stride if repeat == 0 else 1)
            )
            channels = outputs
    layers.append(conv_norm(channels, 1280, activation=nn.ReLU6))
    return nn.Sequential(
        nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)
    )


RECIPE = Recipe("mobilenet_v2", build, image(224, 224))
