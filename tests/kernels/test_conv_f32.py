"""conv_f32, conv_deep_f32, depthwise_f32 and PyTorch in float64: random shapes, tails, splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.kernels.native import CPUS, Array, Library, assert_canary, build, compile_c, guarded
from whet.kernels.packing import pack_conv, pack_depthwise

torch = pytest.importorskip("torch")

Sample = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Shape:
    """One convolution; c and n are those of a group, pads are top, left, bottom, right."""

    b: int
    h: int
    w: int
    c: int
    n: int
    g: int
    k: tuple[int, ...]
    s: tuple[int, ...]
    d: tuple[int, ...]
    p: tuple[int, ...]
    gap: int = 0

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the result."""
        top, left, bottom, right = self.p
        return (
            (self.h + top + bottom - (self.k[0] - 1) * self.d[0] - 1) // self.s[0] + 1,
            (self.w + left + right - (self.k[1] - 1) * self.d[1] - 1) // self.s[1] + 1,
        )


def random_shape(rng: np.random.Generator, depthwise: bool) -> Shape:
    """A shape whose result is not empty."""
    while True:
        b, g = int(rng.integers(1, 3)), int(rng.choice([1, 1, 1, 2, 3]))
        c, n = (int(2 ** rng.uniform(0, 5.3)) for _ in range(2))
        if depthwise:
            g, c, n = c * 2 + int(rng.integers(2)), 1, int(rng.choice([1, 1, 1, 2, 3]))
        h, w = (int(v) for v in rng.integers(1, 20, 2))
        k, s, d = (
            tuple(int(v) for v in rng.choice(o, 2))
            for o in ([1, 2, 3, 5, 7], [1, 1, 2, 3], [1, 1, 1, 2])
        )
        pads = tuple(int(v) for v in rng.integers(0, 4, 4))
        shape = Shape(b, h, w, c, n, g, k, s, d, pads, int(rng.choice([0, 3])))
        if min(shape.out) > 0:
            return shape


def data(shape: Shape) -> Sample:
    """x (channels last, gap floats between pixels), w, bias, and the right answer after ReLU6."""
    rng = np.random.default_rng(3)
    channels = shape.g * shape.c
    x = rng.standard_normal((shape.b, shape.h, shape.w, channels + shape.gap), np.float32)
    w = rng.standard_normal((shape.g * shape.n, shape.c, *shape.k), np.float32)
    bias = rng.standard_normal(shape.g * shape.n, np.float32)
    top, left, bottom, right = shape.p
    image = torch.from_numpy(x[..., :channels].transpose(0, 3, 1, 2).copy()).double()
    image = torch.nn.functional.pad(image, (left, right, top, bottom))
    y = torch.nn.functional.conv2d(
        image,
        torch.from_numpy(w).double(),
        torch.from_numpy(bias).double(),
        shape.s,
        0,
        shape.d,
        shape.g,
    )
    return x, w, bias, y.clamp(0, 6).numpy().transpose(0, 2, 3, 1)


def function(index: int, s: Shape, tile: str, kernel: str) -> str:
    """One C function for one shape; tile is the text of the tile arguments."""
    (oh, ow), top, left = s.out, s.p[0], s.p[1]
    channels = s.c * s.g if kernel == "depthwise" else f"{s.c}"
    pixels = f"{s.h}, {s.w}, {channels}, {s.g * s.c + s.gap}, {oh}, {ow}"
    pixels = pixels if kernel == "depthwise" else f"{s.b}, {pixels}"
    pixels = pixels if kernel == "conv_deep" else f"4, {pixels}"
    taps = ", ".join(str(v) for v in (*s.k, *s.s, *s.d, top, left))
    wide = s.g * s.n + s.gap
    far = f" {index % 2}, 0, 0," if kernel == "conv" else ""
    mid = f"{wide}, {s.n}" if kernel == "depthwise" else f"{s.n}, {wide}"
    mid += f", {s.g}" if kernel == "conv" else ""
    return (
        f"void case{index}(int begin, int end, const float *x, const float *w, const float *bias,"
        " float *y) {"
        f" {kernel}_f32({pixels}, {mid}, {taps}, {tile}, begin, end, x, w, bias, y,{far} 0, relu6);"
        " }\n"
    )


def check(
    library: Library, index: int, shape: Shape, packed: Array, units: int, sample: Sample
) -> None:
    """Run one function in two parts and compare."""
    x, _, bias, want = sample
    channels = shape.g * shape.n
    pixels = shape.b * shape.out[0] * shape.out[1]
    flat, whole = guarded(pixels * (channels + shape.gap) - shape.gap)
    for begin, end in ((0, units // 3), (units // 3, units)):
        library.run(index, begin, end, x, packed, bias, flat)
    got = np.append(flat, np.full(shape.gap, 12345, np.float32)).reshape(*want.shape[:3], -1)
    np.testing.assert_allclose(got[..., :channels], want, 1e-4, 1e-4, err_msg=str(shape))
    assert (got[..., channels:] == 12345).all(), "wrote between the pixels"
    assert_canary(whole)


TILES = [(6, 4), (7, 2), (4, 3), (14, 2), (2, 1), (28, 1)]


def conv_cases() -> list[tuple[Shape, int, int, int]]:
    """Shape, MR, NV, RB."""
    rng = np.random.default_rng(4)
    named = [
        Shape(1, 32, 32, 3, 32, 1, (3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
        Shape(1, 7, 7, 300, 40, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
        Shape(1, 3, 40, 4, 17, 1, (3, 3), (1, 1), (6, 6), (6, 6, 6, 6)),
    ]
    shapes = named + [random_shape(rng, False) for _ in range(15)]
    return [(s, *TILES[rng.integers(len(TILES))], int(rng.integers(1, 5))) for s in shapes]


@pytest.mark.parametrize("cpu", CPUS)
def test_conv_matches_torch(cpu: str) -> None:
    cases = conv_cases()
    text = [function(i, s, f"{mr}, {nv}, {rb}", "conv") for i, (s, mr, nv, rb) in enumerate(cases)]
    deep = [i for i, (s, *_) in enumerate(cases) if s.g == 1][:8]
    for i in deep:
        shape, mr, nv, rb = cases[i]
        tile = f"{mr}, {nv}, {rb}, {min(shape.c // (1 + i % 3) + 1, 256)}"  # 1 to 3 chunks
        text.append(function(len(text), shape, tile, "conv_deep"))
    library = build(text, cpu)
    vl = library.lanes
    for index, (shape, _, nv, rb) in enumerate(cases):
        sample = data(shape)
        units = -(-shape.b * shape.out[0] // rb) * shape.g * -(-shape.n // (nv * vl))
        packed = pack_conv(sample[1], shape.g, vl, nv)
        check(library, index, shape, packed, units, sample)
        if index in deep:
            check(library, len(cases) + deep.index(index), shape, packed, units, sample)


def depthwise_cases() -> list[tuple[Shape, int]]:
    """Shape, TW."""
    rng = np.random.default_rng(5)
    return [(random_shape(rng, True), int(rng.choice([1, 2, 4, 7]))) for _ in range(16)]


@pytest.mark.parametrize("cpu", CPUS)
def test_depthwise_matches_torch(cpu: str) -> None:
    cases = depthwise_cases()
    library = build([function(i, s, str(tw), "depthwise") for i, (s, tw) in enumerate(cases)], cpu)
    for index, (shape, _) in enumerate(cases):
        sample = data(shape)
        units = shape.b * shape.out[0] * -(-shape.g * shape.n // library.lanes)
        check(library, index, shape, pack_depthwise(sample[1]), units, sample)


@pytest.mark.parametrize(
    ("target", "cpu"),
    [
        ("aarch64-linux-gnu", "cortex_a76"),
        ("arm-linux-gnueabihf", "cortex_a7"),
        ("riscv64-linux-gnu", "baseline_rv64+v"),
        ("wasm32-freestanding", "generic+simd128"),
        ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
    ],
)
def test_kernels_compile_for_other_machines(target: str, cpu: str) -> None:
    shape = Shape(1, 8, 8, 5, 11, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    text = function(0, shape, "4, 2, 2", "conv") + function(
        1, Shape(1, 8, 8, 1, 1, 9, *shape_tail()), "2", "depthwise"
    )
    assert compile_c(text, cpu, "-target", target, "-c").stat().st_size > 0


def shape_tail() -> tuple[tuple[int, ...], ...]:
    """Taps, stride, dilation and pads of a plain 3x3."""
    return (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)
