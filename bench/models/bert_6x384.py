"""BERT encoder, 6 layers of width 384, 128 tokens (Wang et al., 2020, MiniLM-L6): 22.4 M."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models._attention import SelfAttention, feed_forward
from bench.recipe import Recipe

WIDTH, DEPTH, HEADS, TOKENS, VOCABULARY = 384, 6, 12, 128, 30522
MASKED = -10000.0


class Encoder(nn.Module):
    """A post-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = SelfAttention(WIDTH, HEADS)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.mlp = feed_forward(WIDTH, 4 * WIDTH, nn.GELU())
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.mlp(x))


class Bert(nn.Module):
    """Token, position and segment embeddings, then the encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Parameter(torch.randn(1, TOKENS, WIDTH))
        self.segments = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Encoder() for _ in range(DEPTH))

    def forward(self, ids: Tensor, attention_mask: Tensor, segments: Tensor) -> Tensor:
        mask = (1.0 - attention_mask[:, None, None, :].float()) * MASKED
        x = self.norm(self.words(ids) + self.positions + self.segments(segments))
        for layer in self.layers:
            x = layer(x, mask)
        return x


def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
    """Random words, padded after a random length."""
    ids = torch.randint(0, VOCABULARY, (1, TOKENS), generator=generator)
    length = int(torch.randint(TOKENS // 2, TOKENS + 1, (1,), generator=generator))
    mask = (torch.arange(TOKENS)[None] < length).long()
    return ids * mask, mask, torch.zeros_like(ids)


RECIPE = Recipe(
    "bert_6x384",
    Bert,
    sample,
    ("input_ids", "attention_mask", "token_type_ids"),
    ("last_hidden_state",),
)
