"""Write and read the ZIP. Any unzip lists it; entries are used where they lie."""

from __future__ import annotations

import mmap
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from whet.errors import ArtifactError

GRAPH_TEXT, GRAPH_ARRAYS = "graph.txt", "graph.npz"
PAGE = 4096
LOCAL_HEADER = 30
ALIGNMENT_FIELD = 0xD935  # the extra field that zipalign uses
MAX_ENTRIES = 64
NAME = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*")
DATE = (1980, 1, 1, 0, 0, 0)


def write(path: Path, entries: Mapping[str, bytes]) -> None:
    """Write entries in order, each starting on a page, atomically and reproducibly."""
    folder = path.parent if str(path.parent) else Path(".")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".whet-", delete=False) as file:
            name = file.name
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for entry, data in entries.items():
                    archive.writestr(_info(entry, file.tell()), data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        why = error.strerror or str(error)
        raise ArtifactError("the artifact cannot be written", str(path), why) from None


def _info(name: str, position: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, DATE)
    info.external_attr = 0o644 << 16
    start = position + LOCAL_HEADER + len(name.encode()) + 6
    padding = -start % PAGE
    info.extra = struct.pack("<HHH", ALIGNMENT_FIELD, 2 + padding, PAGE) + bytes(padding)
    return info


def read(path: Path) -> dict[str, memoryview]:
    """The entries as views of the mapped file.

    Raises:
        ArtifactError: not a ZIP that `write` could have made: compressed, encrypted, duplicate,
            overlapping, misaligned or oddly named entries, or bytes outside the file.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise ArtifactError("the artifact is empty", str(path))
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            with zipfile.ZipFile(file, metadata_encoding="utf-8") as archive:
                infos, directory = archive.infolist(), archive.start_dir
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        hint = "compile the model again"
        raise ArtifactError("not a .whet artifact", str(path), str(error), hint) from None
    if len(infos) > MAX_ENTRIES or len({i.filename for i in infos}) != len(infos):
        raise ArtifactError("too many or duplicate entries", str(path))
    if odd := [i.filename for i in infos if not NAME.fullmatch(i.filename)]:
        raise ArtifactError("an entry has a name that no artifact has", str(path), odd[0])
    entries, taken = {}, 0
    for info in sorted(infos, key=lambda i: i.header_offset):
        start = _start(info, view, str(path))
        if info.header_offset < taken:
            raise ArtifactError("entries overlap", str(path), info.filename)
        taken = start + info.file_size
        entries[info.filename] = view[start:taken]
    if taken > directory:
        raise ArtifactError("entries overlap", str(path), "the directory")
    return entries


def _start(info: zipfile.ZipInfo, view: memoryview, where: str) -> int:
    stored = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
    if not stored or info.flag_bits & 1:
        raise ArtifactError("an entry is compressed or encrypted", where, info.filename)
    at = info.header_offset
    header = bytes(view[at : at + LOCAL_HEADER])
    if len(header) < LOCAL_HEADER or header[:4] != b"PK\3\4":
        raise ArtifactError("an entry has no header", where, info.filename)
    name, extra = struct.unpack("<HH", header[26:30])
    start: int = at + LOCAL_HEADER + name + extra
    named = bytes(view[at + LOCAL_HEADER : at + LOCAL_HEADER + name])
    if named != info.filename.encode() or start % PAGE or start + info.file_size > len(view):
        raise ArtifactError("an entry is not where it should be", where, info.filename)
    return start
