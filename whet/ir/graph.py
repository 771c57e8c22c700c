"""Graph: a pure step (inputs, states) -> (outputs, next states)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from whet.ir.dim import Dim, Symbol, symbols
from whet.ir.node import Array, Attr, Node, Value
from whet.ir.type import Type


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """A value kept between steps: `value` is read, `next` is written, `initial` is where it
    starts.
    """

    name: str
    value: Value
    next: Value
    initial: Array


@dataclass(frozen=True, eq=False)
class Graph:
    """A step of computation, closed: what a body needs from outside is an input of it.

    inputs: `input` leaves in calling order. outputs: their values, named by output_names.
    bindings: symbol -> the i64 scalar that gives its value once it has been computed (sizes that
    depend on data; a symbol of an input's shape has no binding).
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...]
    states: tuple[State, ...] = ()
    bindings: tuple[tuple[Symbol, Value], ...] = ()
    name: str = "model"
    labels: tuple[str, ...] = field(default=())

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(str(v.node["name"]) for v in self.inputs)

    @cached_property
    def roots(self) -> tuple[Value, ...]:
        """Everything that must be computed, bindings that nothing needs left out."""
        return (*self.outputs, *(s.next for s in self.states))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes needed, operands (and the sizes in a node's types) before their users."""
        bound = dict(self.bindings)
        order: list[Node] = []
        done: set[int] = set()
        for value in (*self.inputs, *(s.value for s in self.states), *self.roots):
            _visit(value.node, bound, order, done)
        return tuple(order)

    @cached_property
    def users(self) -> dict[Value, tuple[Node, ...]]:
        """The nodes that read each value."""
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in set(node.operands):
                found.setdefault(value, []).append(node)
        return {value: tuple(nodes) for value, nodes in found.items()}

    @cached_property
    def live_bindings(self) -> tuple[tuple[Symbol, Value], ...]:
        """The bindings whose value is computed."""
        nodes = set(self.nodes)
        return tuple((s, v) for s, v in self.bindings if v.node in nodes)

    @cached_property
    def bound_by(self) -> dict[Value, tuple[Symbol, ...]]:
        """The symbols that each computed value binds."""
        found: dict[Value, tuple[Symbol, ...]] = {}
        for s, v in self.live_bindings:
            found[v] = (*found.get(v, ()), s)
        return found


def symbols_of(attr: Attr) -> Iterator[Symbol]:
    """Symbols that occur in sizes and types of an attribute or type."""
    if isinstance(attr, Dim):
        yield from symbols(attr)
    elif isinstance(attr, tuple):
        for a in attr:
            yield from symbols_of(a)
    elif isinstance(attr, Type):
        yield from symbols_of(attr.shape)
    elif isinstance(attr, Graph):
        for node in attr.nodes:
            yield from _node_symbols(node)


def _node_symbols(node: Node) -> Iterator[Symbol]:
    for t in node.types:
        yield from symbols_of(t)
    for a in node.attrs.values():
        yield from symbols_of(a)


def dependencies(node: Node, bound: dict[Symbol, Value]) -> Iterable[Node]:
    """The nodes that must run before this one."""
    before = [v.node for v in node.operands]
    if bound:
        own = set(node.outputs)
        sources = (bound.get(s) for s in _node_symbols(node))
        before += [v.node for v in sources if v is not None and v not in own and v.node is not node]
    return before


def _visit(root: Node, bound: dict[Symbol, Value], order: list[Node], done: set[int]) -> None:
    """Depth-first post-order without recursion; a cycle cannot be built from immutable nodes."""
    stack: list[tuple[Node, Iterator[Node]]] = []
    if id(root) not in done:
        done.add(id(root))
        stack.append((root, iter(dependencies(root, bound))))
    while stack:
        node, before = stack[-1]
        for dependency in before:
            if id(dependency) not in done:
                done.add(id(dependency))
                stack.append((dependency, iter(dependencies(dependency, bound))))
                break
        else:
            order.append(node)
            stack.pop()
