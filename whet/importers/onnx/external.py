"""External tensor data: files beside the model, opened so that a hostile name reaches nothing else.

Each component of a location is opened relative to its parent without following links, the last
must be a regular file with one name, and every check is made on the descriptor that is mapped.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import stat
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from whet.errors import ModelError
from whet.importers.onnx import limits

_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})


@dataclass(slots=True)
class _Mapped:
    view: npt.NDArray[np.uint8]
    checksum: str = ""
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


class ExternalFiles:
    """The files below one directory that tensors may name.

    base_dir: the model's directory, as the user gave it. Files stay mapped as long as an array
    views them. Raises ModelError for an empty base_dir.
    """

    def __init__(self, base_dir: str | os.PathLike[str]) -> None:
        if not os.fspath(base_dir):
            raise ModelError("external data without a directory", hint="give base_dir, e.g. '.'")
        self._base = os.fspath(base_dir)
        self._by_location: dict[str, _Mapped] = {}
        self._by_file: dict[tuple[int, int], _Mapped] = {}

    def read(self, tensor: TensorProto, size: int, where: str) -> npt.NDArray[np.uint8]:
        """The `size` bytes of the tensor's external data: a read-only view of the mapped file.

        Raises ModelError for an unsafe location, a range outside the file or of another size, a
        range that cuts into another tensor's, and a checksum that differs.
        """
        entries = _entries(tensor, where)
        offset = _count(entries.get("offset", "0"), "offset", where)
        length = _count(entries.get("length", str(size)), "length", where)
        if length != size:
            raise ModelError(
                "external data of the wrong size", where, f"length {length}, needs {size}"
            )
        mapped = self._mapped(entries["location"], where)
        if offset + length > mapped.view.size:
            raise ModelError(
                "external data beyond the end of its file",
                where,
                f"offset {offset} + length {length} > {mapped.view.size}",
            )
        _claim(mapped, offset, offset + length, where)
        if "checksum" in entries:
            _verify(mapped, entries["checksum"], where)
        return mapped.view[offset : offset + length]

    def _mapped(self, location: str, where: str) -> _Mapped:
        known = self._by_location.get(location)
        if known is not None:
            return known
        if len(self._by_location) >= limits.EXTERNAL_FILES:
            raise ModelError("too many external files", where, f"limit {limits.EXTERNAL_FILES}")
        descriptor = _open_beneath(self._base, location, where)
        try:
            status = os.fstat(descriptor)
            key = (status.st_dev, status.st_ino)
            if key not in self._by_file:
                self._by_file[key] = _Mapped(_view(descriptor, status, where))
        finally:
            os.close(descriptor)
        self._by_location[location] = self._by_file[key]
        return self._by_file[key]


def _entries(tensor: TensorProto, where: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        if not isinstance(entry.key, str) or not isinstance(entry.value, str):
            raise ModelError("external data named by what is not UTF-8", where)
        if entry.key in entries or entry.key not in _KEYS:
            problem = "repeated" if entry.key in entries else "unknown"
            raise ModelError(f"{problem} key in external data", where, f"'{entry.key}'")
        entries[entry.key] = entry.value
    if "location" not in entries:
        raise ModelError("external data without a location", where)
    return entries


def _count(text: str, key: str, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise ModelError(f"malformed {key} of external data", where, f"'{text}'")
    return int(text)


def _components(location: str, where: str) -> list[str]:
    parts = [part for part in location.split("/") if part != "."]
    unsafe = location.startswith("/") or "\\" in location or "\0" in location
    drive = re.match(r"[A-Za-z]:", location)
    if unsafe or drive or not parts or any(part in ("", "..") for part in parts):
        raise ModelError(
            "unsafe location of external data",
            where,
            f"'{location}'",
            "a plain path below the model's directory",
        )
    return parts


def _open_beneath(base: str, location: str, where: str) -> int:
    parts = _components(location, where)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(base, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        for depth, part in enumerate(parts):
            # Without O_NONBLOCK, opening a FIFO would wait for its writer.
            last = depth == len(parts) - 1
            kind = os.O_NONBLOCK if last else os.O_DIRECTORY
            parent = descriptor
            try:
                descriptor = os.open(part, flags | kind, dir_fd=parent)
            finally:
                os.close(parent)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            "external data cannot be opened",
            where,
            f"'{location}': {reason}",
            "keep the data files beside the model, as files and not links",
        ) from None
    return descriptor


def _view(descriptor: int, status: os.stat_result, where: str) -> npt.NDArray[np.uint8]:
    if not stat.S_ISREG(status.st_mode):
        raise ModelError("external data that is not a regular file", where)
    if status.st_nlink != 1:
        raise ModelError(
            "external data with more than one name",
            where,
            f"{status.st_nlink} hard links",
            "copy the file beside the model",
        )
    if status.st_size == 0:
        return np.empty(0, np.uint8)
    return np.frombuffer(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ), np.uint8)


def _claim(mapped: _Mapped, start: int, end: int, where: str) -> None:
    """Record a range; tensors may share one whole (tied weights) but not cut into each other."""
    if start == end:
        return
    index = bisect_left(mapped.starts, start)
    if index < len(mapped.starts) and mapped.starts[index] == start and mapped.ends[index] == end:
        return
    before = index > 0 and mapped.ends[index - 1] > start
    after = index < len(mapped.starts) and mapped.starts[index] < end
    if before or after:
        raise ModelError("external data overlaps another tensor's", where, f"[{start}, {end})")
    mapped.starts.insert(index, start)
    mapped.ends.insert(index, end)


def _verify(mapped: _Mapped, checksum: str, where: str) -> None:
    if not mapped.checksum:
        mapped.checksum = hashlib.sha1(mapped.view.data, usedforsecurity=False).hexdigest()
    if checksum.lower() != mapped.checksum:
        raise ModelError(
            "external data does not match its checksum",
            where,
            f"file has {mapped.checksum}",
            "fetch the file again",
        )
