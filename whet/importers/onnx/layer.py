"""What a row sees of one ONNX node, and the table of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto

from whet.errors import ModelError
from whet.importers.onnx.whole import sizes_of
from whet.ir.dim import Size
from whet.ir.element import I64
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known
from whet.ir.node import Array, Value
from whet.ir.type import AnyType, Type
from whet.ops.convert import convert
from whet.ops.movement import reshape, slice_op

if TYPE_CHECKING:
    from whet.importers.onnx.translate import Scope

Result = Value | tuple[Value | None, ...]
Row = Callable[["Layer"], Result]

ROWS: dict[tuple[str, str], Row] = {}


def row(*names: str, domain: str = "") -> Callable[[Row], Row]:
    """Register how ONNX ops become nodes of the graph."""

    def register(function: Row) -> Row:
        for name in names:
            ROWS[domain, name] = function
        return function

    return register


@dataclass(frozen=True, slots=True)
class Layer:
    """One ONNX node with its operands translated."""

    proto: NodeProto
    inputs: tuple[Value | None, ...]
    version: int
    name: str
    scope: Scope

    def __getitem__(self, index: int) -> Value:
        """Input `index`, which must be there."""
        value = self.optional(index)
        if value is None:
            raise ModelError(f"input {index} is missing", where=self.name)
        return value

    def optional(self, index: int) -> Value | None:
        """Input `index`, or None where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def known(self, index: int) -> Array | None:
        """The array of input `index` where it is known now."""
        return known(self.optional(index))

    def constant(self, index: int, why: str) -> Array:
        """The array of an input that must be known when compiling."""
        array = self.known(index)
        if array is None:
            raise ModelError(f"input {index} must be constant", where=self.name, why=why)
        return array

    def known_ints(self, index: int) -> tuple[int, ...] | None:
        """Input `index` as a tuple of ints, or None where absent or not known."""
        array = self.known(index)
        return None if array is None else tuple(int(v) for v in array.reshape(-1))

    def _attribute(self, name: str) -> AttributeProto | None:
        return next((a for a in self.proto.attribute if a.name == name), None)

    def has(self, name: str) -> bool:
        """Whether an attribute is given."""
        return self._attribute(name) is not None

    def integer(self, name: str, default: int = 0) -> int:
        """An int attribute."""
        a = self._attribute(name)
        return default if a is None else int(a.i)

    def real(self, name: str, default: float = 0.0) -> float:
        """A float attribute."""
        a = self._attribute(name)
        return default if a is None else float(a.f)

    def text(self, name: str, default: str = "") -> str:
        """A string attribute."""
        a = self._attribute(name)
        return default if a is None else a.s.decode("utf-8", "replace")

    def integers(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A list of ints."""
        a = self._attribute(name)
        return default if a is None else tuple(int(v) for v in a.ints)

    def reals(self, name: str, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        """A list of floats."""
        a = self._attribute(name)
        return default if a is None else tuple(float(v) for v in a.floats)

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        a = self._attribute(name)
        return default if a is None else tuple(s.decode("utf-8", "replace") for s in a.strings)

    def tensor(self, name: str) -> Array | None:
        """A tensor attribute."""
        a = self._attribute(name)
        return None if a is None else self.scope.model.tensor(a.t, self.name)

    def kind(self, name: str) -> AnyType:
        """A type attribute."""
        a = self._attribute(name)
        if a is None:
            raise ModelError(f"attribute {name} is missing", where=self.name)
        return self.scope.type_from(a.tp, self.name)

    def sparse_tensor(self, name: str) -> Array:
        """A sparse tensor attribute as a dense array."""
        a = self._attribute(name)
        if a is None:
            raise ModelError(f"attribute {name} is missing", where=self.name)
        return self.scope.model.sparse_tensor(a.sparse_tensor)

    def graph(self, name: str) -> GraphProto:
        """A graph attribute."""
        a = self._attribute(name)
        if a is None:
            raise ModelError(f"attribute {name} is missing", where=self.name)
        return a.g

    def body(self, name: str, types: tuple[AnyType, ...]) -> tuple[Graph, tuple[Value, ...]]:
        """A graph attribute as a closed Graph over inputs of these types followed by what it
        captures; and the captured values."""
        return self.scope.body(self.graph(name), types, self.name)

    def axis(self, name: str, rank: int, default: int) -> int:
        """An axis attribute counted from the front."""
        return self.front(self.integer(name, default), rank)

    def front(self, axis: int, rank: int) -> int:
        """An axis counted from the front. Raises ModelError where it is not one."""
        if not -rank <= axis < max(rank, 1):
            raise ModelError(f"axis {axis} of a value with {rank} axes", where=self.name)
        return axis % rank if rank else 0

    def declared(self, index: int = 0) -> Type | None:
        """The tensor type the model declares for output `index`, where it does."""
        if index >= len(self.proto.output):
            return None
        found = self.scope.declared.get(self.proto.output[index])
        return found if isinstance(found, Type) else None

    def size(self, source: Value, high: int, label: str = "size", low: int = 0) -> Size:
        """A size that is the value of an i64 scalar; where that is known only at run time, a symbol
        within [low, high]."""
        source = self.settled(source)
        found = sizes_of(source, self.scope.whole)
        if found is not None and found.reshape(()).item() is not None:
            return cast(Size, found.reshape(()).item())
        return self.scope.bind(reshape(source, shape=()), low, high, f"{self.name} {label}")

    def extent(self, source: Value, axis: int, high: int) -> Size:
        """The size of the result along an axis: the value of an i64 scalar where that is known,
        else as the model declares it, else read at run time, at most `high`."""
        found, declared = self.sizes(source), self.declared()
        if found:
            return found[0]
        if declared is not None and -declared.rank <= axis < declared.rank:
            size = declared.shape[axis]
            if isinstance(size, int):
                return size
        return self.size(source, high)

    def sizes(self, value: Value | int | None) -> tuple[Size, ...] | None:
        """The elements of a whole-number value or input as far as they are known without data: as
        sizes; None where one is not known."""
        source = self.optional(value) if isinstance(value, int) else value
        found = None if source is None else sizes_of(self.settled(source), self.scope.whole)
        if found is None or any(n is None for n in found.ravel().tolist()):
            return None
        return tuple(found.ravel().tolist())

    def settled(self, value: Value) -> Value:
        """The value as a constant where all it is made of is known."""
        return self.scope.settled(value)

    def elements(self, index: int) -> tuple[Value, ...]:
        """The elements of a short input, each a scalar."""
        value = self[index]
        flat = reshape(value, shape=(value.tensor.elements,))
        if not isinstance(flat.shape[0], int):
            raise ModelError(f"input {index} has no known length", where=self.name)
        return tuple(
            reshape(slice_op(flat, begin=(i,), size=(1,), step=(1,)), shape=())
            for i in range(flat.shape[0])
        )

    def whole(self, index: int) -> Value | None:
        """Input `index` as i64."""
        value = self.optional(index)
        if value is None or value.tensor.element == I64:
            return value
        return convert(value, to=I64)


def scalar(value: float, like: Value) -> Value:
    """A constant scalar of the element type of another value."""
    return constant(np.asarray(value).astype(like.tensor.element.dtype), like.tensor.element)
