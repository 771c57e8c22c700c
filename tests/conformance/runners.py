"""The two ways a case is run: Whet's meaning in NumPy, and the C that Whet emits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ModelProto

from tests.conformance.cases import Value
from tests.conformance.outcome import Runner, Session


class Meaning:
    """The imported Graph, evaluated op by op with NumPy."""

    name = "meaning"

    def prepare(self, model: ModelProto) -> Session:
        from whet.importers.onnx import load_graph
        from whet.ops.evaluate import evaluate

        graph = load_graph(model)

        def run(feeds: Mapping[str, Value]) -> Sequence[Value]:
            found = evaluate(graph, feeds)
            return [found[value.name] for value in model.graph.output]

        return run


class EmittedC:
    """The C that Whet emits for this machine, compiled and run."""

    name = "emitted C"

    def prepare(self, model: ModelProto) -> Session:
        from whet.compiler.pipeline import compile_graph
        from whet.importers.onnx import load_graph

        built = compile_graph(load_graph(model))
        session = built.session()

        def run(feeds: Mapping[str, Value]) -> Sequence[Value]:
            found = session(feeds)
            return [found[value.name] for value in model.graph.output]

        return run


RUNNERS: tuple[Runner, ...] = (Meaning(), EmittedC())
