"""What a benchmark model is: a torch module, a way to draw inputs for it, and the names of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Sample = Callable[[torch.Generator], tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model made offline from a seed.

    build: the module with freshly initialised weights. sample: one input of batch 1, a tensor for
    each of `inputs`.
    """

    name: str
    build: Callable[[], nn.Module]
    sample: Sample
    inputs: tuple[str, ...] = ("input",)
    outputs: tuple[str, ...] = ("output",)


def image(height: int, width: int, channels: int = 3) -> Sample:
    """Draws smooth random pictures, shape (1, channels, height, width), about zero mean.

    White noise averages out in the first layers; blobs plus a little noise keep activations of all
    depths spread, so that calibration sees ranges like those of photographs.
    """

    def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
        coarse = torch.randn(1, channels, 7, 7, generator=generator)
        blobs = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
        noise = torch.randn(1, channels, height, width, generator=generator)
        return (blobs + 0.2 * noise,)

    return sample
