"""Cortex-M55: microcontrollers with Helium (MVE) vectors."""

from whet.targets.target import Emulator, Target

TARGET = Target(
    name="cortex-m55",
    triple="thumb-freestanding-eabihf",
    cpu="cortex_m55+mve_fp+fp_armv8d16+fullfp16",
    lanes=4,
    registers=16,
    flags=("-ffunction-sections", "-fdata-sections"),
    description="Cortex-M55 microcontroller, portable C",
    emulator=Emulator(
        board="cortex_m.c",
        link=(
            "-nostartfiles", "-Wl,--gc-sections", "-Wl,-e,Reset_Handler",
            "-Wl,-z,max-page-size=8", "-T", "{boards}/mps3_an547.ld",
        ),
        command=(
            "qemu-system-arm", "-M", "mps3-an547", "-display", "none", "-monitor", "none",
            "-serial", "none", "-chardev", "stdio,id=c0", "-semihosting-config",
            "enable=on,target=native,chardev=c0", "-kernel", "{image}",
        ),
        package="qemu-system-arm",
    ),
)  # fmt: skip
