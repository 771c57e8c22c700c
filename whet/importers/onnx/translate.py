"""A checked ONNX model -> Graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import GraphProto, NodeProto, TypeProto, ValueInfoProto

from whet.errors import ModelError, ShapeError, UnsupportedError, UnsupportedOp
from whet.importers.malformed import MALFORMED
from whet.importers.onnx import rows
from whet.importers.onnx.check import check_opsets, layer_name
from whet.importers.onnx.expand import expand
from whet.importers.onnx.layer import ROWS, Layer, Result
from whet.importers.onnx.load import LoadedModel, Source, load_model
from whet.importers.onnx.tensors import element_of
from whet.importers.onnx.type_proto import type_proto
from whet.importers.onnx.whole import Memo, sizes_of, source_of
from whet.ir.dim import UNBOUNDED, Size, Symbol, bounds, of, symbols
from whet.ir.element import scalar_of
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Value, origin
from whet.ir.type import AnyType, Optional, Sequence, Type
from whet.ops.movement import reshape
from whet.passes.fold import fold_constants
from whet.rewrite.bind import bind

Sizes = Mapping[str, int | tuple[int, int]]
rows.load_all()


def load_graph(source: Source, sizes: Sizes | None = None) -> Graph:
    """Read an ONNX model as a Graph.

    source: a path, the file's bytes or a ModelProto. sizes: for each named dimension of the inputs
    its value, or (low, high); one left free is known only when the model is evaluated. A whole-
    number input (a sampling rate, say) named here is a constant and no input any more.

    Raises:
        ModelError: the file is malformed or unsafe.
        UnsupportedError: ops that Whet does not know, all of them with their layers.
    """
    model = load_model(source)
    scope = Scope(model, check_opsets(model.proto), sizes or {})
    return scope.graph(model.proto.graph)


@dataclass
class Scope:
    """Names in force while one graph (or body) is translated."""

    model: LoadedModel
    opsets: dict[str, int]
    sizes: Sizes
    outer: Scope | None = None
    values: dict[str, Value | None] = field(default_factory=dict)
    declared: dict[str, AnyType] = field(default_factory=dict)
    bindings: list[tuple[Symbol, Value]] = field(default_factory=list)
    captured: dict[str, tuple[Value, Value]] = field(default_factory=dict)  # inner, outer
    missing: list[UnsupportedOp] = field(default_factory=list)
    memo: dict[Value, Value] = field(default_factory=dict)
    expanded: int = 0
    named: int = 0
    narrowed: dict[Symbol, int] = field(default_factory=dict)  # least upper bounds found
    whole: Memo = field(default_factory=dict)
    numbers: dict[tuple[Value, tuple[int, ...]], Symbol] = field(default_factory=dict)

    def graph(self, proto: GraphProto) -> Graph:
        """The main graph."""
        held = {t.name for t in proto.initializer} | {
            t.values.name for t in proto.sparse_initializer
        }
        inputs = []
        for info in proto.input:
            if info.name in held:
                continue
            settled_here = self._settled_input(info)
            value = settled_here or parameter(info.name, self.type_of(info))
            self.values[info.name] = value
            if settled_here is None:
                inputs.append(value)
        graph = self._finish(proto, tuple(inputs))
        tighter: dict[Symbol, Size] = {
            s: of(Symbol(s.name, s.low, high)) for s, high in self.narrowed.items() if high < s.high
        }
        return bind(graph, tighter) if tighter else graph

    def _settled_input(self, info: ValueInfoProto) -> Value | None:
        """A whole-number input that the caller gave a value as a constant, else None."""
        given, t = self.sizes.get(info.name), self.type_of(info)
        if not isinstance(given, int) or not isinstance(t, Type) or not t.static:
            return None
        if t.element.kind not in "iu":
            raise ModelError(f"an input of {t.element} cannot be settled", info.name)
        shape = tuple(d for d in t.shape if isinstance(d, int))
        return constant(np.full(shape, given, t.element.dtype), t.element)

    def body(
        self, proto: GraphProto, types: tuple[AnyType, ...], where: str
    ) -> tuple[Graph, tuple[Value, ...]]:
        """A body over inputs of these types and what it captures, and the captured values."""
        if len(proto.input) > len(types):
            raise ModelError(f"a body takes {len(proto.input)} inputs, not {len(types)}", where)
        names = [info.name for info in proto.input]
        names += [f"unused {i}" for i in range(len(names), len(types))]
        inputs = tuple(parameter(n, t) for n, t in zip(names, types, strict=True))
        return self.body_over(proto, inputs, inputs[: len(proto.input)], where)

    def body_over(
        self, proto: GraphProto, inputs: tuple[Value, ...], given: tuple[Value, ...], where: str
    ) -> tuple[Graph, tuple[Value, ...]]:
        """A body whose own inputs are values made of the parameters `inputs`, and what it captures.

        Raises:
            UnsupportedError: ops of the body that Whet does not know.
        """
        if len(proto.input) != len(given):
            raise ModelError(f"a body takes {len(proto.input)} inputs, not {len(given)}", where)
        inner = Scope(self.model, self.opsets, self.sizes, self)
        inner.values = {i.name: v for i, v in zip(proto.input, given, strict=True)}
        graph = inner._finish(proto, inputs)
        if inner.missing or len(graph.outputs) < len(proto.output):
            raise UnsupportedError(inner.missing)
        taken = tuple(v for v, _ in inner.captured.values())
        closed = replace(graph, inputs=(*inputs, *taken))
        return closed, tuple(v for _, v in inner.captured.values())

    def inline(self, proto: GraphProto) -> tuple[Value | None, ...]:
        """The outputs of a graph without inputs, its nodes translated among those of this one."""
        return self._translate(proto)

    def _finish(self, proto: GraphProto, inputs: tuple[Value, ...]) -> Graph:
        outputs = self._translate(proto)
        kept = tuple(v for v in outputs if v is not None)
        names = tuple(o.name for o in proto.output)
        return Graph(inputs, kept, names, (), tuple(self.bindings), proto.name or "model")

    def _translate(self, proto: GraphProto) -> tuple[Value | None, ...]:
        for tensor in proto.initializer:
            self.values[tensor.name] = constant(self.model.tensor(tensor))
        for sparse in proto.sparse_initializer:
            self.values[sparse.values.name] = constant(self.model.sparse_tensor(sparse))
        for info in (*proto.value_info, *proto.output):
            if _has_shape(info.type):
                self.declared[info.name] = self.type_of(info)
        for node in proto.node:
            self.node(node)
        if self.missing and self.outer is None:
            raise UnsupportedError(self.missing)
        return tuple(self.look_up(o.name) for o in proto.output) if not self.missing else ()

    def look_up(self, name: str) -> Value | None:
        """The value of a name, captured from outside where it is not of this graph."""
        if name in self.values:
            return self.values[name]
        if self.outer is None:
            raise ModelError("a name that nothing defines", where=name)
        value = self.outer.look_up(name)
        if value is None or known(value) is not None:
            return value
        inner = parameter(f"{name} (captured)", value.type)
        self.captured[name] = (inner, value)
        self.whole[inner] = sizes_of(value, self.outer.whole)
        self.values[name] = inner
        return inner

    def node(self, proto: NodeProto) -> None:
        """Translate one node by its row, else by the body ONNX gives it."""
        name = layer_name(proto)
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        function = ROWS.get((domain, proto.op_type))
        inputs = tuple(self.look_up(n) if n else None for n in proto.input)
        if any(v is None and n for n, v in zip(proto.input, inputs, strict=True)):
            self._skip(proto)
            return
        if function is None:
            if not self._expand(proto, inputs):
                self.missing.append(UnsupportedOp(proto.op_type, name, "no such op in Whet"))
                self._skip(proto)
            return
        try:
            with origin(name):
                version = self.opsets.get(domain, 1)
                result = function(Layer(proto, inputs, version, name, self))
        except ShapeError as error:
            raise ShapeError(error.what, error.where or name, error.why, error.hint) from None
        except MALFORMED as error:
            raise ModelError("the layer is malformed", name, f"{error}") from error
        except UnsupportedError as error:
            self.missing += error.ops
            self._skip(proto)
            return
        self._define(proto, result)

    def _skip(self, proto: NodeProto) -> None:
        for n in proto.output:
            self.values[n] = None

    def _define(self, proto: NodeProto, result: Result) -> None:
        results = result if isinstance(result, tuple) else (result,)
        for n, v in zip(proto.output, results, strict=False):
            if n:
                self.values[n] = None if v is None else self._as_declared(n, self.settled(v))

    def _as_declared(self, name: str, value: Value) -> Value:
        """The value with sizes that depend on data taken as the model declares them."""
        declared = self.declared.get(name)
        if not isinstance(declared, Type) or not isinstance(value.type, Type):
            return value
        if value.tensor.static or value.tensor.rank != declared.rank:
            return value
        bound = self.bound_symbols()
        pairs = zip(value.shape, declared.shape, strict=True)
        shape = tuple(
            n if isinstance(n, int) and _fits(d, n) and bound.issuperset(symbols(d)) else d
            for d, n in pairs
        )
        for d, n in zip(value.shape, shape, strict=True):
            self._narrow(d, n)
        return value if shape == value.shape else reshape(value, shape=shape)

    def _narrow(self, size: Size, wanted: Size) -> None:
        """Note how large the symbols of a size can be, if the size is `wanted`: a sum of parts that
        are not negative."""
        if isinstance(size, int) or not isinstance(wanted, int):
            return
        least = bounds(size)[0]
        for term, count in size.terms:
            symbol = term[0] if len(term) == 1 else None
            if isinstance(symbol, Symbol) and count > 0:
                high = symbol.low + (wanted - least) // count
                root = self.root()
                root.narrowed[symbol] = min(high, root.narrowed.get(symbol, symbol.high))

    def root(self) -> Scope:
        """The scope of the main graph."""
        return self if self.outer is None else self.outer.root()

    def bound_symbols(self) -> set[Symbol]:
        """The symbols that data decide, here and outside."""
        outside = self.outer.bound_symbols() if self.outer is not None else set()
        return {s for s, _ in self.bindings} | outside

    def settled(self, value: Value) -> Value:
        """The value as a constant where it can be one, also where only its sizes are known."""
        value = settled(value, self.memo)
        sizes = sizes_of(value, self.whole)
        if sizes is None or known(value) is not None:
            return value
        if not all(isinstance(n, int) for n in sizes.ravel().tolist()):
            return value
        return constant(sizes.astype(value.tensor.element.dtype), value.tensor.element)

    def _expand(self, proto: NodeProto, inputs: tuple[Value | None, ...]) -> bool:
        types = [TypeProto() if v is None else type_proto(v) for v in inputs]
        self.expanded += 1
        prefix = f"{proto.output[0]}/{proto.op_type}{self.expanded}/"
        body = expand(proto, types, self.opsets, prefix)
        if body is None:
            return False
        saved = self.opsets
        self.opsets = dict(body.opsets)
        for node in body.nodes:
            self.node(node)
        self.opsets = saved
        return True

    def bind(self, source: Value, low: int, high: int, label: str) -> Size:
        """A fresh size within [low, high] whose value is an i64 scalar computed at run time."""
        origin = source_of(source, self.whole)
        known = self.numbers.get(origin)
        if known is not None and low <= known.low and known.high <= high:
            return of(known)
        symbol = self.fresh(label, low, high)
        self.numbers[origin] = symbol
        self.bindings.append((symbol, source))
        return of(symbol)

    def fresh(self, label: str, low: int, high: int) -> Symbol:
        """A symbol that no other graph or body of the model has."""
        if self.outer is not None:
            return self.outer.fresh(label, low, high)
        self.named += 1
        return Symbol(f"{label} {self.named}", low, high)

    def type_of(self, info: ValueInfoProto) -> AnyType:
        """The type a ValueInfo declares; unnamed free dimensions get a name."""
        return self.type_from(info.type, info.name)

    def type_from(self, t: TypeProto, name: str) -> AnyType:
        """ONNX's form of a type as the graph's; `name` is the value's, for messages and sizes."""
        kind = t.WhichOneof("value")
        if kind == "sequence_type":
            return Sequence(self.type_from(t.sequence_type.elem_type, name))
        if kind == "optional_type":
            return Optional(self.type_from(t.optional_type.elem_type, name))
        if kind != "tensor_type":
            raise ModelError(
                f"a {kind or 'missing'} type", where=name, why="only tensors are known"
            )
        element = scalar_of(np.dtype(element_of(t.tensor_type.elem_type, name).dtype))
        dims = t.tensor_type.shape.dim
        return Type(tuple(self._dim(d, f"{name}.{i}") for i, d in enumerate(dims)), element)

    def _dim(self, dim: object, fallback: str) -> Size:
        value, named = dim.dim_value, dim.dim_param  # type: ignore[attr-defined]
        if dim.HasField("dim_value"):  # type: ignore[attr-defined]
            if value < 0:
                raise ModelError(f"a dimension of {value}", where=fallback)
            return int(value)
        label = named or fallback
        given = self.sizes.get(label, (0, UNBOUNDED))
        return given if isinstance(given, int) else of(Symbol(label, *given))


def _fits(size: Size, wanted: int) -> bool:
    low, high = bounds(size)
    return low <= wanted <= high


def _has_shape(t: TypeProto) -> bool:
    kind = t.WhichOneof("value")
    return kind is not None and (kind != "tensor_type" or t.tensor_type.HasField("shape"))


def settled(value: Value, memo: dict[Value, Value]) -> Value:
    """The value as a constant where all it is made of is constant; `memo` holds what is settled."""

    def settle(v: Value) -> Value:
        if v in memo or v.node.op.family in ("leaf", "control"):
            return memo.get(v, v)
        inputs = tuple(None if i is None else settle(i) for i in v.node.inputs)
        if not inputs or any(i is not None and known(i) is None for i in inputs):
            memo[v] = v
            return v
        folded = fold_constants.rewrite(v.node.replace(inputs), lambda _: 1)
        results = folded if isinstance(folded, tuple) else v.node.outputs
        memo.update(zip(v.node.outputs, results, strict=True))
        return memo[v]

    return settle(value)
