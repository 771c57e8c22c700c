"""The thread pool of a session: OS threads that live inside `pool.c` between runs."""

from __future__ import annotations

import ctypes
import threading
import weakref
from functools import cache, partial
from pathlib import Path

from whet.compile.build import shared_library
from whet.session.library import aligned, load_library
from whet.targets.host import host


@cache
def _library() -> ctypes.CDLL:
    source = Path(__file__).with_name("pool.c").read_text()
    baseline = host("x86-64")  # computes nothing, so the sizes of caches need not be read
    return load_library(shared_library((source,), baseline))


class Pool:
    """`threads` threads, the caller's included, that run the parts of a model together."""

    def __init__(self, threads: int) -> None:
        library = _library()
        self.memory = aligned(library.pool_bytes())
        address = ctypes.c_void_p(self.memory.ctypes.data)
        self._run = partial(library.pool_run, address)
        library.pool_start(address, threads)
        arguments = [(library, self.memory, part) for part in range(1, threads)]
        self.workers = [threading.Thread(target=_work, args=a, daemon=True) for a in arguments]
        for worker in self.workers:
            worker.start()
        weakref.finalize(self, library.pool_stop, address)

    def run(self, function: ctypes.c_void_p, *arguments: object) -> int:
        """Run all parts of `function` and return its status."""
        return int(self._run(function, *arguments))


def _work(library: ctypes.CDLL, memory: object, part: int) -> None:
    library.pool_work(ctypes.c_void_p(memory.ctypes.data), part)  # type: ignore[attr-defined]
