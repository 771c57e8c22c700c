"""The sizes beyond which an ONNX file is refused, in one place.

Each is far above what published models need and low enough that a hostile file costs bounded time
and memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from whet.errors import ModelError

MODEL_BYTES = 2**31 - 1  # protobuf's own limit for one message
RANK = 32
ELEMENTS = 2**40
DENSE_BYTES = 2**32  # what a sparse initialiser may unfold to
NODES = 1_000_000  # after local functions are inlined
NESTING = 16  # graphs within graphs, types within types
CALLS = 256  # functions within functions
EXTERNAL_FILES = 4096


def checked_shape(dims: Iterable[int], where: str) -> tuple[int, ...]:
    """The dims as a shape with rank, every dim and the element count within limits.

    Raises ModelError that names `where` otherwise.
    """
    shape = tuple(int(dim) for dim in dims)
    if len(shape) > RANK:
        raise ModelError("tensor of absurd rank", where, f"{len(shape)} dims, limit {RANK}")
    elements = 1
    for dim in shape:
        if dim < 0:
            raise ModelError("negative dimension", where, f"{dim} in {list(shape)}")
        # An empty tensor's other dims are bounded too: strides are computed from them.
        elements *= max(dim, 1)
    if elements > ELEMENTS:
        raise ModelError("tensor of absurd size", where, f"shape {list(shape)}")
    return shape
