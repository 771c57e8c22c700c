"""Nodes are typed when made; graphs order them; the verifier sees what does not hold."""

from __future__ import annotations

import numpy as np
import pytest

from whet.errors import CompileError, ShapeError
from whet.ir.dim import Symbol, of
from whet.ir.element import F32, I8, I64, Quant, scalar_of
from whet.ir.graph import Graph, State
from whet.ir.leaf import constant, known, parameter, parameter_op, state
from whet.ir.node import Node, origin
from whet.ir.type import Sequence, Type
from whet.ir.verify import signature, verify
from whet.ops.elementwise import add, mul
from whet.ops.evaluate import evaluate
from whet.ops.matmul import matmul
from whet.ops.movement import reshape

ROW = Type((4,), F32)


def test_an_ill_typed_node_cannot_exist() -> None:
    x, w = parameter("x", Type((2, 3), F32)), parameter("w", Type((4, 5), F32))
    with origin("MatMul 'head'"), pytest.raises(ShapeError, match="head") as caught:
        matmul(x, w)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("operands", [(), (None,), ("scalar", None), ("sequence", "scalar")])
def test_operands_of_another_kind_are_a_shape_error(operands: tuple[str | None, ...]) -> None:
    kinds = {
        "scalar": parameter("s", Type((), F32)),
        "sequence": parameter("q", Sequence(ROW)),
        None: None,
    }
    with pytest.raises(ShapeError):
        matmul(*(kinds[name] for name in operands))


def test_a_value_that_is_no_tensor_has_no_shape() -> None:
    with pytest.raises(ShapeError, match="where a tensor is needed"):
        _ = parameter("q", Sequence(ROW)).shape


def test_nodes_are_immutable() -> None:
    node = parameter("x", ROW).node
    with pytest.raises(AttributeError):
        node.origin = "elsewhere"  # type: ignore[misc]
    data = known(constant(np.arange(3)))
    assert data is not None
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 1


def test_the_layer_survives_replacement() -> None:
    x = parameter("x", ROW)
    with origin("Add 'a'"):
        node = add(x, x).node
    assert node.replace((x, parameter("y", ROW))).origin == "Add 'a'"


def test_an_attribute_that_is_no_number_is_refused() -> None:
    node = Node(parameter_op, (), {"axis": of(Symbol("N", 1, 3))}, (ROW,), "Gather 'g'")
    with pytest.raises(ShapeError, match="Gather 'g'"):
        node.integer("axis")
    assert node.integer("absent", 7) == 7


def test_operands_come_before_their_users() -> None:
    x = parameter("x", ROW)
    values = [x]
    for i in range(200):
        values.append(add(values[-1], values[i // 2]))
    nodes = Graph((x,), (values[-1],), ("y",)).nodes
    place = {node: i for i, node in enumerate(nodes)}
    assert len(nodes) == 201
    assert all(place[v.node] < place[n] for n in nodes for v in n.inputs if v is not None)


def test_a_deep_graph_needs_no_deep_stack() -> None:
    x = value = parameter("x", ROW)
    for _ in range(20_000):
        value = add(value, x)
    assert len(Graph((x,), (value,), ("y",)).nodes) == 20_001


def test_users_and_unused_nodes() -> None:
    x, y = parameter("x", ROW), parameter("y", ROW)
    product = mul(x, x)
    add(x, y)
    graph = Graph((x, y), (product,), ("p",))
    assert graph.users[x] == (product.node,)
    assert y.node in graph.nodes
    assert y not in graph.users


def accumulator() -> Graph:
    x, held = parameter("x", ROW), state("sum", ROW)
    total = add(x, held)
    return Graph((x,), (total,), ("y",), (State("sum", held, total, np.zeros(4, np.float32)),))


def test_a_state_becomes_its_next_value() -> None:
    graph = accumulator()
    verify(graph)
    one = np.ones(4, np.float32)
    first = evaluate(graph, {"x": one}, {"sum": one})
    assert first["sum"].tolist() == first["y"].tolist() == [2.0] * 4
    second = evaluate(graph, {"x": one}, {"sum": first["sum"]})
    assert second["y"].tolist() == [3.0] * 4


def test_the_verifier_names_what_does_not_hold() -> None:
    x, other = parameter("x", ROW), parameter("other", ROW)
    with pytest.raises(CompileError, match="input other is not one of the graph"):
        verify(Graph((x,), (add(x, other),), ("y",)))
    node = add(x, x).node
    wrong = Node(node.op, node.inputs, node.attrs, (Type((5,), F32),), "Add 'a'")
    with pytest.raises(CompileError, match=r"add is f32\[5\], not f32\[4\]: Add 'a'"):
        verify(Graph((x,), wrong.outputs, ("y",)))
    held = state("sum", ROW)
    shorter = reshape(held, shape=(2, 2))
    with pytest.raises(CompileError, match="state sum"):
        verify(Graph((), (), (), (State("sum", held, shorter, np.zeros(4, np.float32)),)))


def test_a_changed_signature_is_seen() -> None:
    x = parameter("x", ROW)
    promised = signature(Graph((x,), (add(x, x),), ("y",)))
    with pytest.raises(CompileError, match="have changed"):
        verify(Graph((x,), (reshape(x, shape=(2, 2)),), ("y",)), promised)


def test_types_count_elements_and_bytes() -> None:
    n = Symbol("N", 1, 8)
    t = Type((of(n), 3), I64)
    assert not t.static
    assert t.nbytes == 8 * 3 * 8
    assert t.elements == of(n) * 3
    assert t.bind({n: 2}) == Type((2, 3), I64)
    assert Type((2, 0), F32).nbytes == 0


def test_elements_show_what_they_are() -> None:
    assert str(Quant(I8, (0.5,), (-3,))) == "q<i8 0.5 -3 single>"
    assert str(Quant(I8, (0.5, 0.5), (0, 0), 1, "double")) == "q<i8 0.5x2 0x2 axis=1 double>"
    assert scalar_of(np.dtype("float32")) is F32
    with pytest.raises(KeyError):
        scalar_of(np.dtype("datetime64[s]"))
