"""Nodes without operands: graph inputs, constants and the states' current values."""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.element import Element, scalar_of
from whet.ir.node import Array, Node, Op, Value
from whet.ir.type import AnyType, Type


def _declared(*, type: AnyType, **_: object) -> AnyType:
    return type


def _unbound(node: Node, *_: Array) -> object:
    raise ShapeError(f"no value was given for {node['name']}")


parameter_op = Op("input", _declared, _unbound, family="leaf")
state_op = Op("state", _declared, _unbound, family="leaf")
constant_op = Op("constant", _declared, lambda node, *_: node["data"], family="leaf")


def parameter(name: str, type: AnyType) -> Value:
    """A graph input."""
    return parameter_op(name=name, type=type)


def state(name: str, type: Type) -> Value:
    """The value a state holds when a step begins."""
    return state_op(name=name, type=type)


def constant(data: object, element: Element | None = None) -> Value:
    """A known array; for a quantised element `data` holds the codes.

    data: anything NumPy takes; it is made contiguous and read-only (a copy only where needed).
    """
    array = np.asarray(data)
    chosen = scalar_of(array.dtype) if element is None else element
    array = np.ascontiguousarray(array, dtype=chosen.dtype).reshape(array.shape)
    array.flags.writeable = False
    return constant_op(data=array, type=Type(array.shape, chosen))


def known(value: Value | None) -> Array | None:
    """The array a constant holds, or None for any other value."""
    if value is None or value.op is not constant_op:
        return None
    data = value.node["data"]
    return data if isinstance(data, np.ndarray) else None


def data_of(value: Value) -> Array:
    """The array a constant holds.

    Raises:
        ShapeError: the value is no constant.
    """
    data = known(value)
    if data is None:
        raise ShapeError(f"a {value.op} where a constant is needed", where=value.node.origin)
    return data
