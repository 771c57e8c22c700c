"""n-grams of numbers: tfidf.h. Strings have no kernels."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Call, In, Lowered, Out, Record, Weight
from whet.ir.element import I64
from whet.ir.node import Node
from whet.ir.type import size_product
from whet.kernels.kernel import kernel
from whet.ops.text import ngrams
from whet.targets.target import Target

MODES = {"TF": 0, "IDF": 1, "TFIDF": 2}


@kernel("tfidf", ngrams)
def count(node: Node, target: Target) -> Lowered | None:
    x, pool, weights = node.inputs[0], node["pool"], node["weights"]
    if x is None or x.tensor.element != I64 or not isinstance(pool, np.ndarray):
        return None
    outputs, columns = node.outputs[0].shape[-1], node.integers("indexes")
    assert isinstance(outputs, int)
    scale = np.ones(outputs, np.float32)
    if weights:
        scale[list(columns)] = np.asarray(weights)
    counts = np.array(node.integers("counts"), np.int64)
    lists = (pool.astype(np.int64), counts, np.array(columns, np.int64), scale)
    table = Record(
        "tfidf_table",
        (
            *zip(("pool", "counts", "columns", "weights"), map(Weight, range(4)), strict=True),
            ("pool_size", len(pool)), ("sizes", len(counts)), ("min_length", node.integer("low")),
            ("max_length", node.integer("high")), ("max_skip", node.integer("skip")),
            ("outputs", outputs), ("mode", MODES[str(node["mode"])]),
        ),
    )  # fmt: skip
    arguments = (In(0), Out(), table, size_product(x.shape[:-1]), x.shape[-1])
    return Lowered((Call("tfidf", arguments),), ("tfidf.h",), lists)
