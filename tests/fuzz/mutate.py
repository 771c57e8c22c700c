"""Seeded mutations of model files: damage that a disk, a network or an attacker may do."""

from __future__ import annotations

import random

import onnx
from onnx import ModelProto

INTERESTING = (0, 1, -1, 2, 7, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32, 2**62, -(2**63))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with a few random changes of its bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind = rng.randrange(6)
        if not changed:
            break
        at = rng.randrange(len(changed))
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            end = min(len(changed), at + rng.randrange(1, 64))
            changed[at:at] = changed[at:end]
        elif kind == 4:
            del changed[at : at + rng.randrange(1, 64)]
        else:
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(INTERESTING) % (1 << (8 * width))
            changed[at : at + width] = value.to_bytes(width, "little")
    return bytes(changed)


def mutated_onnx(data: bytes, rng: random.Random) -> bytes:
    """An ONNX model that parses and says something else."""
    model = onnx.load_from_string(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change(model, rng)
    return bytes(model.SerializeToString())


def _change(model: ModelProto, rng: random.Random) -> None:
    graph = model.graph
    node = rng.choice(graph.node)
    kind = rng.randrange(8)
    if kind == 0 and node.attribute:
        attribute = rng.choice(node.attribute)
        attribute.i = rng.choice(INTERESTING[:-1])
        for i in range(len(attribute.ints)):
            attribute.ints[i] = rng.choice(INTERESTING[:-1])
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(
            ["", "absent", *(o for n in graph.node for o in n.output)]
        )
    elif kind == 2:
        graph.node.remove(node)
    elif kind == 3:
        node.op_type = rng.choice([n.op_type for n in graph.node] + ["Loop", "NoSuchOp"])
    elif kind == 4 and graph.initializer:
        tensor = rng.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(INTERESTING)
    elif kind == 5 and graph.initializer:
        rng.choice(graph.initializer).data_type = rng.randrange(0, 30)
    elif kind == 6:
        shape = rng.choice(graph.input).type.tensor_type.shape
        if shape.dim:
            rng.choice(shape.dim).dim_value = rng.choice(INTERESTING)
    else:
        graph.node.append(node)
