"""Types back into ONNX's own form, for its function bodies that depend on them."""

from __future__ import annotations

from onnx import TypeProto, helper

from whet.ir.node import Value
from whet.ir.type import AnyType, Optional, Sequence


def type_proto(value: Value) -> TypeProto:
    """The TypeProto of a value."""
    return _proto(value.type)


def _proto(t: AnyType) -> TypeProto:
    if isinstance(t, Sequence):
        return helper.make_sequence_type_proto(_proto(t.of))
    if isinstance(t, Optional):
        return helper.make_optional_type_proto(_proto(t.of))
    number = helper.np_dtype_to_tensor_dtype(t.element.dtype)
    shape = [d if isinstance(d, int) else str(d) for d in t.shape]
    return helper.make_tensor_type_proto(number, shape)
