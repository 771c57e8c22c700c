"""The thread pool of a session: OS threads that live inside `pool.c` between runs.

It is built into the code of every model that threads can share: a machine that runs an artifact
needs no compiler, and pool and model are always of one making.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from functools import partial
from pathlib import Path

from whet.ir.node import Array
from whet.session.library import Library, aligned


def pool_c() -> str:
    """The C file that the code of a shared model is built with."""
    return Path(__file__).with_name("pool.c").read_text()


class Pool:
    """`threads` threads, the caller's included, that run the parts of a model together.

    library: the model's, which each worker holds until it has left it.
    """

    def __init__(self, library: Library, threads: int) -> None:
        self.memory = aligned(library["pool_bytes"]())
        address = ctypes.c_void_p(self.memory.ctypes.data)
        # Called as it is, with a function and its arguments: runs all parts, gives the status.
        self.run = partial(library["pool_run"], address)
        library["pool_start"](address, threads)
        arguments = [(library, self.memory, part) for part in range(1, threads)]
        self.workers = [threading.Thread(target=_work, args=a, daemon=True) for a in arguments]
        for worker in self.workers:
            worker.start()
        library["pool_meet"](address)
        weakref.finalize(self, _stop, library, address)


def _stop(library: Library, address: ctypes.c_void_p) -> None:
    # The library is held until the call is back: workers leave it while this wakes others.
    library["pool_stop"](address)


def _work(library: Library, memory: Array, part: int) -> None:
    library["pool_work"](ctypes.c_void_p(memory.ctypes.data), part)
