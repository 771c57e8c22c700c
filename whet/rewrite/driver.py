"""Apply rules to a graph, operands before users, until none applies.

Equal nodes are merged and unused ones dropped on the way. A replacement comes from the layer of the
node it replaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from whet.errors import CompileError, WhetError
from whet.ir.graph import Graph, State
from whet.ir.leaf import parameter_op, state_op
from whet.ir.node import Attr, Node, Op, Value, origin
from whet.rewrite.rule import Rule

ROUNDS = 50
FAILURES = (WhetError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
MERGED_CONSTANT_BYTES = 1 << 20


def rewrite(
    graph: Graph, rules: Iterable[Rule], fired: Counter[str] | None = None, rounds: int = ROUNDS
) -> Graph:
    """The graph after rules, common subexpressions and dead code; `fired` counts rules by name.

    Raises:
        CompileError: a rule failed or changed a type; the message names the rule and the layer.
    """
    chosen = tuple(rules)
    for _ in range(rounds):
        rebuilt = _Rebuild(graph, chosen)
        graph = rebuilt.graph
        if fired is not None:
            fired.update(rebuilt.fired)
        if not rebuilt.fired:
            return graph
    return graph


def substitute(graph: Graph, replacements: Mapping[Value, Value]) -> Graph:
    """The graph with values replaced wherever they are read; a replacement may be new nodes over
    values of the graph."""
    return _Rebuild(graph, (), replacements).graph


class _Rebuild:
    def __init__(
        self, graph: Graph, rules: Sequence[Rule], replacements: Mapping[Value, Value] | None = None
    ) -> None:
        self.old = graph
        self.rules = rules
        self.by_op: dict[Op, tuple[Rule, ...]] = {}
        self.made: dict[Value, Value] = {}
        self.known: dict[object, Node] = {}
        self.counts: dict[Value, int] = {}
        self.fired: Counter[str] = Counter()
        self.replacements = replacements or {}
        self.graph = self._run()

    def _run(self) -> Graph:
        old = self.old
        for node in old.nodes:
            self._visit(node)
        outputs = tuple(self._new(v) for v in old.outputs)
        states = tuple(State(s.name, s.value, self._new(s.next), s.initial) for s in old.states)
        bindings = tuple((s, self._new(v)) for s, v in old.live_bindings)
        return replace(old, outputs=outputs, states=states, bindings=bindings)

    def _new(self, value: Value) -> Value:
        value = self.replacements.get(value, value)
        if value not in self.made:
            self._adopt(value.node)
        return self.made[value]

    def _adopt(self, node: Node) -> None:
        """Visit a replacement's node, and what it needs that is not of the old graph."""
        for v in node.inputs:
            if v is not None and v not in self.made:
                self._adopt(v.node)
        self._visit(node)

    def _visit(self, node: Node) -> None:
        inputs = tuple(None if v is None else self._new(v) for v in node.inputs)
        bodies = {k: self._body(g) for k, g in node.bodies} if node.op.family == "control" else {}
        new = node
        if inputs != node.inputs or any(bodies[k] is not g for k, g in node.bodies if bodies):
            new = node.replace(inputs, **bodies)
        new = self._merged(new)
        for old_value, value in zip(node.outputs, new.outputs, strict=True):
            self.counts[value] = self.counts.get(value, 0) + self._count(old_value)
        results = self._apply(new)
        for old_value, value in zip(node.outputs, results, strict=True):
            self.made[old_value] = value
            if value not in self.counts:
                self.counts[value] = self._count(old_value)

    def _body(self, body: Graph) -> Graph:
        rebuilt = _Rebuild(body, self.rules)
        self.fired.update(rebuilt.fired)
        return rebuilt.graph if rebuilt.fired else body

    def _count(self, value: Value) -> int:
        reads = sum(n.inputs.count(value) for n in self.old.users.get(value, ()))
        held = sum(v is value for v in self.old.roots)
        return reads + held + sum(v is value for _, v in self.old.bindings)

    def _merged(self, node: Node) -> Node:
        if node.op in (parameter_op, state_op):
            return node
        key = _key(node)
        return self.known.setdefault(key, node) if key is not None else node

    def _apply(self, node: Node) -> tuple[Value, ...]:
        if node.op not in self.by_op:
            fits = tuple(r for r in self.rules if not r.ops or node.op in r.ops)
            self.by_op[node.op] = fits
        chosen = self.by_op[node.op]
        if not chosen:
            return node.outputs
        with origin(node.origin):
            return next((v for r in chosen if (v := self._rewritten(r, node))), node.outputs)

    def _rewritten(self, r: Rule, node: Node) -> tuple[Value, ...] | None:
        try:
            result = r.rewrite(node, self._uses)
        except FAILURES as error:
            raise CompileError(f"rule {r.name} failed", node.origin, str(error)) from error
        if result is None:
            return None
        values = result if isinstance(result, tuple) else (result,)
        _check(r, node, values)
        self.fired[r.name] += 1
        return values

    def _uses(self, value: Value) -> int:
        return self.counts.get(value, 1)


def _check(r: Rule, node: Node, values: tuple[Value, ...]) -> None:
    for old, new in zip(node.types, (v.type for v in values), strict=True):
        if old != new:
            raise CompileError(f"rule {r.name} turns {old} into {new}", node.origin)


def _key(node: Node) -> object:
    """What makes two nodes the same; None for nodes that are not worth merging."""
    attrs = []
    for name, value in sorted(node.attrs.items()):
        key = _attr_key(value)
        if key is None:
            return None
        attrs.append((name, key))
    return node.op, node.inputs, tuple(attrs), node.types


def _attr_key(value: Attr) -> object:
    if isinstance(value, np.ndarray):
        if value.dtype == object or value.nbytes > MERGED_CONSTANT_BYTES:
            return id(value)
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return repr(value)
    return ("none",) if value is None else value
