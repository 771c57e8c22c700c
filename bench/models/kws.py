"""Keyword spotting DS-CNN, 49 frames of 10 coefficients (Zhang et al., 2017; MLPerf Tiny): 23 k."""

from __future__ import annotations

from torch import nn

from bench.models._blocks import conv_norm
from bench.recipe import Recipe, image

CHANNELS, BLOCKS, WORDS = 64, 4, 12


def build() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(1, CHANNELS, (10, 4), 2, (5, 1), bias=False),
        nn.BatchNorm2d(CHANNELS),
        nn.ReLU(),
    ]
    for _ in range(BLOCKS):
        layers.append(conv_norm(CHANNELS, CHANNELS, 3, groups=CHANNELS, activation=nn.ReLU))
        layers.append(conv_norm(CHANNELS, CHANNELS, activation=nn.ReLU))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, WORDS))


RECIPE = Recipe("kws", build, image(49, 10, 1))
