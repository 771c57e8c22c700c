"""ResNet-50, stride in the 3x3 (He et al., 2015, v1.5), 224x224: 25.6 M parameters, 4.1 GMAC."""

from __future__ import annotations

from torch import nn

from bench.models._blocks import Residual, conv_norm
from bench.recipe import Recipe, image

# bottleneck channels, repeats, stride of the first
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
EXPANSION = 4


def bottleneck(inputs: int, width: int, stride: int) -> nn.Module:
    """1x1 down, 3x3, 1x1 up; the shortcut projects where the shape changes."""
    outputs = width * EXPANSION
    body = nn.Sequential(
        conv_norm(inputs, width, activation=nn.ReLU),
        conv_norm(width, width, 3, stride, activation=nn.ReLU),
        conv_norm(width, outputs),
    )
    same = stride == 1 and inputs == outputs
    shortcut = None if same else conv_norm(inputs, outputs, stride=stride)
    return Residual(body, shortcut, nn.ReLU)


def build() -> nn.Module:
    layers: list[nn.Module] = [
        conv_norm(3, 64, 7, 2, activation=nn.ReLU),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for width, repeats, stride in STAGES:
        for repeat in range(repeats):
            layers.append(bottleneck(channels, width, stride if repeat == 0 else 1))
            channels = width * EXPANSION
    return nn.Sequential(
        nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)
    )


RECIPE = Recipe("resnet50", build, image(224, 224))
