"""Target: a machine family as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a compiler and a planner need to know of a machine.

    triple, cpu: for the C compiler (`zig cc -target -mcpu`). lanes: f32 lanes of its vectors, as
    `simd.h` chooses them for that cpu; registers: how many vectors it has. kernels: names of
    kernel families its vector unit is worth using for; the portable ones are always there.
    threads: the most threads a run may use. dot8_shift: what its 8-bit dot product adds to
    activations (DOT8_SHIFT of `dot8.h`). runner: how a built model is run here: `native`, or an
    emulator's command line.
    """

    name: str
    triple: str
    cpu: str
    lanes: int
    registers: int
    pointer_bytes: int = 8
    flags: tuple[str, ...] = ()
    runner: tuple[str, ...] = ("native",)
    description: str = ""
    threads: int = 1
    dot8_shift: int = 0
