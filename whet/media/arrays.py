"""NumPy and CSV files as arrays, without pickles and without trusting a header.

Source of the layout: the NumPy enhancement proposal 1 (`.npy` format, versions 1 to 3).
"""

from __future__ import annotations

import csv
import io
import math
import zipfile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from whet.errors import InputError
from whet.media.limits import (
    MAX_ARCHIVE_MEMBERS,
    MAX_ELEMENTS,
    MAX_FILE_BYTES,
    MAX_RANK,
    MAX_TEXT_BYTES,
)

Array = NDArray[np.generic]

_HEADER_LIMIT = 10_000


def decode_npy(data: bytes, where: str) -> Array:
    """One array of numbers from the bytes of an `.npy` file; Python objects are refused."""
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        if version not in ((1, 0), (2, 0)):
            raise _broken(where, f"format version {version[0]}.{version[1]}")
        shape, fortran, dtype = read(stream, max_header_size=_HEADER_LIMIT)
    except InputError:
        raise
    except Exception as error:  # the header is a Python literal: anything can go wrong in it
        raise _broken(where, str(error) or type(error).__name__) from None
    if dtype.hasobject or dtype.kind not in "biufc" or dtype.itemsize == 0:
        raise _broken(where, f"its elements are {dtype}", "an array of numbers")
    count = math.prod(shape)
    if len(shape) > MAX_RANK or min(shape, default=0) < 0 or count > MAX_ELEMENTS:
        raise _broken(where, f"an absurd shape {shape}")
    body = data[stream.tell() :]
    if len(body) != count * dtype.itemsize:
        raise _broken(where, f"shape {shape} of {dtype} does not fit its {len(body):,} bytes")
    array = np.frombuffer(body, dtype, count)
    return array.reshape(shape, order="F" if fortran else "C")


def decode_npz(data: bytes, where: str) -> dict[str, Array]:
    """The arrays of an `.npz` file by name; bounded in members and in total unpacked bytes."""
    arrays: dict[str, Array] = {}
    budget = MAX_FILE_BYTES * 2
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARCHIVE_MEMBERS:
                raise _broken(where, f"{len(members):,} members")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise _broken(where, f"two arrays are named {name}")
                with archive.open(member) as file:
                    body = file.read(budget + 1)
                budget -= len(body)
                if budget < 0:
                    raise _broken(where, f"it unpacks to more than {MAX_FILE_BYTES * 2:,} bytes")
                arrays[name] = decode_npy(body, f"{where}[{name}]")
    except InputError:
        raise
    except MemoryError:
        raise _broken(where, "out of memory") from None
    except Exception as error:  # damaged archives raise zlib, struct and zipfile errors
        raise _broken(where, str(error) or type(error).__name__) from None
    return arrays


def decode_csv(data: bytes, where: str) -> NDArray[np.float64]:
    """Numbers as float64 (rows, columns); a first line that holds no number is a header."""
    if len(data) > MAX_TEXT_BYTES:
        raise _broken(where, f"more than {MAX_TEXT_BYTES:,} bytes of text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _broken(where, "it is not UTF-8 text") from None
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=head.count)
    rows: list[list[float]] = []
    try:
        number = 0
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        for number, cells in enumerate(reader, 1):
            if not cells or (number == 1 and not any(map(_is_number, cells))):
                continue
            rows.append([float(cell) for cell in cells])
            if len(rows[-1]) != len(rows[0]):
                raise _broken(where, f"line {number} has {len(cells)} cells, not {len(rows[0])}")
    except (ValueError, csv.Error) as error:
        raise _broken(where, f"line {max(number, 1)}: {error}") from None
    if not rows:
        raise _broken(where, "it holds no numbers")
    table = np.array(rows, np.float64)
    if not np.isfinite(table).all():
        raise _broken(where, "a cell is not a finite number")
    return table


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _broken(where: str, why: str, hint: str = "") -> InputError:
    return InputError("cannot read the array", where, why, hint)
