"""Recurrent layers of floats: rnn.h."""

from __future__ import annotations

from whet.emit.lowered import Argument, Call, Field, In, Lowered, Name, Out, Record, Scratch
from whet.ir.element import Quant
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.normalization import float_type
from whet.ops.recurrent import activations_of, gru, lstm, rnn
from whet.targets.target import Target

SCRATCH_VECTORS = 7


def _activations(node: Node) -> Field:
    """[direction][f, g, h] as {kind, alpha, beta}."""
    return tuple(
        tuple((Name(f"RNN_{name.upper()}"), alpha, beta) for name, alpha, beta in direction)
        for direction in activations_of(node)
    )


def _shape(node: Node) -> Record:
    x, w, r = (node.input(i) for i in range(3))
    steps, batch, size = x.shape
    if node["batch_first"]:
        steps, batch = batch, steps
    flags = ("reverse", "batch_first", "linear_before_reset", "input_forget")
    fields: tuple[tuple[str, Field], ...] = (
        ("steps", steps), ("batch", batch), ("input", size), ("hidden", r.shape[2]),
        ("directions", w.shape[0]), *((f, int(bool(node[f]))) for f in flags),
        ("clip", float(str(node["clip"]))), ("activations", _activations(node)),
    )  # fmt: skip
    return Record("rnn_shape", fields)


@kernel("recurrent", rnn, gru, lstm)
def lower(node: Node, target: Target) -> Lowered | None:
    r = node.input(2)
    s, hidden = float_type(node.outputs[0].tensor), r.shape[2]
    coded = any(v is not None and isinstance(v.tensor.element, Quant) for v in node.inputs)
    if s is None or coded or not isinstance(hidden, int):
        return None
    count = 8 if node.op is lstm else 6
    inputs: tuple[Argument, ...] = tuple(
        0 if node.operand(i) is None else In(i) for i in range(count)
    )
    outputs = tuple(Out(i) for i in range(len(node.outputs)))
    call = Call(f"{node.op.name}_{s}", (*inputs, *outputs, Scratch(0), _shape(node)))
    return Lowered((call,), ("rnn.h",), scratch=SCRATCH_VECTORS * hidden * 8)
