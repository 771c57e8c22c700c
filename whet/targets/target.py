"""Target: a machine family as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Emulator:
    """How a model built for a target runs here.

    board: the file of `boards/` that starts the program and prints bytes. link: flags for the
    executable. command: the program that runs `{image}`, and what to install where it is missing.
    """

    board: str
    link: tuple[str, ...]
    command: tuple[str, ...]
    package: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a compiler and a planner need to know of a machine.

    triple, cpu: for the C compiler (`zig cc -target -mcpu`). lanes: f32 lanes of its vectors, as
    `simd.h` chooses them for that cpu; registers: how many vectors it has. dot8_shift: what its
    8-bit dot product adds to activations (DOT8_SHIFT of `dot8.h`). dot8_pairs: it is made of
    products of 16-bit pairs (DOT8_PAIRS). dot_bf16: its dot product of bf16 pairs is faster than
    two multiply-adds. fused: its f32 vectors multiply and add with one rounding. l1, l2: bytes of
    the first data cache and of the second one. halves: it computes with half a vector in half the
    time. threads: the most threads a run may use. flags: more for the compiler. emulator: None for
    the machine at hand.
    """

    name: str
    triple: str
    cpu: str
    lanes: int
    registers: int
    dot8_shift: int = 0
    dot8_pairs: bool = False
    dot_bf16: bool = False
    fused: bool = False
    l1: int = 32 << 10
    l2: int = 1 << 20
    halves: bool = False
    threads: int = 1
    flags: tuple[str, ...] = ()
    emulator: Emulator | None = None
    description: str = ""

    @property
    def packing(self) -> tuple[tuple[str, int], ...]:
        """What weights are packed for, as macros: headers refuse to compile for anything else."""
        return (
            ("WHET_LANES", self.lanes),
            ("WHET_DOT8_SHIFT", self.dot8_shift),
            ("WHET_DOT8_PAIRS", int(self.dot8_pairs)),
        )
