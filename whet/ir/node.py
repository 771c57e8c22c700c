"""Op, Node and Value: immutable, typed when made, so that an ill-typed node cannot exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from whet.errors import ShapeError
from whet.ir.dim import Dim, Size, Symbol, substitute
from whet.ir.element import F32, Quant, Scalar
from whet.ir.type import AnyType, Optional, Sequence, Type

Array = npt.NDArray[Any]

if TYPE_CHECKING:
    from whet.ir.graph import Graph

Attr: TypeAlias = (
    "bool | int | float | str | Symbol | Dim | Scalar | Quant | Type | Sequence | Optional | Array"
    " | Graph | tuple[Attr, ...] | None"
)
Infer = Callable[..., AnyType | tuple[AnyType, ...]]
Evaluate = Callable[..., object]

_origin: ContextVar[str] = ContextVar("origin", default="")


@contextmanager
def origin(layer: str) -> Iterator[None]:
    """Nodes made inside the block come from this layer of the user's model."""
    token = _origin.set(layer)
    try:
        yield
    finally:
        _origin.reset(token)


@dataclass(frozen=True, eq=False, slots=True)
class Op:
    """What a node computes, declared once.

    infer(*input_types, **attrs) gives the output type or types and raises ShapeError;
    evaluate(node, *arrays) gives the output array or a tuple of them: it is the meaning, for
    integer types the very bits. `family` is what lowering, fusion and layout need to know about
    the op: leaf, elementwise, movement, reduction, contraction, control or opaque.

    An op means what it means on reals. Where operands are quantised, the attribute `element` says
    how the first result is represented, and `quantized` holds the integer meaning.
    """

    name: str
    infer: Infer
    evaluate: Evaluate
    family: str = "opaque"
    quantized: Evaluate | None = None

    def __call__(self, *inputs: Value | None, **attrs: Attr) -> Value:
        """The first output of a new node."""
        return Node.make(self, inputs, attrs).outputs[0]

    def many(self, *inputs: Value | None, **attrs: Attr) -> tuple[Value, ...]:
        """All outputs of a new node."""
        return Node.make(self, inputs, attrs).outputs

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One application of an op. Compared by identity; `origin` names the layer it came from."""

    op: Op
    inputs: tuple[Value | None, ...]
    attrs: Mapping[str, Attr]
    types: tuple[AnyType, ...]
    origin: str = ""
    outputs: tuple[Value, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        outputs = tuple(Value(self, i) for i in range(len(self.types)))
        object.__setattr__(self, "outputs", outputs)

    @staticmethod
    def make(op: Op, inputs: tuple[Value | None, ...], attrs: Mapping[str, Attr]) -> Node:
        """A node with its types inferred.

        Raises:
            ShapeError: the operands do not fit the op; the message names the layer.
        """
        layer = _origin.get()
        try:
            types = _infer(op, inputs, dict(attrs))
        except ShapeError as error:
            where = error.where or (f"{op.name} of {layer}" if layer else op.name)
            raise ShapeError(error.what, where, error.why, error.hint) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # An operand that is absent, of another kind or of another rank than the op can take.
            why = f"{type(error).__name__}: {error}"
            raise ShapeError(f"operands do not fit {op.name}", layer, why) from error
        return Node(op, inputs, attrs, types, layer)

    def __getitem__(self, attr: str) -> Attr:
        return self.attrs.get(attr)

    def integer(self, attr: str, default: int = 0) -> int:
        """A whole-number attribute, sizes bound."""
        value = self.attrs.get(attr, default)
        if not isinstance(value, int):
            raise ShapeError(f"attribute {attr} is {value}, not a number", where=self.origin)
        return value

    def integers(self, attr: str) -> tuple[int, ...]:
        """A tuple of whole numbers, sizes bound."""
        value = self.attrs[attr]
        assert isinstance(value, tuple)
        return tuple(v for v in value if isinstance(v, int))

    def sizes(self, attr: str) -> tuple[Size, ...]:
        """A tuple of sizes, numbers or symbols."""
        value = self.attrs[attr]
        assert isinstance(value, tuple)
        return tuple(v for v in value if isinstance(v, int | Dim))

    def input(self, index: int) -> Value:
        """The input at `index`, which must be there."""
        value = self.operand(index)
        if value is None:
            raise ShapeError(f"{self.op} has no input {index}", where=self.origin)
        return value

    def operand(self, index: int) -> Value | None:
        """The input at `index`, or None where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def operands(self) -> tuple[Value, ...]:
        """The inputs that are there."""
        return tuple(v for v in self.inputs if v is not None)

    @property
    def bodies(self) -> tuple[tuple[str, Graph], ...]:
        """Sub-graphs held in attributes, by attribute name."""
        from whet.ir.graph import Graph

        return tuple((k, v) for k, v in self.attrs.items() if isinstance(v, Graph))

    def replace(self, inputs: tuple[Value | None, ...] | None = None, **attrs: Attr) -> Node:
        """The same op over other inputs or attributes; keeps where it came from."""
        with origin(self.origin):
            return Node.make(
                self.op, self.inputs if inputs is None else inputs, {**self.attrs, **attrs}
            )

    def bind(self, values: Mapping[Symbol, Size]) -> Node:
        """A view for evaluation in which symbols in attributes and types have values."""
        attrs = {k: bind_attr(v, values) for k, v in self.attrs.items()}
        types = tuple(t.bind(values) if isinstance(t, Type) else t for t in self.types)
        return Node(self.op, self.inputs, attrs, types, self.origin)


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """One output of a node."""

    node: Node
    index: int

    @property
    def type(self) -> AnyType:
        return self.node.types[self.index]

    @property
    def tensor(self) -> Type:
        """The type, which must be a tensor's."""
        t = self.node.types[self.index]
        if not isinstance(t, Type):
            raise ShapeError(f"a {t} where a tensor is needed", where=self.node.origin)
        return t

    @property
    def shape(self) -> tuple[Size, ...]:
        return self.tensor.shape

    @property
    def op(self) -> Op:
        return self.node.op


def _infer(op: Op, inputs: tuple[Value | None, ...], attrs: dict[str, Attr]) -> tuple[AnyType, ...]:
    operands = [None if v is None else v.type for v in inputs]
    element = attrs.pop("element", None)
    if element is not None:
        operands = [real(t) for t in operands]
    types = op.infer(*operands, **attrs)
    types = types if isinstance(types, tuple) else (types,)
    if isinstance(element, Scalar | Quant) and isinstance(types[0], Type):
        return (Type(types[0].shape, element), *types[1:])
    return types


def real(t: AnyType | None) -> AnyType | None:
    """The type of the real numbers that quantised codes stand for."""
    if isinstance(t, Type) and isinstance(t.element, Quant):
        return Type(t.shape, F32)
    return t


def bind_attr(attr: Attr, values: Mapping[Symbol, Size]) -> Attr:
    """An attribute with the symbols of its sizes and types replaced."""
    if isinstance(attr, Dim):
        return substitute(attr, values)
    if isinstance(attr, tuple):
        return tuple(bind_attr(a, values) for a in attr)
    return attr.bind(values) if isinstance(attr, Type) else attr
