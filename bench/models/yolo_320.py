"""Anchor-free one-stage detector of the YOLOv8 nano kind, 320x320, 80 classes: 3.2 M, 1.1 GMAC.

Cross-stage backbone, pyramid pooling, path aggregation, decoupled heads with a distribution over
box edges (Li et al., 2020, Generalized Focal Loss). Output (1, 4 + classes, 2100): boxes as
centre-x, centre-y, width, height in pixels, then class scores.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.models._blocks import Residual, conv_norm
from bench.recipe import Recipe, image

SIZE, CLASSES, BINS = 320, 80, 16
STRIDES = (8, 16, 32)


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    return conv_norm(inputs, outputs, kernel, stride, activation=nn.SiLU)


class CrossStage(nn.Module):
    """Half of the channels pass a chain of 3x3 blocks; every intermediate result is kept."""

    def __init__(self, inputs: int, outputs: int, repeats: int, residual: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.enter = conv(inputs, outputs)
        bodies = [nn.Sequential(conv(half, half, 3), conv(half, half, 3)) for _ in range(repeats)]
        self.chain = nn.ModuleList(Residual(body) if residual else body for body in bodies)
        self.leave = conv((2 + repeats) * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        kept = list(self.enter(x).chunk(2, 1))
        for block in self.chain:
            kept.append(block(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class PyramidPool(nn.Module):
    """Three chained 5x5 max-pools beside the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = conv(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = conv(channels * 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.enter(x)]
        for _ in range(3):
            kept.append(self.pool(kept[-1]))
        return self.leave(torch.cat(kept, 1))


class Neck(nn.Module):
    """Coarse features flow up to fine ones, then back down."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.up4 = CrossStage(256 + 128, 128, 1, False)
        self.up3 = CrossStage(128 + 64, 64, 1, False)
        self.down4 = conv(64, 64, 3, 2)
        self.mix4 = CrossStage(64 + 128, 128, 1, False)
        self.down5 = conv(128, 128, 3, 2)
        self.mix5 = CrossStage(128 + 256, 256, 1, False)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> tuple[Tensor, ...]:
        t4 = self.up4(torch.cat([self.up(p5), p4], 1))
        t3 = self.up3(torch.cat([self.up(t4), p3], 1))
        t4 = self.mix4(torch.cat([self.down4(t3), t4], 1))
        return t3, t4, self.mix5(torch.cat([self.down5(t4), p5], 1))


class Head(nn.Module):
    """Box edges as distributions and class scores, decoded to pixels."""

    def __init__(self) -> None:
        super().__init__()
        widths = (64, 128, 256)
        self.boxes = nn.ModuleList(self.branch(w, 64, 4 * BINS) for w in widths)
        self.classes = nn.ModuleList(self.branch(w, 80, CLASSES) for w in widths)
        cells = [self.cells(stride) for stride in STRIDES]
        self.register_buffer("centres", torch.cat([c for c, _ in cells], 1))
        self.register_buffer("strides", torch.cat([s for _, s in cells], 1))
        self.register_buffer("bins", torch.arange(BINS).float().view(1, BINS, 1, 1))

    @staticmethod
    def branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            conv(inputs, hidden, 3), conv(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1)
        )

    @staticmethod
    def cells(stride: int) -> tuple[Tensor, Tensor]:
        """Cell centres, shape (2, n), and the stride of each, shape (1, n)."""
        axis = torch.arange(SIZE // stride) + 0.5
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        return torch.stack([x, y]).flatten(1), torch.full((1, axis.numel() ** 2), float(stride))

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        boxes = [b(f).flatten(2) for b, f in zip(self.boxes, features, strict=True)]
        scores = [c(f).flatten(2) for c, f in zip(self.classes, features, strict=True)]
        edges = torch.cat(boxes, 2)
        edges = edges.view(edges.shape[0], 4, BINS, -1).transpose(1, 2).softmax(1)
        low, high = (edges * self.bins).sum(1).chunk(2, 1)
        start, end = self.centres - low, self.centres + high
        box = torch.cat([(start + end) / 2, end - start], 1) * self.strides
        return torch.cat([box, torch.cat(scores, 2).sigmoid()], 1)


class Detector(nn.Module):
    """Backbone, neck and head."""

    def __init__(self) -> None:
        super().__init__()
        self.stage3 = nn.Sequential(
            conv(3, 16, 3, 2),
            conv(16, 32, 3, 2),
            CrossStage(32, 32, 1, True),
            conv(32, 64, 3, 2),
            CrossStage(64, 64, 2, True),
        )
        self.stage4 = nn.Sequential(conv(64, 128, 3, 2), CrossStage(128, 128, 2, True))
        self.stage5 = nn.Sequential(
            conv(128, 256, 3, 2), CrossStage(256, 256, 1, True), PyramidPool(256)
        )
        self.neck = Neck()
        self.head = Head()

    def forward(self, x: Tensor) -> Tensor:
        p3 = self.stage3(x)
        p4 = self.stage4(p3)
        return self.head(self.neck(p3, p4, self.stage5(p4)))


RECIPE = Recipe("yolo_320", Detector, image(SIZE, SIZE))
