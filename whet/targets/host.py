"""This machine, or an x86-64 level of it."""

from __future__ import annotations

from dataclasses import replace
from os import cpu_count
from platform import machine

from whet.errors import CompileError
from whet.targets.processor import GUESSED_CACHES, cache_bytes, cpu_flags, cpu_vendor, is_zen4
from whet.targets.target import Target

# The most threads of a run; two work on one core as well, only no faster.
THREADS = min(max(cpu_count() or 1, 2), 16)
# Without it clang splits vectors of 16 floats in two for some CPUs, but where it sees an intrinsic.
WIDE = ("-mprefer-vector-width=512",)
X86 = "x86_64-linux-gnu.2.17"
X86_LEVELS = {
    "x86-64-v4": Target(
        "host", X86, "x86_64_v4+avx512vnni", 16, 32, dot8_shift=128, fused=True, flags=WIDE
    ),
    "x86-64-v3-vnni": Target("host", X86, "x86_64_v3+avxvnni", 8, 16, dot8_shift=128, fused=True),
    "x86-64-v3": Target("host", X86, "x86_64_v3", 8, 16, dot8_pairs=True, fused=True),
    "x86-64": Target("host", X86, "x86_64", 4, 16),
}
AVX2, AVX512 = ("avx2", "fma", "f16c"), ("avx512f", "avx512bw", "avx512dq", "avx512vl")
LEVEL_FEATURES = {
    "x86-64-v4": (*AVX2, *AVX512, "avx512_vnni"),
    "x86-64-v3-vnni": (*AVX2, "avx_vnni"),
    "x86-64-v3": AVX2,
    "x86-64": (),
}
"""The instruction sets of each level, by the names Linux gives them."""
AARCH64 = Target("host", "aarch64-linux-gnu.2.17", "native", 4, 32, fused=True)


# Vendors whose cores start a vdpbf16ps as often as a multiply-add of a vector as wide. Intel's
# without AMX start one in two cycles, and two multiply-adds in each.
FAST_BF16 = ("AuthenticAMD",)


def levels() -> tuple[str, ...]:
    """The x86-64 levels that this machine runs, the widest first; none on another machine."""
    if machine() in ("aarch64", "arm64"):
        return ()
    return tuple(name for name, needed in LEVEL_FEATURES.items() if cpu_flags() >= set(needed))


def host(cpu: str = "native") -> Target:
    """The target for this machine.

    cpu: `native` or one of X86_LEVELS.

    Raises:
        CompileError: the name is unknown, or this machine cannot run that level.
    """
    if machine() in ("aarch64", "arm64"):
        return replace(AARCH64, threads=THREADS)
    if cpu == "native":
        return _native(cpu_flags())
    if cpu not in X86_LEVELS:
        raise CompileError(f"unknown cpu {cpu}", hint="native, " + ", ".join(X86_LEVELS))
    if cpu not in levels():
        raise CompileError(f"this machine cannot run {cpu}", hint=f"--cpu {levels()[0]}")
    return replace(X86_LEVELS[cpu], threads=THREADS)


def _native(flags: frozenset[str]) -> Target:
    wide = flags >= {*AVX2, *AVX512}
    level = "x86-64-v4" if wide else "x86-64-v3" if flags >= set(AVX2) else "x86-64"
    # simd.h goes by fewer instruction sets: code must not have those it would find more in.
    found = ("avx512f" in flags, flags >= {"avx2", "fma"})
    cpu = "native" if found == (wide, level != "x86-64") else X86_LEVELS[level].cpu
    vnni = cpu == "native" and ("avx512_vnni" if wide else "avx_vnni") in flags
    l1, l2 = (*cache_bytes(), *GUESSED_CACHES[1:])[:2]
    return replace(
        X86_LEVELS[level], cpu=cpu, threads=THREADS, dot8_shift=128 if vnni else 0,
        dot8_pairs=not vnni and level != "x86-64", l1=l1, l2=l2, halves=is_zen4(),
        dot_bf16="avx512_bf16" in flags and cpu_vendor() in FAST_BF16,
    )  # fmt: skip


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
    return " ".join(sorted(LEVEL_FEATURES[level])) if level else ""


def missing_features(needed: str) -> list[str]:
    """Which of the instruction sets in a list this machine lacks."""
    return sorted(set(needed.split()) - cpu_flags())
