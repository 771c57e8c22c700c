"""The text of `ir.text` back into a graph."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence as Many

from whet.errors import ModelError
from whet.ir.dim import Dim, Operation, Size, Symbol, of
from whet.ir.element import SCALARS, Quant, Scalar
from whet.ir.graph import Graph, State
from whet.ir.node import Array, Attr, Node, Op, Value, origin
from whet.ir.type import AnyType, Optional, Sequence, Type

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[\[\](){}=:,]|%[\d.]+|@\d+|#[^\n]*|[^\s\[\](){}=:,"#]+)')
DEPTH = 64


def parse_graph(text: str, arrays: Many[Array], ops: Mapping[str, Op]) -> Graph:
    """The graph that `graph_text` wrote.

    Raises:
        ModelError: the text is not of that form; the message shows where.
    """
    parser = _Parser(text, arrays, ops)
    try:
        graph = parser.graph()
    except (IndexError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise ModelError("the text of a graph is malformed", parser.place(), str(error)) from None
    if parser.peek() is not None:
        raise ModelError("text after the graph", parser.place())
    return graph


class _Parser:
    def __init__(self, text: str, arrays: Many[Array], ops: Mapping[str, Op]) -> None:
        self.tokens = TOKEN.findall(text)
        self.at = 0
        self.depth = 0
        self.arrays, self.ops = arrays, ops
        self.values: dict[str, Value] = {}

    def place(self) -> str:
        return " ".join(self.tokens[max(0, self.at - 4) : self.at + 2])

    def peek(self) -> str | None:
        while self.at < len(self.tokens) and self.tokens[self.at].startswith("#"):
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if token is None or (wanted is not None and token != wanted):
            raise ValueError(f"{wanted or 'more text'} was expected, not {token}")
        self.at += 1
        return token

    def accept(self, wanted: str) -> bool:
        if self.peek() != wanted:
            return False
        self.at += 1
        return True

    def graph(self) -> Graph:
        self.take("graph")
        name = _unquoted(self.take())
        outputs: list[tuple[str, Value]] = []
        inputs: list[Value] = []
        states: list[State] = []
        bindings: list[tuple[Symbol, Value]] = []
        while (token := self.peek()) is not None and token != "]":
            if token.startswith("%"):
                self.node()
                continue
            kind = self.take()
            if kind == "state":
                label = _unquoted(self.take())
                value, following = self.value(), self.value()
                states.append(State(label, value, following, self.array()))
            elif kind == "bind":
                bindings.append((_symbol_of(self.attr()), self.value()))
            elif kind == "argument":
                inputs.append(self.value())
            elif kind == "output":
                outputs.append((_unquoted(self.take()), self.value()))
            else:
                raise ValueError(f"a statement {kind}")
        return Graph(
            tuple(inputs), tuple(v for _, v in outputs), tuple(n for n, _ in outputs),
            tuple(states), tuple(bindings), name,
        )  # fmt: skip

    def value(self) -> Value:
        return self.values[self.take()]

    def array(self) -> Array:
        token = self.take()
        if not token.startswith("@"):
            raise ValueError(f"an array was expected, not {token}")
        return self.arrays[int(token[1:])]

    def node(self) -> None:
        made = [self.take()]
        while (token := self.peek()) is not None and token.startswith("%"):
            made.append(self.take())
        self.take("=")
        op = self.ops[self.take()]
        self.take("(")
        inputs: list[Value | None] = []
        while not self.accept(")"):
            inputs.append(None if self.accept("none") else self.value())
        attrs: dict[str, Attr] = {}
        if self.accept("{"):
            while not self.accept("}"):
                key = self.take()
                self.take("=")
                attrs[key] = self.attr()
        self.take(":")
        types = [self.type() for _ in made]
        with origin(self.origin()):
            node = Node.make(op, tuple(inputs), attrs)
        if list(node.types) != types and node.types:
            raise ValueError(f"{op.name} gives {node.types[0]}, the text says {types[0]}")
        self.values.update(zip(made, node.outputs, strict=bool(node.outputs)))

    def origin(self) -> str:
        """The comment after a node: the layer it came from."""
        if self.at < len(self.tokens) and self.tokens[self.at].startswith("#"):
            comment = self.tokens[self.at].removeprefix("#").removeprefix(" ")
            return _unquoted(f'"{comment}"')
        return ""

    def attr(self) -> Attr:
        token = self.take()
        if token in ("(", "["):
            return self.nested(token)
        if token[0] == '"':
            return _unquoted(token)
        if token[0] == "@":
            return self.arrays[int(token[1:])]
        if token in ("none", "true", "false"):
            return {"none": None, "true": True, "false": False}[token]
        if token in SCALARS:
            return self.shaped(SCALARS[token]) if self.peek() == "[" else SCALARS[token]
        return int(token) if re.fullmatch(r"-?\d+", token) else float(token)

    def shaped(self, element: Scalar) -> Type:
        self.take("[")
        shape: list[Size] = []
        while not self.accept("]"):
            shape.append(int(self.take()))
            self.accept(",")
        return Type(tuple(shape), element)

    def type(self) -> AnyType:
        found = self.attr()
        if not isinstance(found, Type | Sequence | Optional):
            raise ValueError("a type was expected")
        return found

    def nested(self, opening: str) -> Attr:
        self.depth += 1
        if self.depth > DEPTH:
            raise ValueError("forms and bodies nest too deep")
        made = self.form() if opening == "(" else self.body()
        self.depth -= 1
        return made

    def form(self) -> Attr:
        kind, parts = self.take(), []
        while not self.accept(")"):
            parts.append(self.attr())
        return _made(kind, parts)

    def body(self) -> Graph:
        graph = self.graph()
        self.take("]")
        return graph


def _made(kind: str, parts: list[Attr]) -> Attr:
    if kind == "t":
        return tuple(parts)
    if kind == "f":
        return float(str(parts[0]))
    if kind == "s":
        name, low, high = parts
        return of(Symbol(str(name), _int(low), _int(high)))
    if kind == "symbol":
        return _symbol_of(parts[0])
    if kind == "q":
        return _quant(parts)
    if kind in ("sequence", "optional"):
        inner = parts[0]
        assert isinstance(inner, Type | Sequence | Optional)
        return Sequence(inner) if kind == "sequence" else Optional(inner)
    if kind == "type":
        element, *sizes = parts
        assert isinstance(element, Scalar | Quant)
        return Type(tuple(_size(s) for s in sizes), element)
    return _arithmetic(kind, [_size(p) for p in parts])


def _quant(parts: list[Attr]) -> Quant:
    store, scales, zeros, axis, rounding = parts
    assert isinstance(store, Scalar)
    assert isinstance(scales, tuple)
    assert isinstance(zeros, tuple)
    assert isinstance(axis, int | None)
    numbers = tuple(float(str(s)) for s in scales)
    return Quant(store, numbers, tuple(_int(z) for z in zeros), axis, str(rounding))


def _arithmetic(kind: str, sizes: list[Size]) -> Size:
    if kind in ("+", "*"):
        total: Size = 0 if kind == "+" else 1
        for s in sizes:
            total = total + s if kind == "+" else total * s
        return total
    if kind in ("//", "max", "min"):
        return Dim((((Operation(kind, sizes[0], sizes[1]),), 1),))
    raise ValueError(f"a form {kind}")


def _int(value: Attr) -> int:
    assert isinstance(value, int)
    return value


def _size(value: Attr) -> Size:
    assert isinstance(value, int | Dim)
    return value


def _symbol_of(value: Attr) -> Symbol:
    assert isinstance(value, Dim)
    atom = value.terms[0][0][0]
    assert isinstance(atom, Symbol)
    return atom


def _unquoted(token: str) -> str:
    return str(json.loads(token))
