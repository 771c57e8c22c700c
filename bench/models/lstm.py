"""Two LSTM layers of 256 cells over 100 frames of 40 features, and a linear read-out: 0.84 M."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.recipe import Recipe

FRAMES, FEATURES, CELLS, LAYERS, CLASSES = 100, 40, 256, 2, 32


class Recurrent(nn.Module):
    """(batch, frames, features) -> (batch, frames, classes)."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(FEATURES, CELLS, LAYERS, batch_first=True)
        self.out = nn.Linear(CELLS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cells(x)[0])


def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
    return (torch.randn(1, FRAMES, FEATURES, generator=generator),)


RECIPE = Recipe("lstm", Recurrent, sample)
