"""The function body that ONNX itself gives an op: a node rewritten as nodes of simpler ops.

Bodies come from `onnx.defs`; some depend on the node's input types ("context dependent").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TypeProto

from whet.errors import ModelError
from whet.importers.onnx.signature import Schema, schema_of

Rename = Callable[[str], str]


class Body(NamedTuple):
    """The nodes that replace a node, to be read at their own opset versions (domain -> version).

    Outputs keep the node's names; every other name starts with the prefix asked for.
    """

    nodes: tuple[NodeProto, ...]
    opsets: Mapping[str, int]


def has_body(op_type: str, version: int, domain: str = "") -> bool:
    """Whether ONNX gives the op a function body at this opset version of its domain."""
    schema = schema_of(op_type, version, domain)
    return schema is not None and bool(_versions(schema))


def expand(
    node: NodeProto, input_types: Sequence[TypeProto], opsets: Mapping[str, int], prefix: str
) -> Body | None:
    """The node's function body, or None where ONNX gives none for these types.

    input_types: one for each of node.input, a bare TypeProto() for an omitted one. opsets: the
    versions under which the node is read. prefix: starts the names of inner values; must be unique
    in the graph. Raises ModelError if the body cannot be built.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    schema = schema_of(node.op_type, opsets[domain], domain)
    if schema is None:
        return None
    function = _function(schema, node, input_types, opsets.get("", opsets[domain]))
    if function is None or not function.node:
        return None
    attributes = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    attributes |= {attribute.name: attribute for attribute in node.attribute}
    names = dict(zip(function.input, node.input, strict=False))
    names |= {name: "" for name in function.input if name not in names}
    outputs = zip(function.output, node.output, strict=False)
    names |= {formal: given for formal, given in outputs if given}

    def rename(name: str) -> str:
        return names[name] if name in names else name and prefix + name

    nodes = tuple(_instantiated(inner, rename, attributes, prefix) for inner in function.node)
    versions = {opset.domain: opset.version for opset in function.opset_import}
    return Body(nodes, {**opsets, **versions})


def _versions(schema: Schema) -> list[int]:
    contextual = schema.context_dependent_function_opset_versions
    return sorted({*schema.function_opset_versions, *contextual})


def _function(
    schema: Schema, node: NodeProto, types: Sequence[TypeProto], version: int
) -> FunctionProto | None:
    """The body written for the newest opset not above `version`, else for the oldest there is."""
    given = _versions(schema)
    if not given:
        return None
    chosen = max((other for other in given if other <= version), default=given[0])
    try:
        if chosen in schema.function_opset_versions:
            text = schema.get_function_with_opset_version(chosen)
        else:
            build = schema.get_context_dependent_function_with_opset_version
            kinds = [each.SerializeToString() for each in types]
            text = build(chosen, node.SerializeToString(), kinds)
    except Exception as error:
        raise ModelError(
            "function body cannot be built", f"{node.op_type} '{node.name}'", str(error)
        ) from None
    function = FunctionProto()
    function.ParseFromString(text)
    return function


def _instantiated(
    template: NodeProto, rename: Rename, given: Mapping[str, AttributeProto], prefix: str
) -> NodeProto:
    """The template with its names renamed and its references to attributes replaced."""
    node = NodeProto()
    node.CopyFrom(template)
    del node.input[:], node.output[:], node.attribute[:]
    node.name = prefix + (template.name or template.op_type)
    node.input.extend(map(rename, template.input))
    node.output.extend(map(rename, template.output))
    for attribute in template.attribute:
        source = attribute
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in given:
                continue
            source = given[attribute.ref_attr_name]
        copy = node.attribute.add()
        copy.CopyFrom(source)
        copy.name = attribute.name
        if not attribute.ref_attr_name:
            for graph in [copy.g] if copy.type == AttributeProto.GRAPH else copy.graphs:
                _instantiate_graph(graph, rename, given, prefix)
    return node


def _instantiate_graph(
    graph: GraphProto, rename: Rename, given: Mapping[str, AttributeProto], prefix: str
) -> None:
    formal = {value.name for value in graph.input} | {each.name for each in graph.initializer}
    formal |= {output for node in graph.node for output in node.output if output}

    def inner(name: str) -> str:
        return prefix + name if name in formal else rename(name)

    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = inner(value.name)
    for tensor in graph.initializer:
        tensor.name = inner(tensor.name)
    nodes = [_instantiated(node, inner, given, prefix) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
