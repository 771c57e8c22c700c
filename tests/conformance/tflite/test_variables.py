"""Resource variables become states: an accumulator, step by step beside TFLite Micro."""

from __future__ import annotations

import flatbuffers
import numpy as np

import whet
from tests.conformance.integer.tflite_single_op import interpreter, schema

OPS = schema.BuiltinOperator
START = np.array([1.5, -2.0, 0.25], np.float32)


class Writer:
    """Builds a model of several subgraphs."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [], []
        self.model.buffers = [schema.BufferT()]

    def subgraph(self) -> object:
        g = schema.SubGraphT()
        g.tensors, g.inputs, g.outputs, g.operators = [], [], [], []
        self.model.subgraphs.append(g)
        return g

    def tensor(self, g: object, kind: int, data: np.ndarray | None = None) -> int:
        t, b = schema.TensorT(), schema.BufferT()
        t.shape = [] if kind == schema.TensorType.RESOURCE else [3]
        t.type, t.name = kind, f"t{len(g.tensors)}"
        if data is not None:
            b.data = np.frombuffer(data.tobytes(), np.uint8)
        self.model.buffers.append(b)
        t.buffer = len(self.model.buffers) - 1
        g.tensors.append(t)
        return len(g.tensors) - 1

    def operator(
        self, g: object, code: int, inputs: list[int], outputs: list[int], kind: str = "",
        **fields: object,
    ) -> None:  # fmt: skip
        op, named = schema.OperatorT(), schema.OperatorCodeT()
        named.builtinCode, named.deprecatedBuiltinCode, named.version = code, min(code, 127), 1
        self.model.operatorCodes.append(named)
        op.opcodeIndex = len(self.model.operatorCodes) - 1
        op.inputs, op.outputs = inputs, outputs
        if kind:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
            op.builtinOptions = getattr(schema, f"{kind}OptionsT")()
            for key, value in fields.items():
                setattr(op.builtinOptions, key, value)
        g.operators.append(op)

    def bytes(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def accumulator() -> bytes:
    """y = x + total; total becomes y."""
    w, kinds = Writer(), schema.TensorType
    main, first = w.subgraph(), w.subgraph()
    x, handle, total, y = (
        w.tensor(main, k) for k in (kinds.FLOAT32, kinds.RESOURCE, kinds.FLOAT32, kinds.FLOAT32)
    )
    named = {"container": "", "sharedName": "total"}
    w.operator(main, OPS.CALL_ONCE, [], [], "CallOnce", initSubgraphIndex=1)
    w.operator(main, OPS.VAR_HANDLE, [], [handle], "VarHandle", **named)
    w.operator(main, OPS.READ_VARIABLE, [handle], [total], "ReadVariable")
    w.operator(main, OPS.ADD, [x, total], [y], "Add")
    w.operator(main, OPS.ASSIGN_VARIABLE, [handle, y], [], "AssignVariable")
    main.inputs, main.outputs = [x], [y]
    inner, start = w.tensor(first, kinds.RESOURCE), w.tensor(first, kinds.FLOAT32, START)
    w.operator(first, OPS.VAR_HANDLE, [], [inner], "VarHandle", **named)
    w.operator(first, OPS.ASSIGN_VARIABLE, [inner, start], [], "AssignVariable")
    return w.bytes()


def test_an_accumulator_keeps_its_total() -> None:
    model = accumulator()
    graph = whet.import_model(model)
    session, oracle = whet.compile(graph).session(), interpreter(model)
    states = {s.name: s.initial for s in graph.states}
    assert [v.tolist() for v in states.values()] == [START.tolist()]
    for step in range(4):
        x = np.array([step, 0.5, -step], np.float32)
        oracle.set_input(x, 0)
        oracle.invoke()
        expected = oracle.get_output(0)
        meant = whet.evaluate(graph, {graph.input_names[0]: x}, states)
        states = {name: meant[name] for name in states}
        np.testing.assert_array_equal(meant[graph.output_names[0]], expected)
        made = session({graph.input_names[0]: x})[graph.output_names[0]]
        np.testing.assert_array_equal(made, expected)
