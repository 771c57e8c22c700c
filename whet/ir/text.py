"""Graphs as text that reads well and can be parsed back (`ir.parse`).

    graph "relu"
    %0 = input() {name="x" type=f32[1,4]} : f32[1,4]
    %1 = constant() {data=@0 type=f32[]} : f32[]
    %2 = max(%0 %1) : f32[1,4]  # Relu 'act'
    output "y" %2

Arrays are numbered `@0, @1, ...` and kept beside the text. What is neither a plain number, a
string nor a plain type is written as (kind part part ...), so that a reader needs one rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from whet.ir.dim import Dim, Operation, Size, Symbol, of
from whet.ir.element import Element, Quant, Scalar
from whet.ir.graph import Graph
from whet.ir.node import Array, Attr, Node, Value
from whet.ir.type import AnyType, Optional, Sequence, Type


def graph_text(graph: Graph) -> tuple[str, tuple[Array, ...]]:
    """The graph's text and the arrays it names."""
    writer = _Writer()
    return "\n".join(writer.graph(graph)) + "\n", tuple(writer.arrays)


class _Writer:
    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self.names: dict[Value, str] = {}
        self.count = 0

    def graph(self, graph: Graph) -> list[str]:
        lines = [f"graph {_quoted(graph.name)}"]
        for node in graph.nodes:
            lines.append(self.node(node))
        for s in graph.states:
            initial = self.array(s.initial)
            value, following = self.names[s.value], self.names[s.next]
            lines.append(f"state {_quoted(s.name)} {value} {following} {initial}")
        for symbol, v in graph.live_bindings:
            lines.append(f"bind {size_text(of(symbol))} {self.names[v]}")
        for v in graph.inputs:
            lines.append(f"argument {self.names[v]}")
        for name, v in zip(graph.output_names, graph.outputs, strict=False):
            lines.append(f"output {_quoted(name)} {self.names[v]}")
        return lines

    def node(self, node: Node) -> str:
        for v in node.outputs:
            self.names[v] = f"%{self.count}" + (f".{v.index}" if len(node.outputs) > 1 else "")
        self.count += 1
        made = " ".join(self.names[v] for v in node.outputs) or f"%{self.count - 1}"
        operands = " ".join("none" if v is None else self.names[v] for v in node.inputs)
        attrs = " ".join(f"{k}={self.attr(a)}" for k, a in sorted(node.attrs.items()))
        types = " ".join(type_text(t) for t in node.types)
        text = f"{made} = {node.op.name}({operands})" + (f" {{{attrs}}}" if attrs else "")
        return f"{text} : {types}" + (f"  # {_comment(node.origin)}" if node.origin else "")

    def attr(self, attr: Attr) -> str:
        if isinstance(attr, np.ndarray):
            return self.array(attr)
        if isinstance(attr, Graph):
            inner = self.graph(attr)
            return "[\n  " + "\n  ".join("\n".join(inner).split("\n")) + "\n]"
        if isinstance(attr, tuple):
            return _form("t", (self.attr(a) for a in attr))
        return _plain(attr)

    def array(self, array: Array) -> str:
        self.arrays.append(array)
        return f"@{len(self.arrays) - 1}"


def _plain(attr: Attr) -> str:
    if attr is None:
        return "none"
    if isinstance(attr, bool):
        return "true" if attr else "false"
    if isinstance(attr, int | Dim):
        return size_text(attr)
    if isinstance(attr, float):
        return repr(attr) if attr == attr and abs(attr) != float("inf") else f'(f "{attr}")'
    if isinstance(attr, str):
        return _quoted(attr)
    if isinstance(attr, Symbol):
        return f"(symbol {size_text(of(attr))})"
    if isinstance(attr, Scalar | Quant):
        return element_text(attr)
    assert isinstance(attr, Type | Sequence | Optional)
    return type_text(attr)


def type_text(t: AnyType) -> str:
    """A type: `f32[1,4]`, or a form for what is not plain."""
    if isinstance(t, Sequence):
        return _form("sequence", [type_text(t.of)])
    if isinstance(t, Optional):
        return _form("optional", [type_text(t.of)])
    if isinstance(t.element, Scalar) and t.static:
        return f"{t.element}[{','.join(map(str, t.shape))}]"
    return _form("type", [element_text(t.element), *(size_text(d) for d in t.shape)])


def element_text(element: Element) -> str:
    """An element: a name, or (q store (t scales) (t zeros) axis rounding)."""
    if isinstance(element, Scalar):
        return element.name
    scales, zeros = (_form("t", map(repr, v)) for v in (element.scale, element.zero))
    axis = "none" if element.axis is None else str(element.axis)
    return _form("q", [element.store.name, scales, zeros, axis, _quoted(element.rounding)])


def size_text(size: Size) -> str:
    """A size: a number, or a form over symbols (s name low high)."""
    if isinstance(size, int):
        return str(size)
    terms = [_form("*", [str(c), *(_atom_text(a) for a in atoms)]) for atoms, c in size.terms]
    return _form("+", terms)


def _atom_text(atom: Symbol | Operation) -> str:
    if isinstance(atom, Symbol):
        return _form("s", [_quoted(atom.name), str(atom.low), str(atom.high)])
    return _form(atom.kind, [size_text(atom.left), size_text(atom.right)])


def _form(kind: str, parts: Iterable[str]) -> str:
    return "(" + " ".join([kind, *parts]) + ")"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _comment(text: str) -> str:
    return json.dumps(text)[1:-1]
