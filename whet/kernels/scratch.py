"""Scratch memory: its parts begin on cache lines."""

from __future__ import annotations

LINE = 64


def whole_lines(size: int) -> int:
    """Bytes of the cache lines that `size` bytes take."""
    return -(-size // LINE) * LINE
