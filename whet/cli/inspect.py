"""`whet inspect`: what is in a model, before and after optimisation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from whet.artifact.artifact import open_artifact
from whet.artifact.interface import to_json
from whet.cli.model import is_artifact, parse_sizes, port_text, precision_option
from whet.cli.show import Cell, Json, json_option, print_json, print_table
from whet.errors import InputError
from whet.importers import import_model
from whet.ir.graph import Graph
from whet.ir.leaf import known
from whet.ir.text import graph_text
from whet.ops.cost import Cost, cost, precision_of
from whet.passes.pipeline import Fired, Observer, in_precision, optimize
from whet.plan.draw import size_text


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="NAME=N",
    help="Settle a dimension or a whole-number input.",
)
@click.option("--layers", is_flag=True, help="One line for each layer.")
@click.option("--dump", type=click.Path(path_type=Path), help="Write the graph after each pass.")
@precision_option
@json_option
def command(
    model: Path,
    sizes: tuple[str, ...],
    layers: bool,
    dump: Path | None,
    precision: str,
    as_json: bool,
) -> None:
    """Show a model's inputs and outputs, its ops, parameters, operations and memory traffic.

    MODEL is a model file, or an artifact. Operations count a multiply-add as two; sizes that vary
    count at their bounds.
    """
    if is_artifact(model):
        _artifact(model, as_json)
        return
    graph = import_model(model, parse_sizes(sizes))
    observe = _dumper(dump) if dump else None
    optimized = optimize(in_precision(graph, precision, observe), observe)
    if as_json:
        print_json(_document(model, graph, optimized))
        return
    products = ("products", "", precision_of(optimized))
    print_table(str(model), ("", "name", "type"), [*_ports(graph), products])
    print_table(
        "Ops", ("op", "imported", "optimised", "Mop", "weights", "moved"), _ops(graph, optimized)
    )
    if layers:
        columns = ("layer", "op", "type", "Mop", "weights", "moved")
        print_table("Layers, optimised", columns, _layers(optimized))


def _dumper(folder: Path) -> Observer:
    """Writes NN-PASS.txt: the rules a pass fired and the graph after it, as text that parses."""
    written = 0

    def observe(name: str, graph: Graph, fired: Fired) -> None:
        nonlocal written
        head = "".join(f"# {rule}: {count}\n" for rule, count in sorted(fired.items()))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{written:02d}-{name}.txt").write_text(head + graph_text(graph)[0])
        except OSError as error:
            raise InputError("the dump cannot be written", str(folder), str(error)) from None
        written += 1

    return observe


def _artifact(path: Path, as_json: bool) -> None:
    artifact = open_artifact(path, check_all=True)
    interface = artifact.interface
    if as_json:
        target: dict[str, Json] = dict(artifact.target)
        card: dict[str, Json] = dict(artifact.card)
        print_json({"interface": to_json(interface), "target": target, "card": card})
        return
    rows: list[tuple[Cell, ...]] = [("input", p.name, port_text(p)) for p in interface.inputs]
    rows += [("output", p.name, port_text(p)) for p in interface.outputs]
    rows += [("state", s.port.name, port_text(s.port)) for s in interface.states]
    rows += [
        ("arena", "", size_text(interface.arena_bytes)),
        ("weights", "", size_text(interface.weight_bytes)),
        ("target", artifact.target.get("name", ""), artifact.target.get("cpu", "")),
    ]
    print_table(str(path), ("", "name", "type"), rows)
    if artifact.card:
        print_table("Evidence", ("", ""), [(k, str(v)) for k, v in artifact.card.items()])


def _ports(graph: Graph) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = [
        ("input", name, str(value.type))
        for name, value in zip(graph.input_names, graph.inputs, strict=True)
    ]
    outputs = zip(graph.output_names, graph.outputs, strict=True)
    rows += [("output", name, str(value.type)) for name, value in outputs]
    return rows + [("state", state.name, str(state.value.type)) for state in graph.states]


def _ops(graph: Graph, optimized: Graph) -> list[tuple[Cell, ...]]:
    before = Counter(n.op.name for n in graph.nodes if n.op.family != "leaf")
    after = Counter(n.op.name for n in optimized.nodes if n.op.family != "leaf")
    costs: dict[str, Cost] = {}
    for node in optimized.nodes:
        costs[node.op.name] = costs.get(node.op.name, Cost()) + cost(node)
    order = sorted(before | after, key=lambda name: -costs.get(name, Cost()).operations)
    rows = [(n, before[n], after[n], *_cost_cells(costs.get(n, Cost()))) for n in order]
    total = sum(costs.values(), Cost())
    return [*rows, ("total", before.total(), after.total(), *_cost_cells(total))]


def _layers(graph: Graph) -> list[tuple[Cell, ...]]:
    return [
        (node.origin, node.op.name, str(node.types[0]), *_cost_cells(cost(node)))
        for node in graph.nodes
        if node.op.family != "leaf"
    ]


def _cost_cells(c: Cost) -> tuple[Cell, ...]:
    return c.operations / 1e6, size_text(c.weight_bytes), size_text(c.moved_bytes)


def _document(path: Path, graph: Graph, optimized: Graph) -> dict[str, Json]:
    nodes = [node for node in optimized.nodes if node.op.family != "leaf"]
    total = sum((cost(node) for node in nodes), Cost())
    constants = {v for n in optimized.nodes for v in n.operands}
    sizes = [data.size for data in map(known, constants) if data is not None]
    layers: list[Json] = [
        {
            "layer": node.origin,
            "op": node.op.name,
            "types": [str(t) for t in node.types],
            "operations": cost(node).operations,
            "weight_bytes": cost(node).weight_bytes,
            "moved_bytes": cost(node).moved_bytes,
        }
        for node in nodes
    ]
    return {
        "model": str(path),
        "precision": precision_of(optimized),
        "ports": [{"kind": str(k), "name": str(n), "type": str(t)} for k, n, t in _ports(graph)],
        "parameters": sum(sizes),
        "operations": total.operations,
        "weight_bytes": total.weight_bytes,
        "moved_bytes": total.moved_bytes,
        "imported_nodes": len([n for n in graph.nodes if n.op.family != "leaf"]),
        "layers": layers,
    }
