"""ViT-Tiny/16, 224x224 (Touvron et al., 2021, DeiT-Ti): 5.7 M parameters, 1.25 GMAC."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models._attention import SelfAttention, feed_forward
from bench.recipe import Recipe, image

WIDTH, DEPTH, HEADS, PATCH, SIZE = 192, 12, 3, 16, 224


class Encoder(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = SelfAttention(WIDTH, HEADS)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = feed_forward(WIDTH, 4 * WIDTH, nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Patches and a class token through the encoder; the class token is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        self.layers = nn.Sequential(*(Encoder() for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, 1000)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], 1) + self.positions
        return self.head(self.norm(self.layers(tokens))[:, 0])


RECIPE = Recipe("vit_tiny", VisionTransformer, image(SIZE, SIZE))
