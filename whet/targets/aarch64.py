"""64-bit Arm with NEON: phones, Raspberry Pi, servers."""

from whet.targets.target import Emulator, Target

TARGET = Target(
    name="aarch64",
    triple="aarch64-linux-musl",
    cpu="generic",
    lanes=4,
    registers=32,
    fused=True,
    description="64-bit Arm, NEON",
    emulator=Emulator(
        board="linux.c",
        link=("-static", "-nostdlib", "-Wl,-e,_start"),
        command=("qemu-aarch64", "-cpu", "max", "{image}"),
        package="qemu-user",
    ),
)
