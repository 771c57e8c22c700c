"""Does a node fit its operator's schema: domain imported, inputs counted, attributes typed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, Protocol, cast

import onnx.defs
from onnx import AttributeProto, NodeProto

from whet.errors import ModelError

_Kind = onnx.defs.OpSchema.AttrType
_TYPES: dict[onnx.defs.OpSchema.AttrType, int] = {
    _Kind.FLOAT: AttributeProto.FLOAT,
    _Kind.INT: AttributeProto.INT,
    _Kind.STRING: AttributeProto.STRING,
    _Kind.TENSOR: AttributeProto.TENSOR,
    _Kind.GRAPH: AttributeProto.GRAPH,
    _Kind.SPARSE_TENSOR: AttributeProto.SPARSE_TENSOR,
    _Kind.TYPE_PROTO: AttributeProto.TYPE_PROTO,
    _Kind.FLOATS: AttributeProto.FLOATS,
    _Kind.INTS: AttributeProto.INTS,
    _Kind.STRINGS: AttributeProto.STRINGS,
    _Kind.TENSORS: AttributeProto.TENSORS,
    _Kind.GRAPHS: AttributeProto.GRAPHS,
    _Kind.SPARSE_TENSORS: AttributeProto.SPARSE_TENSORS,
    _Kind.TYPE_PROTOS: AttributeProto.TYPE_PROTOS,
}


class Attribute(Protocol):
    """An attribute as onnx.defs describes it."""

    type: onnx.defs.OpSchema.AttrType
    required: bool
    default_value: AttributeProto


class Schema(Protocol):
    """The part of onnx.defs.OpSchema read here and in `expand`; its stub omits some of it."""

    min_input: int
    max_input: int
    min_output: int
    max_output: int
    attributes: dict[str, Attribute]
    function_opset_versions: Sequence[int]
    context_dependent_function_opset_versions: Sequence[int]

    def get_function_with_opset_version(self, version: int) -> bytes: ...

    def get_context_dependent_function_with_opset_version(
        self, version: int, node: bytes, types: Sequence[bytes]
    ) -> bytes: ...


class Signature(NamedTuple):
    """What a schema says of a node: counts as (least, most); attribute name -> AttributeType."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    attributes: dict[str, int]
    required: frozenset[str]


def schema_of(op_type: str, version: int, domain: str) -> Schema | None:
    """The schema of an op at an opset version; None for an op the onnx package lacks."""
    try:
        return cast(Schema, onnx.defs.get_schema(op_type, version, domain))
    except onnx.defs.SchemaError:
        return None


@cache
def signature_of(op_type: str, version: int, domain: str) -> Signature | None:
    """The signature of an op at an opset version; None for an op the onnx package lacks."""
    schema = schema_of(op_type, version, domain)
    if schema is None:
        return None
    attributes = schema.attributes
    return Signature(
        (schema.min_input, schema.max_input),
        (schema.min_output, schema.max_output),
        {name: _TYPES[attribute.type] for name, attribute in attributes.items()},
        frozenset(name for name, attribute in attributes.items() if attribute.required),
    )


def check_signature(node: NodeProto, opsets: dict[str, int], layer: str) -> None:
    """Raise ModelError if the node does not fit the schema of its op, where there is one."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    if not node.op_type:
        raise ModelError("node without an op", layer)
    if domain not in opsets:
        raise ModelError("op of a domain the model does not import", layer, f"'{domain}'")
    names = [attribute.name for attribute in node.attribute]
    if len(set(names)) != len(names):
        raise ModelError("attribute given twice", layer)
    signature = signature_of(node.op_type, opsets[domain], domain)
    if signature is None:
        return
    _check_count(len(node.input), signature.inputs, "inputs", layer)
    _check_count(len(node.output), signature.outputs, "outputs", layer)
    for attribute in node.attribute:
        _check_attribute(attribute, signature, layer)
    missing = signature.required.difference(names)
    if missing:
        raise ModelError("required attribute is missing", layer, min(missing))


def _check_count(count: int, bounds: tuple[int, int], what: str, layer: str) -> None:
    if not bounds[0] <= count <= bounds[1]:
        raise ModelError(
            f"wrong number of {what}", layer, f"{count}, its op takes {bounds[0]} to {bounds[1]}"
        )


def _check_attribute(attribute: AttributeProto, signature: Signature, layer: str) -> None:
    expected = signature.attributes.get(attribute.name)
    if expected is None:
        raise ModelError(
            "unknown attribute",
            layer,
            f"'{attribute.name}'",
            "check that the opset version is the one the model was written for",
        )
    if attribute.ref_attr_name:
        raise ModelError(
            "attribute that refers to a function's, outside a function",
            layer,
            f"'{attribute.name}'",
        )
    if attribute.type != expected:
        kind = AttributeProto.AttributeType.Name
        raise ModelError(
            "attribute of the wrong type",
            layer,
            f"'{attribute.name}' is {kind(attribute.type)}, not {kind(expected)}",
        )
