"""Decision trees: tree_ensemble.h."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Call, In, Lowered, Name, Out, Record, Weight
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type
from whet.ops.tree_ensemble import tree_ensemble, trees_of
from whet.targets.target import Target


@kernel("tree_ensemble", tree_ensemble)
def lower(node: Node, target: Target) -> Lowered | None:
    x = node.input(0)
    s, t, dtype = float_type(x.tensor), trees_of(node), x.tensor.element.dtype
    table = {
        "feature": t.feature, "yes": t.yes, "no": t.no, "mode": t.mode,
        "missing_yes": t.missing_yes, "member_start": t.member_start, "leaf_start": t.leaf_start,
        "leaf_target": t.leaf_target, "roots": t.roots,
    }  # fmt: skip
    numbers = [a.astype(dtype) for a in (t.value, t.members, t.leaf_weight, t.base)]
    bytes_ = ("mode", "missing_yes")
    constants = tuple(
        np.ascontiguousarray(a, np.uint8 if name in bytes_ else np.int32)
        for name, a in table.items()
    )
    record = Record("tree_table", tuple((name, Weight(i)) for i, name in enumerate(table)))
    first = len(constants)
    call = Call(
        f"tree_ensemble_{s}",
        (In(0), Out(), record, *(Weight(first + i) for i in range(len(numbers))), *x.shape,
         node.outputs[0].shape[1], len(t.roots), Name(f"TREE_{str(node['aggregate']).upper()}")),
    )  # fmt: skip
    return Lowered((call,), ("tree_ensemble.h",), (*constants, *numbers))
