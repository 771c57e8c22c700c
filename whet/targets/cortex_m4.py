"""Cortex-M4F: 32-bit microcontrollers with a single-precision FPU."""

from whet.targets.target import Emulator, Target

TARGET = Target(
    name="cortex-m4",
    triple="thumb-freestanding-eabihf",
    cpu="cortex_m4+vfp4d16sp",
    lanes=4,
    registers=16,
    flags=("-ffunction-sections", "-fdata-sections"),
    description="Cortex-M4F microcontroller, portable C",
    emulator=Emulator(
        board="cortex_m.c",
        link=(
            "-nostartfiles", "-Wl,--gc-sections", "-Wl,-e,Reset_Handler",
            "-Wl,-z,max-page-size=8", "-T", "{boards}/mps2_an386.ld",
        ),
        command=(
            "qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none",
            "-serial", "none", "-chardev", "stdio,id=c0", "-semihosting-config",
            "enable=on,target=native,chardev=c0", "-kernel", "{image}",
        ),
        package="qemu-system-arm",
    ),
)  # fmt: skip
