"""Steps on pictures: (height, width, channels) arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whet.errors import InputError
from whet.media.limits import MAX_SIDE
from whet.media.resize import METHODS, resize
from whet.media.tensor import Array, Sample, TensorSpec

FITS = ("stretch", "cover", "contain")


def _picture(sample: Sample, step: str) -> Array:
    if sample.data.ndim != 3:
        raise InputError(f"step {step} needs an image", "", f"it got rank {sample.data.ndim}")
    return sample.data


@dataclass(frozen=True, slots=True)
class Resize:
    """Resample to height x width, or to `shorter` for the shorter side, keeping the aspect.

    fit: "stretch" ignores the aspect; "cover" keeps it and crops the middle; "contain" keeps it and
    pads with `fill`. method: nearest, area, bilinear, bicubic or lanczos, as Pillow computes them
    on bytes; antialias = false reads only the nearest pixels, as mobile runtimes do.
    """

    height: int = 0
    width: int = 0
    shorter: int = 0
    method: str = "bilinear"
    antialias: bool = True
    fit: str = "stretch"
    fill: int = 0

    def check(self) -> str:
        sizes = (self.height, self.width, self.shorter)
        if max(sizes) > MAX_SIDE or min(sizes) < 0:
            return f"sizes are 1 to {MAX_SIDE}"
        if bool(self.shorter) == bool(self.height and self.width):
            return "give height and width, or shorter"
        if self.method not in METHODS:
            return f"method is one of {', '.join(METHODS)}"
        if self.fit not in FITS:
            return f"fit is one of {', '.join(FITS)}"
        return "" if 0 <= self.fill <= 255 else "fill is 0 to 255"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        image = _picture(sample, "resize")
        height, width = image.shape[:2]
        if self.shorter:
            ratio = self.shorter / min(height, width)
            goal = (max(1, int(height * ratio)), max(1, int(width * ratio)))
            return self._resampled(image, *goal)
        if self.fit == "stretch":
            return self._resampled(image, self.height, self.width)
        ratios = (self.height / height, self.width / width)
        ratio = max(ratios) if self.fit == "cover" else min(ratios)
        scaled = self._resampled(
            image, max(1, round(height * ratio)), max(1, round(width * ratio))
        ).data
        return Sample(_framed(scaled, self.height, self.width, self.fill))

    def _resampled(self, image: Array, height: int, width: int) -> Sample:
        if max(height, width) > MAX_SIDE:
            raise InputError("refusing to resize", "", f"to {height} x {width} pixels")
        return Sample(resize(image, height, width, self.method, self.antialias))


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """The middle height x width of the picture; what lies outside it is filled with `fill`."""

    height: int
    width: int
    fill: int = 0

    def check(self) -> str:
        return "" if 0 < min(self.height, self.width) <= MAX_SIDE else "sizes are positive"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        return Sample(_framed(_picture(sample, "center_crop"), self.height, self.width, self.fill))


def _framed(image: Array, height: int, width: int, fill: int) -> Array:
    out = np.full((height, width, image.shape[2]), fill, image.dtype)
    rows, columns = min(height, image.shape[0]), min(width, image.shape[1])
    y, x = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    top, left = (height - rows) // 2, (width - columns) // 2
    out[top : top + rows, left : left + columns] = image[y : y + rows, x : x + columns]
    return out


@dataclass(frozen=True, slots=True)
class Grayscale:
    """One channel of ITU-R BT.601 luma, with Pillow's 16-bit weights and rounding."""

    def check(self) -> str:
        return ""

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        image = _picture(sample, "grayscale")
        if image.shape[2] == 1:
            return sample
        weights = np.array([19595, 38470, 7471])
        if image.dtype == np.uint8:
            luma = (image.astype(np.int64) @ weights + 0x8000) >> 16
        else:
            luma = image.astype(np.float64) @ (weights / 65536.0)
        return Sample(luma.astype(image.dtype)[:, :, None])


@dataclass(frozen=True, slots=True)
class SwapChannels:
    """Blue, green, red instead of red, green, blue."""

    def check(self) -> str:
        return ""

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        return Sample(_picture(sample, "swap_channels")[:, :, ::-1])


@dataclass(frozen=True, slots=True)
class Layout:
    """The order of axes: "NHWC" keeps the picture's, "NCHW" puts channels first. Adds a batch."""

    order: str

    def check(self) -> str:
        return "" if self.order in ("NHWC", "NCHW") else "order is NHWC or NCHW"

    def apply(self, sample: Sample, spec: TensorSpec) -> Sample:
        image = _picture(sample, "layout")
        if self.order == "NCHW":
            image = image.transpose(2, 0, 1)
        return Sample(image[None], sample.rate)
