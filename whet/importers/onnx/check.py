"""Is a parsed ModelProto whole: versions, names, order, nesting, types and attributes.

What an op means, and whether it is supported, is for its row to say; this asks only what holds for
every ONNX model (onnx/docs/IR.md), so that rows may rely on it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import onnx
import onnx.defs
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TypeProto

from whet.errors import ModelError
from whet.importers.onnx import limits
from whet.importers.onnx.signature import check_signature

OPSET_LIMIT = {
    "": onnx.defs.onnx_opset_version(),
    "ai.onnx": onnx.defs.onnx_opset_version(),
    "ai.onnx.ml": onnx.defs.onnx_ml_opset_version(),
}


def check_model(model: ModelProto, name: str) -> ModelProto:
    """The model itself, its nodes sorted in place where they were not.

    Raises ModelError, naming the layer, for the first thing that no ONNX model may have.
    """
    if model.ir_version < 1 or model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            "unknown ONNX IR version",
            name,
            f"{model.ir_version}, this onnx package knows 1 to {onnx.IR_VERSION}",
            "pip install -U onnx",
        )
    opsets = check_opsets(model)
    outputs = [value.name for value in model.graph.output]
    if len(set(outputs)) != len(outputs):
        raise ModelError("graph output named twice", name)
    free = _check_graph(model.graph, opsets, name, 1)
    if free:
        value, layer = next(iter(free.items()))
        raise ModelError("value that nothing makes", layer, f"'{value}'")
    return model


def check_opsets(model: ModelProto | FunctionProto) -> dict[str, int]:
    """Domain -> version, "ai.onnx" spelled "". Raises ModelError for a repeated or unknown one."""
    opsets: dict[str, int] = {}
    check_text((opset.domain for opset in model.opset_import), "opset imports")
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        if opsets.setdefault(domain, opset.version) != opset.version:
            raise ModelError("two opset versions for one domain", f"'{domain}'")
        newest = OPSET_LIMIT.get(domain)
        if opset.version < 1 or (newest is not None and opset.version > newest):
            raise ModelError(
                "unknown opset version",
                f"'{domain or 'ai.onnx'}' {opset.version}",
                f"this onnx package knows 1 to {newest}",
                "pip install -U onnx",
            )
    if isinstance(model, ModelProto) and model.ir_version < 3:
        opsets.setdefault("", 1)
    return opsets


def layer_name(node: NodeProto) -> str:
    """What to call a node in messages: its op and its name, or its first output's."""
    label = node.name or next((output for output in node.output if output), "")
    return f"{node.op_type} '{label}'"


def check_text(texts: Iterable[object], where: str) -> None:
    """Raise ModelError for a name that is not UTF-8, which protobuf hands over as bytes."""
    for text in texts:
        if not isinstance(text, str):
            raise ModelError("name that is not UTF-8", where, str(text))


def _texts(graph: GraphProto) -> Iterator[object]:
    values = (*graph.input, *graph.output, *graph.value_info)
    for value in values:
        yield value.name
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs among the node's attributes."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _check_graph(
    graph: GraphProto, opsets: dict[str, int], where: str, depth: int
) -> dict[str, str]:
    """Check a graph and sort it in place; returns the names it takes from outside -> who asks."""
    if depth > limits.NESTING:
        raise ModelError("graphs nested too deep", where, f"limit {limits.NESTING}")
    if len(graph.node) > limits.NODES:
        raise ModelError("too many nodes", where, f"{len(graph.node)}, limit {limits.NODES}")
    check_text(_texts(graph), where)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _check_type(value.type, f"value '{value.name}'", 1)
    made = _outer_names(graph, where)
    producer: dict[str, int] = {}
    needs: list[dict[str, str]] = []
    for index, node in enumerate(graph.node):
        layer = layer_name(node)
        check_signature(node, opsets, layer)
        for output in filter(None, node.output):
            if output in made or output in producer:
                raise ModelError("value made twice", layer, f"'{output}'")
            producer[output] = index
        need = {value: layer for value in node.input if value}
        for inner in subgraphs(node):
            need |= _check_graph(inner, opsets, layer, depth + 1)
        needs.append(need)
    _sort(graph, needs, producer)
    asked = {value.name: where for value in graph.output}
    for need in needs:
        asked |= need
    return {value: layer for value, layer in asked.items() if value not in made | producer.keys()}


def _outer_names(graph: GraphProto, where: str) -> set[str]:
    inputs = [value.name for value in graph.input]
    weights = [tensor.name for tensor in graph.initializer]
    weights += [sparse.values.name for sparse in graph.sparse_initializer]
    for kind, names in (("graph input", inputs), ("initialiser", weights)):
        if not all(names):
            raise ModelError(f"{kind} without a name", where)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ModelError(f"{kind} named twice", where, f"'{twice}'")
    return {*inputs, *weights}


def _sort(graph: GraphProto, needs: Sequence[dict[str, str]], producer: dict[str, int]) -> None:
    """Put nodes after what they need, else in the order given; raises ModelError on a cycle."""
    sources = [{producer[value] for value in need if value in producer} for need in needs]
    if all(source < index for index, found in enumerate(sources) for source in found):
        return
    users: list[list[int]] = [[] for _ in sources]
    for index, found in enumerate(sources):
        for source in found:
            users[source].append(index)
    waiting = [len(found) for found in sources]
    ready = [index for index, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, user)
    if len(order) < len(sources):
        stuck = next(index for index, count in enumerate(waiting) if count)
        raise ModelError(
            "cyclic graph",
            layer_name(graph.node[stuck]),
            "it needs, through others, its own output",
        )
    nodes = [graph.node[index] for index in order]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _check_type(declared: TypeProto, where: str, depth: int) -> None:
    if depth > limits.NESTING:
        raise ModelError("type nested too deep", where, f"limit {limits.NESTING}")
    kind = declared.WhichOneof("value")
    if kind == "tensor_type":
        dims = declared.tensor_type.shape.dim
        limits.checked_shape((dim.dim_value for dim in dims), where)
    elif kind == "sequence_type":
        _check_type(declared.sequence_type.elem_type, where, depth + 1)
    elif kind == "optional_type":
        _check_type(declared.optional_type.elem_type, where, depth + 1)
    elif kind == "map_type":
        _check_type(declared.map_type.value_type, where, depth + 1)


_Key = tuple[str, str, str]


def check_functions(model: ModelProto, name: str) -> None:
    """Check that local functions have one definition each, do not call themselves, and inline to
    a graph within limits. Raises ModelError."""
    functions: dict[_Key, FunctionProto] = {}
    for function in model.functions:
        key = (function.domain, function.name, function.overload)
        if key in functions:
            raise ModelError("local function defined twice", name, f"'{function.name}'")
        functions[key] = function
        check_opsets(function)
    sizes: dict[_Key, int] = {}
    total = _inlined_size(model.graph.node, functions, sizes, ())
    if total > limits.NODES:
        raise ModelError(
            "local functions inline to too many nodes", name, f"{total}, limit {limits.NODES}"
        )


def _inlined_size(
    nodes: Sequence[NodeProto],
    functions: dict[_Key, FunctionProto],
    sizes: dict[_Key, int],
    calls: tuple[_Key, ...],
) -> int:
    total = 0
    for node in nodes:
        key = (node.domain, node.op_type, node.overload)
        total += 1
        if key in functions:
            if key in calls:
                raise ModelError("local function that calls itself", layer_name(node))
            if len(calls) >= limits.CALLS:
                raise ModelError("local functions nested too deep", layer_name(node))
            if key not in sizes:
                body = functions[key].node
                sizes[key] = _inlined_size(body, functions, sizes, (*calls, key))
            total += sizes[key]
        for inner in subgraphs(node):
            total += _inlined_size(inner.node, functions, sizes, calls)
    return total
