"""Does a node fit its operator's schema: domain imported, inputs counted, attributes typed."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import onnx.defs
from onnx import AttributeProto, NodeProto

from whet.errors import ModelError


class Signature(NamedTuple):
    """What a schema says of a node: counts as (least, most); attribute name -> AttributeType."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    attributes: dict[str, int]
    required: frozenset[str]


@cache
def signature_of(op_type: str, version: int, domain: str) -> Signature | None:
    """The signature of an op at an opset version; None for an op the onnx package lacks."""
    try:
        schema = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None
    attributes = schema.attributes
    return Signature(
        (schema.min_input, schema.max_input),
        (schema.min_output, schema.max_output),
        {name: int(attribute.type.value) for name, attribute in attributes.items()},
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
        raise ModelError(f"wrong number of {what}", layer, f"{count}, its op takes {bounds[0]} to"
                         f" {bounds[1]}")


def _check_attribute(attribute: AttributeProto, signature: Signature, layer: str) -> None:
    expected = signature.attributes.get(attribute.name)
    if expected is None:
        raise ModelError("unknown attribute", layer, f"'{attribute.name}'",
                         "check that the opset version is the one the model was written for")
    if attribute.ref_attr_name:
        raise ModelError("attribute that refers to a function's, outside a function", layer,
                         f"'{attribute.name}'")
    if attribute.type != expected:
        kind = AttributeProto.AttributeType.Name
        raise ModelError("attribute of the wrong type", layer, f"'{attribute.name}' is"
                         f" {kind(attribute.type)}, not {kind(expected)}")
