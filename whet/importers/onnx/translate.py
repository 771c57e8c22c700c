"""A checked ONNX model -> Graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import GraphProto, NodeProto, TypeProto, ValueInfoProto

from whet.errors import ModelError, ShapeError, UnsupportedError, UnsupportedOp
from whet.importers.onnx import rows
from whet.importers.onnx.check import check_opsets, layer_name
from whet.importers.onnx.expand import expand
from whet.importers.onnx.layer import ROWS, Layer, Result
from whet.importers.onnx.load import LoadedModel, Source, load_model
from whet.importers.onnx.tensors import element_of
from whet.importers.onnx.type_proto import type_proto
from whet.importers.onnx.whole import Memo, sizes_of
from whet.ir.dim import Size, Symbol, of
from whet.ir.element import scalar_of
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Value, origin
from whet.ir.type import AnyType, Optional, Sequence, Type
from whet.passes.fold import fold_constants

Sizes = Mapping[str, int | tuple[int, int]]
FREE = 1 << 31

rows.load_all()


def load_graph(source: Source, sizes: Sizes | None = None) -> Graph:
    """Read an ONNX model as a Graph.

    source: a path, the file's bytes or a ModelProto. sizes: for each named dimension of the inputs
    its value, or (low, high); one left free is known only when the model is evaluated.

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
    whole: Memo = field(default_factory=dict)

    def graph(self, proto: GraphProto) -> Graph:
        """The main graph."""
        held = {t.name for t in proto.initializer} | {
            t.values.name for t in proto.sparse_initializer
        }
        inputs = []
        for info in proto.input:
            if info.name not in held:
                value = parameter(info.name, self.type_of(info))
                self.values[info.name] = value
                inputs.append(value)
        return self._finish(proto, tuple(inputs))

    def body(
        self, proto: GraphProto, types: tuple[AnyType, ...], where: str
    ) -> tuple[Graph, tuple[Value, ...]]:
        """A body over inputs of these types and what it captures, and the captured values."""
        inner = Scope(self.model, self.opsets, self.sizes, self)
        if len(proto.input) > len(types):
            raise ModelError(f"a body takes {len(proto.input)} inputs, not {len(types)}", where)
        inputs = []
        for i, t in enumerate(types):
            name = proto.input[i].name if i < len(proto.input) else f"unused {i}"
            inputs.append(parameter(name, t))
            inner.values[name] = inputs[-1]
        graph = inner._finish(proto, tuple(inputs))
        self.missing += inner.missing
        taken = tuple(v for v, _ in inner.captured.values())
        closed = Graph(
            (*inputs, *taken), graph.outputs, graph.output_names, (), graph.bindings, proto.name
        )
        return closed, tuple(v for _, v in inner.captured.values())

    def _finish(self, proto: GraphProto, inputs: tuple[Value, ...]) -> Graph:
        for tensor in proto.initializer:
            self.values[tensor.name] = constant(self.model.tensor(tensor))
        for sparse in proto.sparse_initializer:
            self.values[sparse.values.name] = constant(self.model.sparse_tensor(sparse))
        for info in (*proto.value_info, *proto.output):
            if info.HasField("type"):
                self.declared[info.name] = self.type_of(info)
        for node in proto.node:
            self.node(node)
        if self.missing and self.outer is None:
            raise UnsupportedError(self.missing)
        names = tuple(o.name for o in proto.output)
        outputs = tuple(self.look_up(n) for n in names) if not self.missing else ()
        kept = tuple(v for v in outputs if v is not None)
        return Graph(inputs, kept, names, (), tuple(self.bindings), proto.name or "model")

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
        if any(n in self._unknown() for n in proto.input):
            self._skip(proto)
            return
        inputs = tuple(self.look_up(n) if n else None for n in proto.input)
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
        except UnsupportedError as error:
            self.missing += error.ops
            self._skip(proto)
            return
        self._define(proto, result)

    def _unknown(self) -> set[str]:
        return {n for n, v in self.values.items() if v is None and n}

    def _skip(self, proto: NodeProto) -> None:
        for n in proto.output:
            self.values[n] = None

    def _define(self, proto: NodeProto, result: Result) -> None:
        results = result if isinstance(result, tuple) else (result,)
        for n, v in zip(proto.output, results, strict=False):
            if n:
                self.values[n] = None if v is None else self.settled(v)

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
        symbol = self.fresh(label, low, high)
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
        return self._type(info.type, info.name)

    def _type(self, t: TypeProto, name: str) -> AnyType:
        kind = t.WhichOneof("value")
        if kind == "sequence_type":
            return Sequence(self._type(t.sequence_type.elem_type, name))
        if kind == "optional_type":
            return Optional(self._type(t.optional_type.elem_type, name))
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
        given = self.sizes.get(label, (0, FREE))
        return given if isinstance(given, int) else of(Symbol(label, *given))


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
