"""A function of one 8-bit code is a table of 256 codes."""

from __future__ import annotations

import numpy as np

from whet.ir.element import F32, I8, Quant, Scalar
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.ops.convert import convert
from whet.ops.elementwise import mul, sigmoid
from whet.ops.evaluate import evaluate_node
from whet.ops.lookup import codes, lookup
from whet.passes.codes import is_code
from whet.rewrite.rule import Replacement, Rule, Uses, rule

NODES = 64


def _example() -> Graph:
    x = parameter("x", Type((2, 3), F32))
    y = convert(convert(x, to=Quant(I8, (0.05,), (3,))), to=F32)
    z = mul(y, sigmoid(y))
    return Graph((x,), (convert(convert(z, to=Quant(I8, (0.05,), (-120,))), to=F32),), ("y",))


@rule(example=_example)
def function_of_code(node: Node, uses: Uses) -> Replacement:
    """quantise(f(dequantise(x))) -> lookup(x, table of f), f of any number of nodes."""
    if node.op.family != "elementwise" or len(node.outputs) != 1 or node.op is lookup:
        return None
    to = node.types[0].element if isinstance(node.types[0], Type) else None
    if not isinstance(to, Quant) or not is_code(to):
        return None
    first = node.inputs[0]
    if node.op is convert and first is not None and first.node.op.family != "elementwise":
        return None
    found = _region(node)
    if found is None or found[0].shape != node.outputs[0].shape:
        return None
    x, region = found
    values: dict[Value, object] = {x: codes(_quant(x))}
    for inner in region:
        for v in inner.inputs:
            data = known(v)
            if v is not None and data is not None and v not in values:
                values[v] = data if inner.op is lookup else data.reshape(())
        evaluate_node(inner, values, {})
    table = np.asarray(values[node.outputs[0]])
    return lookup(x, constant(table, to.store), to=to) if table.shape == (256,) else None


def _quant(value: Value) -> Quant:
    element = value.tensor.element
    assert isinstance(element, Quant)
    return element


def _region(root: Node) -> tuple[Value, tuple[Node, ...]] | None:
    """The one 8-bit value a node is a function of, and the nodes from there on, operands first."""
    order: list[Node] = []
    leaves = _walk(root, order, frozenset())
    if leaves is None:
        return None
    opened: frozenset[Value] = frozenset()
    while len(leaves) > 1:
        through = next((v for v in leaves if v.op is lookup), None)
        if through is None:
            return None
        opened |= {through}
        order = []
        leaves = _walk(root, order, opened)
        if leaves is None:
            return None
    return (next(iter(leaves)), tuple(order)) if leaves else None


def _walk(root: Node, order: list[Node], opened: frozenset[Value]) -> set[Value] | None:
    """Codes that the elementwise nodes behind `root` read; None where they read anything else."""
    leaves: set[Value] = set()
    done: set[Node] = set()

    def visit(node: Node) -> bool:
        if node in done:
            return True
        done.add(node)
        if node.op.family != "elementwise" or len(node.outputs) != 1 or len(done) > NODES:
            return False
        for v in node.inputs:
            if v is None or not isinstance(v.type, Type):
                return False
            data = known(v)
            if data is not None and (data.size == 1 or node.op is lookup):
                continue
            if is_code(v.tensor.element) and v not in opened:
                leaves.add(v)
            elif v.shape != root.outputs[0].shape or not visit(v.node):
                return False
        order.append(node)
        return True

    return leaves if visit(root) else None


def _composed() -> Graph:
    x = parameter("x", Type((2, 3), F32))
    element = Quant(I8, (0.05,), (3,))
    q = convert(x, to=element)
    first = constant(np.arange(256, dtype=np.uint8).view(np.int8)[::-1].copy())
    second = constant(np.roll(np.arange(256, dtype=np.uint8), 3).view(np.int8))
    y = lookup(lookup(q, first, to=element), second, to=element)
    return Graph((x,), (convert(y, to=F32),), ("y",))


@rule(lookup, example=_composed)
def table_of_table(node: Node, uses: Uses) -> Replacement:
    """lookup(lookup(x, t), u) -> lookup(x, u of t)."""
    inner = node.inputs[0]
    if inner is None or inner.op is not lookup or uses(inner) > 1:
        return None
    table, x, to = node.inputs[1], inner.node.inputs[0], node["to"]
    first, second = known(inner.node.inputs[1]), known(table)
    if first is None or second is None or table is None or x is None:
        return None
    assert isinstance(to, Scalar | Quant)
    return lookup(x, constant(second[first.view(np.uint8)], table.tensor.element), to=to)


TABLE: tuple[Rule, ...] = (function_of_code, table_of_table)
