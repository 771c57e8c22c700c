"""WebAssembly with 128-bit SIMD: browsers and Node."""

from whet.targets.target import Emulator, Target

TARGET = Target(
    name="wasm",
    triple="wasm32-freestanding",
    cpu="generic+simd128",
    lanes=4,
    registers=16,
    description="WebAssembly, simd128",
    emulator=Emulator(
        board="wasm.c",
        link=("-nostdlib", "-Wl,--no-entry", "-Wl,-z,stack-size=1048576"),
        command=("node", "{boards}/wasm.mjs", "{image}"),
        package="nodejs",
    ),
)
