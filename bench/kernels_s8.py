"""Times the int8 kernels on every distinct convolution of MobileNetV2 and ResNet-50, one thread.

    python -m bench.kernels_s8 [mobilenet_v2] [resnet50] [--tune] [--rounding double]

For each shape: time, GOP/s and the share of the peak measured here with a loop of 8-bit dot
products, for the default tile and, with --tune, for the best of all tiles. Then the network's sum.
Depthwise shares are of the same peak: a quad there holds three taps, and its fourth product is 0.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.kernels_f32 import COMPILE, INCLUDE, NETWORKS, Conv
from whet.kernels.tiling_s8 import (
    depthwise_tile_s8,
    depthwise_tiles_s8,
    tile_s8,
    tiles_s8,
    wide_channels,
)

LANES, REGISTERS = 16, 32
Choice = tuple[int, ...]
"""(MR, NV, MC or RB) of a contraction, (TH, TW) of a depthwise convolution."""
PEAK = """
long peak(long n) {
    vi a[12] = {0};
    s8 bytes[4 * VL] = {0};
    const s8 *rows[4] = {bytes, bytes, bytes, bytes};
    vq x = quad_interleave(rows, VL);
    vw y = quad_load(bytes);
    for (long i = 0; i < n; i++) {
        UNROLL(j, 12) { a[j] = dot4(a[j], x, y); __asm__ volatile("" : "+v"(a[j])); }
    }
    int s = 0;
    UNROLL(j, 12) UNROLL(l, VL) s += a[j][l];
    return n * 12 * VL * 8 + s;
}
"""


def default_choice(v: Conv) -> Choice:
    """The tile that a compiler without measurements would take."""
    if v.depthwise:
        return depthwise_tile_s8((v.out,) * 2, (v.k,) * 2, (v.s,) * 2, 1, REGISTERS)
    if v.k == v.s == 1:
        t = tile_s8(v.size**2, v.n, v.c, LANES, REGISTERS)
    else:
        t = tile_s8(v.out, v.n, v.k**2 * v.c, LANES, REGISTERS, rows=v.out)
    return (t.rows, t.vectors, t.block)


def choices(v: Conv) -> Iterator[Choice]:
    """The choices worth measuring."""
    if v.depthwise:
        yield from depthwise_tiles_s8((v.out,) * 2, (v.k,) * 2, (v.s,) * 2, 1, REGISTERS)
        return
    m = v.size**2 if v.k == v.s == 1 else v.out
    for mr, nv in tiles_s8(REGISTERS):
        if (mr * nv < 16 and mr < m) or nv * LANES > v.n + 15 or mr > m:
            continue
        if v.k == v.s == 1:
            yield from ((mr, nv, min(-(-m // mr), b) * mr) for b in (8, 32, 1 << 20))
        else:
            yield from ((mr, nv, min(b, v.out)) for b in (2, 7, 28))


def call(v: Conv, t: Choice, rounding: str) -> str:
    """The kernel call of one convolution with one choice."""
    pad = (v.k - 1) // 2
    taps = f"{v.k}, {v.k}, {v.s}, {v.s}, 1, 1, {pad}, {pad}"
    out = 2 if rounding == "linear_free" else 1
    tail = f"extra, {rounding}_s8"
    if v.depthwise:
        shape = f"1, {v.size}, {v.size}, {v.c}, {v.c}, {v.out}, {v.out}, {v.c}, 1"
        units, wide = -(-v.out // t[0]), wide_channels(v.c, (v.k,) * 2, (v.s,) * 2, 1, LANES)
        return (
            f"depthwise_s8({shape}, {taps}, {t[0]}, {t[1]}, {wide}, 1, 3, {out}, -128, 127, 0,"
            f" {units}, x, w, b, y, {tail})"
        )
    mr, nv, block = t
    panels = -(-v.n // (nv * LANES))
    if v.k == v.s == 1:
        m = v.size**2
        return (
            f"gemm_s8({m}, {v.n}, {v.c}, {v.c}, {v.n}, {mr}, {nv}, {block}, 0, 1, {out}, -128,"
            f" 127, 0, {-(-m // block) * panels}, x, w, b, y, scratch, {tail})"
        )
    shape = f"1, {v.size}, {v.size}, {v.c}, {v.c}, {v.out}, {v.out}, {v.n}, {v.n}, 1"
    return (
        f"conv_s8({shape}, {taps}, {mr}, {nv}, {block}, 3, 0, {out}, -128, 127, 0,"
        f" {-(-v.out // block) * panels}, x, w, b, y, scratch, {tail})"
    )


def build(calls: list[str]) -> ctypes.CDLL:
    """One library with functions f0, f1, ... that repeat their call, and the peak loop."""
    head = "".join(f'#include "{n}_s8.h"\n' for n in ("gemm", "conv", "depthwise")) + PEAK
    arguments = "long n, const s8 *x, const s8 *w, const int *b, s8 *y, s8 *scratch"
    constants = "const void *const extra[] = {b, b, b, b};"
    body = "".join(
        f'void f{i}({arguments}) {{ {constants} while (n--) {{ {c}; __asm__ volatile(""'
        ' ::: "memory"); } }\n'
        for i, c in enumerate(calls)
    )
    folder = Path(tempfile.mkdtemp())
    (folder / "k.c").write_text(head + body)
    command = [sys.executable, "-m", "ziglang", "cc", *COMPILE.split(), f"-I{INCLUDE}"]
    subprocess.run([*command, str(folder / "k.c"), "-o", str(folder / "k.so")], check=True)
    return ctypes.CDLL(str(folder / "k.so"))


class Buffer:
    """Random bytes at a multiple of 64, held alive."""

    def __init__(self, size: int) -> None:
        self.raw = np.random.default_rng(0).integers(1, 20, size + 64, np.int8)
        self.pointer = ctypes.c_void_p(self.raw.ctypes.data + -self.raw.ctypes.data % 64)


def buffers(layers: list[Conv]) -> tuple[Buffer, ...]:
    """x, w, b, y, scratch for the largest of the layers."""
    planes = max(max(v.floats[0], v.floats[2]) for v in layers)
    weights = max(weight_bytes(v) for v in layers)
    return tuple(Buffer(s) for s in (planes, weights, 1 << 14, planes, 1 << 22))


def weight_bytes(v: Conv) -> int:
    """Room for the packed weights of any choice."""
    return v.floats[1] * 2 if not v.depthwise else 64 * v.k * 16 * (v.c + 16)


def seconds(library: ctypes.CDLL, i: int, with_: tuple[Buffer, ...], budget: float) -> float:
    """Seconds of the fastest call of f<i> within `budget` seconds."""
    pointers = [b.pointer for b in with_]
    function, repeat = library[f"f{i}"], 1
    best, start = 1e9, time.perf_counter()
    while time.perf_counter() - start < budget:
        before = time.perf_counter()
        function(ctypes.c_long(repeat), *pointers)
        taken = time.perf_counter() - before
        best = min(best, taken / repeat)
        if taken < 2e-4:
            repeat *= 2
    return best


def peak() -> float:
    """Operations a second of a loop of dot products in registers."""
    library = build([])
    library.peak.restype = ctypes.c_long
    best = 0.0
    for _ in range(20):
        before = time.perf_counter()
        operations = library.peak(ctypes.c_long(200_000))
        best = max(best, operations / (time.perf_counter() - before))
    return best


def network(layers: list[Conv], chosen: dict[Conv, Choice], rounding: str) -> float:
    """Seconds of one pass over all layers, each with weights of its own."""
    library = build([call(v, chosen[v], rounding) for v in layers])
    x, _, b, y, scratch = buffers(layers)
    steps = []
    for i, v in enumerate(layers):
        ends = (x, y) if i % 2 else (y, x)
        operands = (ends[0], Buffer(weight_bytes(v)), b, ends[1], scratch)
        steps.append((library[f"f{i}"], [o.pointer for o in operands], operands))
    best = 1e9
    for _ in range(40):
        before = time.perf_counter()
        for function, pointers, _ in steps:
            function(ctypes.c_long(1), *pointers)
        best = min(best, time.perf_counter() - before)
    return best


def report(name: str, tune: bool, top: float, rounding: str) -> None:
    """Print the table of one network."""
    layers = list(NETWORKS[name]())
    distinct = dict.fromkeys(layers)
    with_ = buffers(layers)
    chosen: dict[Conv, Choice] = {}
    total = tuned = ideal = 0.0
    print(f"{name}: size c -> n taps stride count | default tile us GOP/s % | best tile us GOP/s %")
    for v in distinct:
        options = [default_choice(v), *(choices(v) if tune else ())]
        library = build([call(v, t, rounding) for t in options])
        times = [seconds(library, i, with_, 0.02 if i else 0.05) for i in range(len(options))]
        best, count = min(range(len(options)), key=times.__getitem__), layers.count(v)
        chosen[v] = options[best]
        total, tuned = total + times[0] * count, tuned + times[best] * count
        ideal += v.flops * count / top
        kind = " dw" if v.depthwise else ""
        line = f"{v.size:4d} {v.c:5d} -> {v.n:5d} {v.k} {v.s} x{count}{kind}"
        line = f"{line:32s}"
        for i in (0, best) if tune else (0,):
            rate = v.flops / times[i]
            tile = "x".join(map(str, options[i]))
            line += f" | {tile:10s} {times[i] * 1e6:8.1f} {rate * 1e-9:6.0f} {rate / top:4.0%}"
        print(line, flush=True)
    best_sum = f"of best {tuned * 1e3:.3f} ms, " if tune else ""
    print(f"sum of defaults {total * 1e3:.3f} ms, {best_sum}at peak {ideal * 1e3:.3f} ms", end="; ")
    print(f"in sequence {network(layers, chosen, rounding) * 1e3:.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--tune", action="store_true", help="measure every tile")
    parser.add_argument(
        "--rounding", default="linear_free", choices=["linear_free", "single", "double"]
    )
    options = parser.parse_args()
    top = peak()
    print(f"peak {top * 1e-9:.1f} GOP/s")
    for name in options.networks:
        report(name, options.tune, top, options.rounding)


if __name__ == "__main__":
    main()
