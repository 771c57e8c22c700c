"""Bounds on what an input file may ask for, and the one way files are opened.

An input is data from outside: it may be truncated, enormous or hostile. Every reader asks here
before it allocates.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from whet.errors import InputError

MAX_FILE_BYTES = 256 << 20
MAX_TEXT_BYTES = 64 << 20
MAX_CONFIG_BYTES = 1 << 20
MAX_LABEL_BYTES = 8 << 20
MAX_LABELS = 1 << 18
MAX_PIXELS = 1 << 26
MAX_SIDE = 1 << 16
MAX_SAMPLES = 1 << 27
MAX_RATE = 1 << 20
MAX_ELEMENTS = 1 << 28
MAX_RANK = 16
MAX_ARCHIVE_MEMBERS = 1024


def read_file(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; InputError otherwise."""
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise InputError("cannot read the input", str(path), "it is not a regular file")
            data = file.read(limit + 1) if info.st_size <= limit else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError("cannot read the input", str(path), reason) from None
    if data is None or len(data) > limit:
        raise InputError("the file is too large", str(path), f"the limit is {limit:,} bytes")
    return data


def _open_nonblocking(path: str, flags: int) -> int:
    # A FIFO given as a path would block in open() for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the near match when there is one, else everything known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"'{close[0]}'" if close else "one of " + ", ".join(names)
