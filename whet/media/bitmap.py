"""BMP and PNG pixels without an image library, and the PNG writer for masks.

Sources: the BITMAPINFOHEADER documentation (uncompressed 8, 24 and 32 bits a pixel), and the PNG
specification (W3C, third edition), non-interlaced.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from whet.errors import InputError
from whet.media.limits import MAX_PIXELS, MAX_SIDE

Pixels = NDArray[np.uint8]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def check_size(width: int, height: int, where: str) -> None:
    """InputError unless the picture has a sane, bounded size."""
    sane = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE
    if not sane or width * height > MAX_PIXELS:
        raise InputError(
            "refusing the image", where, f"{width} x {height} pixels; at most {MAX_PIXELS:,}"
        )


def decode_bmp(data: bytes, where: str) -> Pixels:
    """An uncompressed BMP as (height, width, 3) RGB."""
    if len(data) < 54:
        raise _broken(where, "the header is cut short")
    offset, header, width, height = struct.unpack_from("<IIii", data, 10)
    bits, compression = struct.unpack_from("<HI", data, 28)
    check_size(width, abs(height), where)
    plain = compression == 0 or (compression == 3 and bits == 32)
    if header < 40 or bits not in (8, 24, 32) or not plain:
        raise _broken(where, f"{bits} bits a pixel, compression {compression}", "install Pillow")
    stride = (width * bits // 8 + 3) // 4 * 4
    if offset < 54 or offset + stride * abs(height) > len(data):
        raise _broken(where, "fewer pixels than its header says")
    rows = np.frombuffer(data, np.uint8, stride * abs(height), offset).reshape(abs(height), stride)
    if height > 0:
        rows = rows[::-1]
    if bits == 8:
        start, count = 14 + header, struct.unpack_from("<I", data, 46)[0] or 256
        if count > 256 or start + 4 * count > len(data):
            raise _broken(where, "its palette is cut short")
        palette = np.zeros((256, 3), np.uint8)
        palette[:count] = np.frombuffer(data, np.uint8, 4 * count, start).reshape(-1, 4)[:, 2::-1]
        return palette[rows[:, :width]]
    pixels = rows[:, : width * bits // 8].reshape(abs(height), width, bits // 8)
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def decode_png(data: bytes, where: str) -> Pixels:
    """A non-interlaced PNG as (height, width, 3) RGB; alpha is dropped, 16 bits become 8."""
    header, palette, packed = _png_chunks(data, where)
    width, height, depth, color, compression, filtering, interlace = header
    check_size(width, height, where)
    deep = depth in (1, 2, 4, 8, 16) if color == 0 else depth in (8, 16)
    if color == 3:
        deep = depth in (1, 2, 4, 8)
    if color not in _PNG_CHANNELS or not deep or compression or filtering:
        raise _broken(where, f"colour type {color} at {depth} bits")
    if interlace:
        raise _broken(where, "it is interlaced", "install Pillow")
    channels = _PNG_CHANNELS[color]
    stride = (width * channels * depth + 7) // 8
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(packed, height * (stride + 1))
    except zlib.error as error:
        raise _broken(where, str(error)) from None
    if len(raw) != height * (stride + 1):
        raise _broken(where, "fewer pixels than its header says")
    lines = _unfilter(raw, height, stride, max(1, channels * depth // 8), where)
    if depth == 16:
        lines = lines[:, ::2]
    elif depth < 8:
        bits = np.unpackbits(lines, axis=1).reshape(height, -1, depth)[:, :width]
        lines = np.packbits(bits, axis=2)[:, :, 0] // np.uint8(1 << (8 - depth))
        if color == 0:
            lines = lines * np.uint8(255 // ((1 << depth) - 1))
    pixels = lines.reshape(height, width, channels)
    if color == 3:
        return palette[pixels[:, :, 0]]
    return np.ascontiguousarray(pixels[:, :, :3] if channels > 2 else pixels[:, :, [0, 0, 0]])


def _png_chunks(data: bytes, where: str) -> tuple[tuple[int, ...], Pixels, bytes]:
    if not data.startswith(_PNG_SIGNATURE):
        raise _broken(where, "it has no PNG signature")
    position, header, packed = 8, b"", []
    palette = np.zeros((256, 3), np.uint8)
    while position + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind, start = data[position + 4 : position + 8], position + 8
        if start + size + 4 > len(data):
            break
        body = data[start : start + size]
        if zlib.crc32(kind + body) != struct.unpack_from(">I", data, start + size)[0]:
            raise _broken(where, f"chunk {kind!r} has a wrong checksum")
        if kind == b"IHDR" and size == 13:
            header = body
        elif kind == b"PLTE" and size % 3 == 0 and size <= 768:
            palette[: size // 3] = np.frombuffer(body, np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
        position = start + size + 4
    if not header:
        raise _broken(where, "it has no header")
    return struct.unpack(">IIBBBBB", header), palette, b"".join(packed)


def _unfilter(raw: bytes, height: int, stride: int, step: int, where: str) -> Pixels:
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride + 1)
    out = np.zeros((height, stride), np.uint8)
    above = np.zeros(stride, np.uint8)
    for y in range(height):
        kind, line = int(lines[y, 0]), lines[y, 1:]
        if kind > 4:
            raise _broken(where, f"unknown filter {kind} in row {y}")
        if kind == 0:
            out[y] = line
        elif kind == 1:
            out[y] = _running_sum(line, step)
        elif kind == 2:
            out[y] = line + above
        else:
            out[y] = _predict(line.tolist(), above.tolist(), step, kind)
        above = out[y]
    return out


def _running_sum(line: Pixels, step: int) -> Pixels:
    padded = np.zeros((-(-line.size // step), step), np.uint8)
    padded.reshape(-1)[: line.size] = line
    total = np.cumsum(padded, axis=0, dtype=np.uint8)
    return total.reshape(-1)[: line.size]


def _predict(line: list[int], above: list[int], step: int, kind: int) -> Pixels:
    out = bytearray(len(line))
    for i, value in enumerate(line):
        a = out[i - step] if i >= step else 0
        b = above[i]
        if kind == 3:
            guess = (a + b) >> 1
        else:
            c = above[i - step] if i >= step else 0
            p, q, r = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = a if p <= q and p <= r else b if q <= r else c
        out[i] = (value + guess) & 255
    return np.frombuffer(bytes(out), np.uint8)


def encode_png(pixels: Pixels, palette: Pixels | None = None) -> bytes:
    """A PNG of (height, width) grey or palette indices, or (height, width, 3) RGB."""
    height, width = pixels.shape[:2]
    color = 3 if palette is not None else 2 if pixels.ndim == 3 else 0
    rows = np.zeros((height, pixels[0].size + 1), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0))]
    if palette is not None:
        chunks.append((b"PLTE", np.ascontiguousarray(palette, np.uint8).tobytes()))
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    parts = [_PNG_SIGNATURE]
    for kind, body in chunks:
        crc = zlib.crc32(kind + body)
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc))
    return b"".join(parts)


def _broken(where: str, why: str, hint: str = "") -> InputError:
    return InputError("cannot decode the image", where, why, hint)
