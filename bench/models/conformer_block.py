"""One Conformer-S block on 100 frames (Gulati et al., 2020), absolute positions: 0.5 M."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models._attention import SelfAttention, feed_forward
from bench.recipe import Recipe

FRAMES, WIDTH, HEADS, KERNEL = 100, 144, 4, 31


class Convolution(nn.Module):
    """Gated pointwise, depthwise over time, pointwise."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.body = nn.Sequential(
            nn.Conv1d(WIDTH, 2 * WIDTH, 1),
            nn.GLU(dim=1),
            nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2, groups=WIDTH),
            nn.BatchNorm1d(WIDTH),
            nn.SiLU(),
            nn.Conv1d(WIDTH, WIDTH, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.norm(x).transpose(1, 2)).transpose(1, 2)


class Conformer(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward, each residual."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.LayerNorm(WIDTH), feed_forward(WIDTH, 4 * WIDTH, nn.SiLU()))
        self.attention = nn.Sequential(nn.LayerNorm(WIDTH), SelfAttention(WIDTH, HEADS))
        self.convolution = Convolution()
        self.last = nn.Sequential(nn.LayerNorm(WIDTH), feed_forward(WIDTH, 4 * WIDTH, nn.SiLU()))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x)
        x = x + self.convolution(x)
        return self.norm(x + 0.5 * self.last(x))


def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
    return (torch.randn(1, FRAMES, WIDTH, generator=generator),)


RECIPE = Recipe("conformer_block", Conformer, sample)
