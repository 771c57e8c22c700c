"""Command line of the benchmark models: writes ONNX files."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from onnxruntime.quantization import QuantType

from bench.export import export_float, export_int8
from bench.models import names, recipe

ACTIVATIONS = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.models", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"any of: {' '.join(names())}")
    parser.add_argument("--out", type=Path, default=Path("build/models"))
    parser.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        default="u8",
        help="type of quantised activations; u8 is what ONNX Runtime's x86 kernels are made for",
    )
    parser.add_argument("--float-only", action="store_true")
    options = parser.parse_args()
    unknown = sorted(set(options.models) - set(names()))
    if unknown:
        parser.error(f"no such model: {' '.join(unknown)}; there are: {' '.join(names())}")
    logging.getLogger().setLevel(logging.ERROR)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.models or names():
        made = recipe(name)
        start = time.perf_counter()
        paths = [options.out / f"{name}_f32.onnx"]
        export_float(made, paths[0])
        if not options.float_only:
            paths.append(options.out / f"{name}_int8.onnx")
            export_int8(made, *paths, ACTIVATIONS[options.activation])
        sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in paths)
        print(f"{name}: {sizes} in {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
