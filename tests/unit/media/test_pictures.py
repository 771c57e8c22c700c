"""Pixels against Pillow: decoding without it, resampling, luma, the PNG writer."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from whet.errors import InputError
from whet.media.bitmap import decode_bmp, decode_png, encode_png
from whet.media.config import parse_config
from whet.media.image import decode_image
from whet.media.resize import resize
from whet.media.tensor import Sample, TensorSpec

SPEC = TensorSpec.of("image", (1, 8, 8, 3), np.uint8)
PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def picture(height: int = 37, width: int = 53, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    noise[: height // 2] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    return noise


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("method", PILLOW)
@pytest.mark.parametrize("size", [(37, 53), (8, 9), (61, 20), (20, 90), (200, 300), (1, 1)])
def test_resize_gives_the_bytes_of_pillow(method: str, size: tuple[int, int]) -> None:
    image = picture()
    # One axis at a time: releases of Pillow differ in which axis they take first.
    wide = Image.fromarray(image).resize((size[1], image.shape[0]), PILLOW[method])
    expected = wide.resize(size[::-1], PILLOW[method])
    assert np.array_equal(resize(image, *size, method), np.asarray(expected))


def test_resize_without_antialias_reads_the_two_nearest_pixels_a_side() -> None:
    ramp = np.arange(16, dtype=np.float32).reshape(1, 16, 1)
    assert resize(ramp, 1, 4, "bilinear", antialias=False).ravel().tolist() == [1.5, 5.5, 9.5, 13.5]


def test_floats_are_resampled_without_rounding() -> None:
    image = picture().astype(np.float32)
    expected = np.asarray(
        Image.fromarray(image[:, :, 0]).resize((20, 11), Image.Resampling.BILINEAR)
    )
    assert np.allclose(resize(image, 11, 20, "bilinear")[:, :, 0], expected, atol=1e-3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_png_without_pillow(mode: str) -> None:
    image = Image.fromarray(picture()).convert(mode)
    expected = np.asarray(Image.open(io.BytesIO(saved(image, "PNG"))).convert("RGB"))
    assert np.array_equal(decode_png(saved(image, "PNG"), "p"), expected)


def test_png_of_sixteen_bits_keeps_the_high_byte() -> None:
    wide = (np.arange(20, dtype=np.uint16) * 3000).reshape(4, 5)
    data = saved(Image.fromarray(wide), "PNG")
    expected = (wide >> 8).astype(np.uint8)
    for pillow in (True, False):
        assert np.array_equal(decode_image(data, "p", pillow)[:, :, 1], expected)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_bmp_without_pillow(mode: str) -> None:
    image = Image.fromarray(picture()).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode_bmp(saved(image, "BMP"), "b"), expected)


def test_pillow_turns_pictures_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(picture()), "JPEG", exif=exif)
    assert decode_image(data, "p").shape == (53, 37, 3)


def test_png_writer_is_read_by_pillow() -> None:
    indices = picture()[:, :, 0] % 7
    palette = np.random.default_rng(1).integers(0, 256, (256, 3), np.uint8)
    back = Image.open(io.BytesIO(encode_png(indices, palette)))
    assert np.array_equal(np.asarray(back), indices)
    assert np.array_equal(np.asarray(back.convert("RGB")), palette[indices])
    rgb = Image.open(io.BytesIO(encode_png(picture())))
    assert np.array_equal(np.asarray(rgb), picture())


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        crc = zlib.crc32(kind + body)
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc))
    return b"".join(parts)


@pytest.mark.parametrize("pillow", [True, False])
def test_bombs_are_refused_before_they_unpack(pillow: bool) -> None:
    with pytest.raises(InputError, match="pixels"):
        decode_image(bomb(), "bomb.png", pillow)


@pytest.mark.parametrize("pillow", [True, False])
@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_damaged_pictures_are_one_line(form: str, pillow: bool) -> None:
    data = saved(Image.fromarray(picture()), form)
    for size in (0, 1, 20, 54, len(data) // 2, len(data) - 40):
        with pytest.raises(InputError) as caught:
            decode_image(data[:size], "x.img", pillow)
        assert "\n" not in str(caught.value)
    random, messages = np.random.default_rng(0), list[str]()
    for _ in range(200):
        hurt = bytearray(data)
        for at in random.integers(0, len(data), 3):
            hurt[at] = random.integers(0, 256)
        try:
            decode_image(bytes(hurt), "x.img", pillow)
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def step(text: str, data: np.ndarray) -> np.ndarray:
    config = parse_config(f'[input.x]\nsource="image"\nsteps=[{{ {text} }}]', "t")
    return config.inputs[0][1].steps[0].apply(Sample(data), SPEC).data


def test_grayscale_gives_the_bytes_of_pillow() -> None:
    expected = np.asarray(Image.fromarray(picture()).convert("L"))
    assert np.array_equal(step('step="grayscale"', picture())[:, :, 0], expected)


def test_crops_and_fits() -> None:
    image = picture()
    assert np.array_equal(step('step="center_crop",height=11,width=21', image), image[13:24, 16:37])
    padded = step('step="center_crop",height=41,width=53,fill=9', image)
    assert np.array_equal(padded[2:39], image)
    assert (padded[:2] == 9).all()
    assert step('step="resize",shorter=20', image).shape == (20, 28, 3)
    square = np.full((20, 40, 3), 200, np.uint8)
    covered = step('step="resize",height=10,width=10,fit="cover"', square)
    assert covered.shape == (10, 10, 3)
    assert (covered == 200).all()
    boxed = step('step="resize",height=10,width=10,fit="contain",fill=7', square)
    assert (boxed[:2] == 7).all()
    assert (boxed[3:7] == 200).all()


def test_layout_and_channel_order() -> None:
    image = picture()
    assert np.array_equal(step('step="layout",order="NCHW"', image)[0, 2], image[:, :, 2])
    assert np.array_equal(step('step="swap_channels"', image), image[:, :, ::-1])
