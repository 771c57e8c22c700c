"""This machine's roofline, measured: clock, arithmetic peaks, bandwidth of each memory level.

Source of the model: Williams, Waterman, Patterson, "Roofline", CACM 2009. Times are the best of
several repeats, because everything else on a machine only ever adds time.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from whet.compiler.build import cache_folder, shared_library
from whet.errors import CompileError
from whet.targets.host import host
from whet.targets.processor import cache_bytes, cpu_name

REPEATS = 20
# Short enough to fit between two interruptions by other processes; longer where threads start
# apart by a share of it.
SLICE_SECONDS = 1e-3
TEAM_SLICE_SECONDS = 5e-3
MAX_WORKING_SET = 512 << 20
_SET_GRAIN = 8 * 64

Progress = Callable[[str], None]
Loop = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of memory: the working set that was used, and GB/s of reading and of copying.

    Copying counts both the bytes read and the bytes written.
    """

    name: str
    bytes: int
    read_gb_s: float
    copy_gb_s: float


@dataclass(frozen=True, slots=True)
class Roofline:
    """What `threads` cores of this machine reach together, with the instructions of one build.

    int8_gop_s: exact ones, a dot product of 8-bit numbers or, without it, of 16-bit pairs.
    """

    cpu: str
    threads: int
    clock_ghz: float
    f32_gflop_s: float
    int8_gop_s: float
    levels: tuple[Level, ...]

    def peak_gop_s(self, integer: bool) -> float:
        """The most operations, 10^9 a second, of a model of integer codes, or of floats."""
        return self.int8_gop_s if integer else self.f32_gflop_s


def roofline(threads: int = 1, cpu: str = "native") -> Roofline:
    """This machine's roofline, from the last `measure` with as many threads, else measured now.

    cpu: as `host` takes it.
    """
    path = _record(threads, cpu)
    try:
        kept: dict[str, object] = json.loads(path.read_text())
        return _from_json(kept)
    except (OSError, ValueError, KeyError, TypeError):
        return measure(threads, cpu=cpu)


def measure(threads: int = 1, progress: Progress = lambda _: None, cpu: str = "native") -> Roofline:
    """Measure now, on `threads` threads together, and remember the result.

    progress is told each part before it starts. cpu: as `host` takes it. Takes about a second, and
    up to a gigabyte.

    Raises:
        CompileError: the loops could not be built for this machine, or it cannot run that level.
    """
    team = _Team(_library(cpu), threads)
    progress("clock")
    clock = team.rate("clock_ticks", 1.0) / threads
    progress("float peak")
    f32 = team.rate("f32_peak", float(team.library.f32_ops()))
    progress("integer peak")
    int8 = team.rate("dot_peak", float(team.library.dot_ops()))
    levels: list[Level] = []
    for name, size in _working_sets(threads):
        progress(f"{name} bandwidth")
        levels.append(Level(name, size, team.read_rate(size), team.copy_rate(size)))
    result = Roofline(cpu_name(), threads, clock, f32, int8, tuple(levels))
    _remember(_record(threads, cpu), result)
    return result


def _working_sets(threads: int) -> list[tuple[str, int]]:
    """(name, bytes for each thread): half of each cache, and four times the last in memory."""
    caches = cache_bytes()
    sets = [(f"L{level}", size // 2) for level, size in enumerate(caches, 1)]
    if len(caches) > 2:
        sets[-1] = (sets[-1][0], max(caches[-1] // 2 // threads, caches[-2]))
    memory = min(max(4 * caches[-1], 64 << 20), MAX_WORKING_SET) // threads
    sets.append(("memory", memory))
    return [(name, size // _SET_GRAIN * _SET_GRAIN) for name, size in sets]


@cache
def _source() -> str:
    return (files("whet.devices") / "roofline.c").read_text(encoding="utf-8")


@cache
def _library(cpu: str) -> ctypes.CDLL:
    machine = host(cpu)
    flags = (*machine.flags, "-ffp-contract=fast")
    code = shared_library((_source(),), replace(machine, flags=flags))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roofline.so"
        path.write_bytes(code)
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise CompileError("cannot load the measuring loops", why=str(error)) from None
    whole, pointer = ctypes.c_longlong, ctypes.c_void_p
    for name in ("f32_peak", "dot_peak", "clock_ticks"):
        getattr(library, name).argtypes = [whole]
    library.f32_peak.restype = ctypes.c_float
    library.clock_ticks.restype = whole
    library.read_bytes.argtypes = [pointer, whole, whole]
    library.copy_bytes.argtypes = [pointer, pointer, whole, whole]
    return library


class _Team:
    """Threads that run one loop at the same time; C calls release the interpreter's lock."""

    def __init__(self, library: ctypes.CDLL, threads: int) -> None:
        self.library = library
        self.threads = threads

    def rate(self, name: str, work: float) -> float:
        """Giga-units a second of a loop over registers that does `work` units a round."""
        function = getattr(self.library, name)
        return self._best([lambda rounds: function(rounds)] * self.threads, work)

    def read_rate(self, size: int) -> float:
        """GB/s of reading `size` bytes a thread again and again."""
        read = self.library.read_bytes
        blocks = [_aligned(size) for _ in range(self.threads)]

        def loop(at: int) -> Loop:
            return lambda rounds: read(at, size, rounds)

        return self._best([loop(at) for _, at in blocks], float(size))

    def copy_rate(self, size: int) -> float:
        """GB/s read and written while copying half of `size` bytes a thread to the other half."""
        copy, half = self.library.copy_bytes, size // 2 // _SET_GRAIN * _SET_GRAIN
        blocks = [_aligned(size) for _ in range(self.threads)]

        def loop(at: int) -> Loop:
            return lambda rounds: copy(at + half, at, half, rounds)

        return self._best([loop(at) for _, at in blocks], 2.0 * half)

    def _best(self, loops: list[Loop], work: float) -> float:
        rounds, goal = 1, SLICE_SECONDS if self.threads == 1 else TEAM_SLICE_SECONDS
        while (seconds := self._together(loops, rounds)) < goal and rounds < 1 << 40:
            rounds = max(2 * rounds, int(rounds * goal / max(seconds, 1e-7) * 1.2))
        best = min(self._together(loops, rounds) for _ in range(REPEATS))
        return len(loops) * work * rounds / best / 1e9

    def _together(self, loops: list[Loop], rounds: int) -> float:
        """Seconds from the moment all threads are ready until the last is done."""
        if len(loops) == 1:
            start = time.perf_counter()
            loops[0](rounds)
            return time.perf_counter() - start
        spans: list[tuple[float, float]] = []
        gate = threading.Barrier(len(loops))

        def work(loop: Loop) -> None:
            gate.wait()
            begin = time.perf_counter()
            loop(rounds)
            spans.append((begin, time.perf_counter()))

        crew = [threading.Thread(target=work, args=(loop,)) for loop in loops]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
        return max(end for _, end in spans) - min(begin for begin, _ in spans)


def _aligned(size: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint8]], int]:
    """Touched memory of `size` bytes whose address is a multiple of 64; the owner, the address."""
    owner = np.ones(size + 64, np.uint8)
    return owner, owner.ctypes.data + -owner.ctypes.data % 64


def _record(threads: int, cpu: str) -> Path:
    key = hashlib.blake2b(f"{cpu_name()}\0{host(cpu)}\0{_source()}".encode(), digest_size=8)
    return cache_folder() / "roofline" / f"{key.hexdigest()}-{threads}.json"


def _remember(path: Path, result: Roofline) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(asdict(result), file)
        os.replace(file.name, path)
    except OSError:
        return


def _from_json(kept: dict[str, object]) -> Roofline:
    listed = kept.pop("levels")
    if not isinstance(listed, list):
        raise TypeError("levels")
    build: Callable[..., Roofline] = Roofline
    return build(**kept, levels=tuple(Level(**level) for level in listed))
