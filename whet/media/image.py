"""Pictures as (height, width, 3) uint8 RGB arrays.

Pillow decodes them when it is installed; without it, BMP and plain PNG still work.
"""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec

import numpy as np

from whet.errors import InputError
from whet.media.bitmap import Pixels, check_size, decode_bmp, decode_png

_FORMATS = ("BMP", "PNG", "JPEG", "PPM", "WEBP", "TIFF", "GIF")


def decode_image(data: bytes, where: str, pillow: bool = True) -> Pixels:
    """An image file's pixels, turned upright by its EXIF orientation; InputError if it has none.

    pillow = False decodes as if Pillow were absent.
    """
    if pillow and find_spec("PIL") is not None:
        return _decode_with_pillow(data, where)
    if data.startswith(b"BM"):
        return decode_bmp(data, where)
    if data.startswith(b"\x89PNG"):
        return decode_png(data, where)
    raise InputError("cannot decode the image", where, "Pillow is absent", "pip install pillow")


def _decode_with_pillow(data: bytes, where: str) -> Pixels:
    # Deferred: an extra, and slow to load for the commands that read no image.
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                check_size(picture.width, picture.height, where)
                upright = ImageOps.exif_transpose(picture)
                if upright.mode.startswith("I"):
                    wide = np.asarray(upright).astype(np.int64)
                    grey = np.clip(wide >> 8, 0, 255).astype(np.uint8)
                    return np.repeat(grey[:, :, None], 3, axis=2)
                return np.array(upright.convert("RGB"))
    except InputError:
        raise
    except MemoryError:
        raise InputError("cannot decode the image", where, "out of memory") from None
    except Exception as error:  # decoders raise anything on damaged files
        reason = str(error).split("<_io")[0].strip() or type(error).__name__
        raise InputError("cannot decode the image", where, reason) from None
