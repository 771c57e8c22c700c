"""Times the f32 kernels on every distinct convolution of MobileNetV2 and ResNet-50, one thread.

    python -m bench.kernels_f32 [mobilenet_v2] [resnet50] [--tune] [--no-winograd]

For each shape: time, GFLOP/s and the share of the peak measured here with a loop of multiply-adds,
for the default tile and, with --tune, for the best of all tiles. Then the sum over the network.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from whet.kernels.tiling import (
    Tile,
    tile_depthwise_f32,
    tile_f32,
    tile_winograd_f32,
    tiles_f32,
    winograd_outputs,
)
from whet.targets.host import host

INCLUDE = Path(__file__).parents[1] / "whet/kernels/include"
TARGET = host()
COMPILE = "-O3 -shared -fPIC -ffreestanding -nostdlib -fno-sanitize=all"
FAR = 12 << 20  # bytes of weights that no near cache holds
SCRATCH = 1 << 20  # floats
KERNELS = ("gemm", "conv", "depthwise", "winograd")
PEAK = """
long peak(long n) {
    vf a[12] = {0}, x = vset(1e-9f), y = vset(0.5f);
    for (long i = 0; i < n; i++) {
        UNROLL(j, 12) { a[j] = vfma(x, y, a[j]); __asm__ volatile("" : "+v"(a[j])); }
    }
    float s = 0;
    UNROLL(j, 12) s += vsum(a[j]);
    return n * 12 * VL * 2 + (long)s;
}
"""


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution of a square image: its size, channels in and out, taps, stride."""

    size: int
    c: int
    n: int
    k: int = 1
    s: int = 1
    depthwise: bool = False
    winograd: int = 0

    @property
    def out(self) -> int:
        return -(-self.size // self.s)

    @property
    def flops(self) -> int:
        return 2 * self.out**2 * self.k**2 * self.n * (1 if self.depthwise else self.c)

    @property
    def floats(self) -> tuple[int, int, int]:
        """Floats of x, w (padded generously), y."""
        n = -(-self.n // 16) * 16
        taps = (self.winograd + 2) ** 2 if self.winograd else self.k**2
        rows = taps if self.depthwise else taps * self.c
        return self.size**2 * self.c, rows * n, self.out**2 * self.n


def mobilenet_v2() -> Iterator[Conv]:
    """The convolutions and the classifier in order, for 224 x 224 pixels."""
    yield Conv(224, 3, 32, 3, 2)
    size, c = 112, 32
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    rows += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expand, n, repeats, stride in rows:
        for i in range(repeats):
            s, wide = stride if i == 0 else 1, c * expand
            if expand > 1:
                yield Conv(size, c, wide)
            yield Conv(size, wide, wide, 3, s, True)
            size = -(-size // s)
            yield Conv(size, wide, n)
            c = n
    yield Conv(size, c, 1280)
    yield Conv(1, 1280, 1000)


def resnet50() -> Iterator[Conv]:
    """The convolutions and the classifier in order, strides in the 3 x 3, for 224 x 224 pixels."""
    yield Conv(224, 3, 64, 7, 2)
    size, c = 56, 64
    for width, repeats, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(repeats):
            s = stride if i == 0 else 1
            yield Conv(size, c, width)
            yield Conv(size, width, width, 3, s)
            yield Conv(size // s, width, 4 * width)
            if i == 0:
                yield Conv(size, c, 4 * width, 1, s)
            size, c = size // s, 4 * width
    yield Conv(1, 2048, 1000)


NETWORKS = {"mobilenet_v2": mobilenet_v2, "resnet50": resnet50}


def with_winograd(v: Conv) -> Conv:
    """The same convolution by winograd_f32 where that is likely faster."""
    if v.k != 3 or v.s != 1 or v.depthwise:
        return v
    return replace(v, winograd=winograd_outputs(v.out, v.out, v.c, v.n, TARGET))


def default_tile(v: Conv) -> Tile:
    """The tile that a compiler without measurements would take."""
    if v.depthwise:
        return Tile(tile_depthwise_f32(v.out), 1, 1)
    if v.k == v.s == 1:
        return tile_f32(v.size**2, v.n, v.c, TARGET)
    if v.winograd:
        return tile_winograd_f32(v.winograd, v.out, v.out, v.c, v.n, TARGET)
    row = min(v.s, v.k) * v.size * v.c
    return tile_f32(v.out, v.n, v.k**2 * v.c, TARGET, stride=v.s * v.c, rows=v.out, row=row)


def tiles(v: Conv) -> Iterator[Tile]:
    """The choices worth measuring."""
    if v.depthwise:
        yield from (Tile(t, 1, 1) for t in (2, 4, 7, 8, 14) if t <= v.out)
        return
    if v.winograd:
        return
    m = v.size**2 if v.k == v.s == 1 else v.out
    for mr, nv in tiles_f32(TARGET.registers):
        if (mr * nv < 20 and mr < m) or nv * TARGET.lanes > v.n + 15 or mr > m:
            continue
        if v.k == v.s == 1:
            yield from (Tile(mr, nv, min(-(-m // mr), b) * mr) for b in {4, 16, 64})
        else:
            yield from (Tile(mr, nv, b) for b in {1, min(4, v.out), v.out})


def call(v: Conv, t: Tile) -> str:
    """The kernel call of one convolution with one tile."""
    pad = (v.k - 1) // 2
    if v.depthwise:
        shape = f"{v.size}, {v.size}, {v.c}, {v.c}, {v.out}, {v.out}, {v.c}, 1"
        taps = f"{v.k}, {v.k}, {v.s}, {v.s}, 1, 1, {pad}, {pad}"
        return f"depthwise_f32({shape}, {taps}, {t.rows}, 0, {v.out}, x, w, b, y, 0, relu6)"
    panels = -(-v.n // (t.vectors * TARGET.lanes))
    if v.k == v.s == 1:
        units = -(-(v.size**2) // t.block) * panels
        shape = f"{v.size**2}, {v.n}, {v.c}, {v.c}, 0, {v.n}"
        return (
            f"gemm_f32({shape}, {t.rows}, {t.vectors}, {t.block}, 0, {units}, x, w, b, y, 0, relu6)"
        )
    if v.winograd:
        shape = f"1, {v.winograd}, {v.size}, {v.size}, {v.c}, {v.c}, {v.out}, {v.out}, {v.n}, {v.n}"
        taps = f"{pad}, {pad}, {t.block}, {t.rows}, {t.vectors}"
        return f"winograd_f32({shape}, {taps}, x, w, b, y, s, 0, relu6, 0, 1, 0, 0)"
    units = -(-v.out // t.block) * panels
    shape = f"1, {v.size}, {v.size}, {v.c}, {v.c}, {v.out}, {v.out}, {v.n}, {v.n}, 1"
    taps = f"{v.k}, {v.k}, {v.s}, {v.s}, 1, 1, {pad}, {pad}, {t.rows}, {t.vectors}, {t.block}"
    return f"conv_f32({shape}, {taps}, 0, {units}, x, w, b, y, 0, relu6)"


def build(calls: list[str]) -> ctypes.CDLL:
    """One library with functions f0, f1, ... and the peak loop."""
    head = "".join(f'#include "{n}_f32.h"\n' for n in KERNELS) + PEAK
    head += "INLINE vf relu6(const void *const *e, vf v, long row, int channel, int n)"
    head += " { return vmin(vset(6.f), vmax(vset(0.f), v)); }\n"
    arguments = "const float *x, const float *w, const float *b, float *y, float *s"
    body = "".join(f"void f{i}({arguments}) {{ {c}; }}\n" for i, c in enumerate(calls))
    folder = Path(tempfile.mkdtemp())
    (folder / "k.c").write_text(head + body)
    machine = [f"-mcpu={TARGET.cpu}", *TARGET.flags]
    command = [sys.executable, "-m", "ziglang", "cc", *COMPILE.split(), *machine, f"-I{INCLUDE}"]
    subprocess.run([*command, str(folder / "k.c"), "-o", str(folder / "k.so")], check=True)
    return ctypes.CDLL(str(folder / "k.so"))


def buffer(floats: int) -> tuple[np.ndarray, ctypes.c_void_p]:
    """Random floats at a multiple of 64 bytes."""
    raw = np.random.default_rng(0).standard_normal(floats + 16).astype(np.float32)
    skip = -raw.ctypes.data % 64 // 4
    return raw, ctypes.c_void_p(raw.ctypes.data + 4 * skip)


def fastest(
    function: Callable[..., object], arguments: tuple[ctypes.c_void_p, ...], budget: float
) -> float:
    """Seconds of the fastest call within `budget` seconds, at least 5 calls."""
    best, start, calls = 1e9, time.perf_counter(), 0
    while calls < 5 or time.perf_counter() - start < budget:
        before = time.perf_counter()
        function(*arguments)
        best = min(best, time.perf_counter() - before)
        calls += 1
    return best


def peak() -> float:
    """FLOP/s of a loop of multiply-adds in registers."""
    library = build([])
    library.peak.restype = ctypes.c_long
    best = 0.0
    for _ in range(10):
        before = time.perf_counter()
        flops = library.peak(ctypes.c_long(2_000_000))
        best = max(best, flops / (time.perf_counter() - before))
    return best


def network(layers: list[Conv], choice: dict[Conv, Tile]) -> float:
    """Seconds of one pass over all layers, each with weights of its own."""
    library = build([call(v, choice[v]) for v in layers])
    weights = [buffer(v.floats[1]) for v in layers]
    size = max(max(v.floats[0], v.floats[2]) for v in layers)
    ping, pong, bias, scratch = (buffer(f) for f in (size, size, 4096, SCRATCH))
    steps = []
    for i in range(len(layers)):
        x, y = (ping, pong) if i % 2 else (pong, ping)
        steps.append((library[f"f{i}"], (x[1], weights[i][1], bias[1], y[1], scratch[1])))
    best = 1e9
    for _ in range(40):
        before = time.perf_counter()
        for function, arguments in steps:
            function(*arguments)
        best = min(best, time.perf_counter() - before)
    return best


def report(name: str, tune: bool, winograd: bool, top: float) -> None:
    """Print the table of one network."""
    layers = [with_winograd(v) if winograd else v for v in NETWORKS[name]()]
    distinct = dict.fromkeys(layers)
    inputs, weights = (max(v.floats[i] for v in layers) for i in (0, 1))
    x, w, b, y, scratch = (buffer(f) for f in (inputs, weights, 4096, 1 << 21, SCRATCH))
    chosen, total, ideal = {}, 0.0, 0.0
    print(
        f"{name}: input c -> n  taps stride count | default tile  us  % of peak | best tile  us  %"
    )
    for v in distinct:
        options = [default_tile(v), *(tiles(v) if tune else ())]
        library = build([call(v, t) for t in options])
        times = []
        for i in range(len(options)):
            arguments = (x[1], w[1], b[1], y[1], scratch[1])
            times.append(fastest(library[f"f{i}"], arguments, 0.05 if i == 0 else 0.008))
        best = min(range(len(options)), key=times.__getitem__)
        chosen[v], count = options[best], layers.count(v)
        total, ideal = total + times[0] * count, ideal + v.flops * count / top
        kind = " dw" if v.depthwise else f" F{v.winograd}" * bool(v.winograd)
        line = f"{v.size:4d} {v.c:5d} -> {v.n:5d} {v.k} {v.s} x{count}{kind}"
        line = f"{line:32s}"
        for i in (0, best) if tune else (0,):
            t = options[i]
            share = v.flops / times[i] / top
            line += f" | {t.rows:2d}x{t.vectors} {t.block:5d} {times[i] * 1e6:8.1f} {share:5.0%}"
        print(line, flush=True)
    print(f"sum of defaults {total * 1e3:.2f} ms, at peak {ideal * 1e3:.2f} ms", end="; ")
    print(f"in sequence {network(layers, chosen) * 1e3:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--no-winograd", action="store_true", help="3 x 3 by conv_f32 only")
    parser.add_argument("--tune", action="store_true", help="measure every tile")
    options = parser.parse_args()
    top = peak()
    print(f"peak {top * 1e-9:.1f} GFLOP/s")
    for name in options.networks:
        report(name, options.tune, not options.no_winograd, top)


if __name__ == "__main__":
    main()
