"""Fused epilogues as C functions over one vector of output channels."""

from __future__ import annotations

from collections import Counter

from whet.emit.expression import literal
from whet.emit.headers import named
from whet.emit.lowered import CodesEpilogue, Epilogue, Extra, Pitch
from whet.emit.program import Stage
from whet.emit.scalar import suffix, wide
from whet.emit.statement import pitch, pointer, pointer_list
from whet.errors import UnsupportedError, UnsupportedOp
from whet.ir.graph import Graph
from whet.ir.leaf import constant_op, data_of, parameter_op
from whet.ir.node import Node
from whet.ops.convert import convert
from whet.ops.elementwise import add, mul, sigmoid

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
CALLS = {
    "max": "vmax({1}, {0})", "min": "vmin({1}, {0})", "neg": "-{0}", "abs": "vabs({0})",
    "sqrt": "vsqrt({0})", "floor": "vfloor({0})", "ceil": "vceil({0})", "round": "vround({0})",
    "exp": "vexp({0})", "log": "vlog({0})", "tanh": "vtanh({0})", "sigmoid": "vsigmoid({0})",
    "gelu": "vgelu({0})", "erf": "verf({0})", "sin": "vsin({0})", "cos": "vcos({0})",
}  # fmt: skip
VECTOR_OPS = frozenset({*INFIX, *CALLS})
LOADS = {"f32": ("vload_n", "float"), "bf16": ("vload_bf16_n", "bf16")}

SIGNATURE = (
    "INLINE vf {name}(const void *const *extra, vf acc, long row, int channel, int lanes)\n{{\n"
    "    (void)extra, (void)row, (void)channel, (void)lanes;\n{body}\n}}\n"
)
SIGNATURE_S8 = SIGNATURE.replace("INLINE vf", "INLINE vi").replace("vf acc", "vi acc")


class Epilogues:
    """The epilogue functions of one model, each written once."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.texts: list[str] = []

    def name(self, epilogue: Epilogue | CodesEpilogue, stage: Stage) -> str:
        """The two last arguments of a kernel: the extra pointers and the function."""
        if isinstance(epilogue, CodesEpilogue):
            pointers = [pointer(p, stage) for p in (*epilogue.first.pointers, *epilogue.operands)]
            return f"{pointer_list(pointers)}, {self._written(_codes_body(epilogue), SIGNATURE_S8)}"
        if not epilogue.body.nodes or len(epilogue.body.nodes) == 1:
            return "0, identity_f32"
        strides = [
            pitch(e.row_stride, stage) if isinstance(e.row_stride, Pitch) else e.row_stride
            for e in epilogue.extras
        ]
        name = self._written(_vector_body(epilogue.body, strides), SIGNATURE)
        return f"{pointer_list([pointer(e.operand, stage) for e in epilogue.extras])}, {name}"

    def _written(self, body: str, signature: str) -> str:
        if body not in self.names:
            self.names[body] = f"epilogue_{len(self.names)}"
            self.texts.append(signature.format(name=self.names[body], body=body))
        return self.names[body]


def _codes_body(epilogue: CodesEpilogue) -> str:
    """The C of an int8 epilogue: 32-bit lanes of codes, which the kernel clamps and stores."""
    lines = [f"    vi v = {epilogue.first.name}(extra, acc, row, channel, lanes);"]
    index = len(epilogue.first.pointers)
    for step in epilogue.steps:
        shown = ["v"]
        for argument in step.arguments:
            if isinstance(argument, int):
                shown.append(str(argument))
                continue
            if isinstance(argument, float):
                shown.append(literal(argument, "f32"))
                continue
            place = f"(const s8 *)extra[{index}]"
            index += 1
            if isinstance(argument, Extra):
                place = f"load_s8({place} + row * {argument.row_stride} + channel, lanes)"
            shown.append(place)
        lines.append(f"    v = clamp_i(v, {step.low}, {step.high});")
        lines.append(f"    v = {step.function}({named(step.function, shown)});")
    return "\n".join([*lines, "    return v;"])


def _vector_body(graph: Graph, strides: list[int]) -> str:
    names: dict[Node, str] = {graph.inputs[0].node: "acc"}
    lines = []
    for i, (value, stride) in enumerate(zip(graph.inputs[1:], strides, strict=True)):
        row = f"row * {stride} + " if stride else ""
        load, kind = LOADS[suffix(value.tensor.element)]
        lines.append(
            f"    const vf x{i} = {load}((const {kind} *)extra[{i}] + {row}channel, lanes);"
        )
        names[value.node] = f"x{i}"
    parts = _joined(graph)
    for node in graph.nodes:
        if node.op is parameter_op or node in parts.values():
            continue
        if node.op is constant_op:
            data = data_of(node.outputs[0])
            names[node] = f"vset({literal(data.reshape(()).item(), 'f32')})"
            continue
        part = parts.get(node)
        if part is not None:
            expression = _expression_of_two(node, part, names)
        else:
            operands = [names[v.node] for v in node.operands]
            if node.op is convert and (_widens(node) or node is graph.outputs[0].node):
                names[node] = operands[0]  # the kernel rounds what it stores
                continue
            expression = _expression(node, operands)
        names[node] = f"t{len(lines)}"
        lines.append(f"    const vf {names[node]} = {expression};")
    return "\n".join([*lines, f"    return {names[graph.outputs[0].node]};"])


def _joined(graph: Graph) -> dict[Node, Node]:
    """Nodes that one expression computes together with the one of their operands that nothing else
    reads: x * sigmoid(x), and the sum of a product and something."""
    reads = Counter(v for node in graph.nodes for v in node.operands)
    found: dict[Node, Node] = {}
    for node in graph.nodes:
        for value in node.operands:
            if reads[value] > 1 or value in graph.outputs or node in found:
                continue
            part = value.node
            swish = node.op is mul and part.op is sigmoid and part.inputs[0] in node.operands
            if (swish or (node.op is add and part.op is mul)) and part not in found:
                found[node] = part
    return found


def _expression_of_two(node: Node, part: Node, names: dict[Node, str]) -> str:
    x, *others = [names[v.node] for v in part.operands]
    if part.op is sigmoid:
        return f"vswish({x})"
    (rest,) = [names[v.node] for v in node.operands if v.node is not part]
    return f"vfma({x}, {others[0]}, {rest})"


def _widens(node: Node) -> bool:
    return suffix(node.outputs[0].tensor.element) == "f32"


def _expression(node: Node, operands: list[str]) -> str:
    name = node.op.name
    if node.op is convert and suffix(node.outputs[0].tensor.element) == "bf16":
        return f"vround_bf16({operands[0]})"
    if wide(node.outputs[0].tensor.element) == "f32":
        if name in INFIX:
            return f"{operands[0]} {INFIX[name]} {operands[1]}"
        if name in CALLS:
            return CALLS[name].format(*operands)
    raise UnsupportedError([UnsupportedOp(name, node.origin, "no vector C form")])
