"""MobileNetV3-Large, 224x224 (Howard et al., 2019, table 1): 5.5 M parameters, 0.22 GMAC."""

from __future__ import annotations

from torch import Tensor, nn

from bench.models._blocks import Residual, conv_norm, same_channels
from bench.recipe import Recipe, image

# kernel, hidden channels, output channels, squeeze-and-excite, hard swish, stride
BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)


class SqueezeExcite(nn.Module):
    """Scales channels by a small network's view of their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = same_channels(channels / 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def block(
    inputs: int, kernel: int, hidden: int, outputs: int, excite: bool, swish: bool, stride: int
) -> nn.Module:
    """Expand 1x1, depthwise, excite, project 1x1; a residual where the shape stays."""
    activation = nn.Hardswish if swish else nn.ReLU
    layers = [conv_norm(inputs, hidden, activation=activation)] if hidden != inputs else []
    layers.append(conv_norm(hidden, hidden, kernel, stride, hidden, activation))
    if excite:
        layers.append(nn.Sequential(SqueezeExcite(hidden)))
    layers.append(conv_norm(hidden, outputs))
    body = nn.Sequential(*layers)
    return Residual(body) if stride == 1 and inputs == outputs else body


def build() -> nn.Module:
    layers: list[nn.Module] = [conv_norm(3, 16, 3, 2, activation=nn.Hardswish)]
    channels = 16
    for kernel, hidden, outputs, excite, swish, stride in BLOCKS:
        layers.append(block(channels, kernel, hidden, outputs, excite, swish, stride))
        channels = outputs
    layers.append(conv_norm(channels, 960, activation=nn.Hardswish))
    return nn.Sequential(
        nn.Sequential(*layers),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(960, 1280),
        nn.Hardswish(),
        nn.Linear(1280, 1000),
    )


RECIPE = Recipe("mobilenet_v3_large", build, image(224, 224))
