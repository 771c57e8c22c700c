"""Packs instances of the static memory allocation problem and compares them with their bound.

    python -m bench.memory_plans ../shared/data/minimalloc/*.csv [--effort 165000] [--svg DIR]

A file has the columns id, lower, upper, size: a buffer alive from step `lower` up to, not
including, `upper`. For each: buffers, the most bytes alive at once, the arena by greedy packing and
after the search, both over the bound, and the seconds of both together.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

from whet.plan import Buffer, draw_svg, pack, validate_placements

HEADER = (
    f"{'instance':16} {'buffers':>7} {'bound':>10} {'greedy':>8} {'arena':>10} {'over':>8} {'s':>6}"
)


def read(path: Path) -> list[Buffer]:
    """The buffers of one file."""
    with path.open() as file:
        rows = csv.DictReader(file)
        return [Buffer(r["id"], int(r["size"]), int(r["lower"]), int(r["upper"])) for r in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write a picture of each packing if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--effort", type=int, default=165_000, help="search nodes for each")
    parser.add_argument("--svg", type=Path, help="folder for pictures of the packings")
    options = parser.parse_args(arguments)
    print(HEADER)
    for path in options.files:
        buffers = read(path)
        greedy = pack(buffers, effort=0)
        begin = time.perf_counter()
        packing = pack(buffers, options.effort)
        spent = time.perf_counter() - begin
        validate_placements(packing.placements, packing.arena_bytes)
        bound = packing.lower_bound
        print(
            f"{path.stem:16} {len(buffers):7} {bound:10} {greedy.arena_bytes / bound - 1:8.1%} "
            f"{packing.arena_bytes:10} {packing.arena_bytes / bound - 1:8.1%} {spent:6.1f}",
            flush=True,
        )
        if options.svg:
            options.svg.mkdir(parents=True, exist_ok=True)
            picture = options.svg / f"{path.stem}.svg"
            picture.write_text(draw_svg(packing, title=path.stem))


if __name__ == "__main__":
    main()
