"""This machine, or an x86-64 level of it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from os import cpu_count
from pathlib import Path
from platform import machine, processor

from whet.errors import CompileError
from whet.targets.target import Target

# The most threads of a run; two work on one core as well, only no faster.
THREADS = min(max(cpu_count() or 1, 2), 16)
# Without it clang splits vectors of 16 floats in two for some CPUs, but where it sees an intrinsic.
WIDE = ("-mprefer-vector-width=512",)
X86_LEVELS = {
    "x86-64-v4": Target(
        "host",
        "x86_64-linux-gnu.2.17",
        "x86_64_v4+avx512vnni",
        16,
        32,
        dot8_shift=128,
        fused=True,
        flags=WIDE,
    ),
    "x86-64-v3": Target(
        "host", "x86_64-linux-gnu.2.17", "x86_64_v3", 8, 16, dot8_pairs=True, fused=True
    ),
    "x86-64": Target("host", "x86_64-linux-gnu.2.17", "x86_64", 4, 16),
}
AARCH64 = Target("host", "aarch64-linux-gnu.2.17", "native", 4, 32, fused=True)


# Vendors whose cores start a vdpbf16ps as often as a multiply-add of a vector as wide. Intel's
# without AMX start one in two cycles, and two multiply-adds in each.
PAIRS = ("AuthenticAMD",)
GUESSED_CACHES = (32 << 10, 1 << 20)


def cpu_name() -> str:
    """The processor's name as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else processor() or machine()


def cpu_vendor() -> str:
    """The processor's vendor as Linux reports it for x86; empty where it reports none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((v.split(":", 1)[1].strip() for v in lines if v.startswith("vendor_id")), "")


def cpu_model() -> str:
    """The processor's name and, where the system tells them, its family, model and stepping."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    parts = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in reversed(lines) if ": " in line)
    kinds = [
        f"{name} {parts[name]}" for name in ("cpu family", "model", "stepping") if name in parts
    ]
    return ", ".join([cpu_name(), *kinds])


def cache_bytes() -> tuple[int, ...]:
    """Sizes of the first core's data caches, first level first; a guess where unknown."""
    sizes: dict[int, int] = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind = (index / "type").read_text().strip()
            level, size = int((index / "level").read_text()), (index / "size").read_text().strip()
        except (OSError, ValueError):
            continue
        if kind in ("Data", "Unified") and size.endswith("K"):
            sizes[level] = int(size[:-1]) << 10
    return tuple(sizes[level] for level in sorted(sizes)) or GUESSED_CACHES


def _halves() -> bool:
    """Whether this is Zen 4, which runs an operation on 64 bytes as two."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "AuthenticAMD" in text and "cpu family\t: 25\n" in text and "avx512f" in cpu_flags()


@cache
def cpu_flags() -> frozenset[str]:
    """The instruction-set flags Linux reports; empty where it reports none."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return frozenset(lines[0].split(":", 1)[1].split()) if lines else frozenset()


def host(cpu: str = "native") -> Target:
    """The target for this machine.

    cpu: `native`, `x86-64-v4`, `x86-64-v3` or `x86-64`.

    Raises:
        CompileError: the name is unknown, or this machine cannot run that level.
    """
    if machine() in ("aarch64", "arm64"):
        return replace(AARCH64, threads=THREADS)
    flags = cpu_flags()
    best = "x86-64-v4" if "avx512bw" in flags else "x86-64-v3" if "avx2" in flags else "x86-64"
    if cpu == "native":
        vnni = (best == "x86-64-v4" and "avx512_vnni" in flags) or "avx_vnni" in flags
        shift, pairs = 128 if vnni else 0, not vnni and best != "x86-64"
        l1, l2 = (*cache_bytes(), *GUESSED_CACHES[1:])[:2]
        return replace(
            X86_LEVELS[best], cpu="native", threads=THREADS, dot8_shift=shift, dot8_pairs=pairs,
            l1=l1, l2=l2, halves=_halves(), dot_bf16="avx512_bf16" in flags and cpu_vendor() in PAIRS,
        )  # fmt: skip
    if cpu not in X86_LEVELS:
        raise CompileError(f"unknown cpu {cpu}", hint="native, " + ", ".join(X86_LEVELS))
    if list(X86_LEVELS).index(cpu) < list(X86_LEVELS).index(best):
        raise CompileError(f"this machine cannot run {cpu}", hint=f"--cpu {best}")
    return replace(X86_LEVELS[cpu], threads=THREADS)


LEVEL_FEATURES = {
    "x86-64-v4": ("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
    "x86-64-v3": ("avx2", "fma", "f16c"),
    "x86-64": (),
}
OPTIONAL_FEATURES = (
    *("avx512_vnni", "avx_vnni", "avx512_bf16", "avx512vbmi"),
    *("asimddp", "i8mm", "sve"),
)


def features(target: Target) -> str:
    """The instruction sets that code built for a host target needs, by the names Linux gives
    them.
    """
    if target.cpu == "native":
        names = {n for group in LEVEL_FEATURES.values() for n in group} | set(OPTIONAL_FEATURES)
        return " ".join(sorted(names & cpu_flags()))
    levels = {t.cpu: level for level, t in X86_LEVELS.items()}
    level = levels.get(target.cpu)
    needed = LEVEL_FEATURES[level] if level else ()
    return " ".join(sorted({*needed, *(("avx512_vnni",) if level == "x86-64-v4" else ())}))


def missing_features(needed: str) -> list[str]:
    """Which of the instruction sets in a list this machine lacks."""
    return sorted(set(needed.split()) - cpu_flags())
