"""Graph + target -> Program: a kernel for each node, a place for each value, the call list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from whet.emit.lowered import Branch, Lowered, Repeat
from whet.emit.port import Port
from whet.emit.program import Action, Bind, Copy, Function, Parameter, Place, Program, Stage, Strips
from whet.emit.program import Step as RunStep
from whet.errors import UnsupportedError, UnsupportedOp
from whet.ir.dim import UNBOUNDED, Symbol, static_size
from whet.ir.element import Element, Quant, Scalar, scalar_of
from whet.ir.graph import Graph, symbols_of
from whet.ir.leaf import known
from whet.ir.node import Node, Value
from whet.ir.type import Type
from whet.kernels.kernel import Choice, load_all
from whet.kernels.scratch import whole_lines
from whet.ops.cost import cost, graph_cost, integer_graph
from whet.ops.movement import concat
from whet.plan.ahead import fetch_ahead
from whet.plan.bands import GROWTH
from whet.plan.bound import round_up
from whet.plan.choosing import Choosing
from whet.plan.lifetime import Step
from whet.plan.memory import MemoryPlan, plan_memory
from whet.plan.operands import has_function, inputs_used
from whet.plan.order import order_steps
from whet.plan.strips import StripChain, find_chains
from whet.plan.validate import validate_plan
from whet.plan.validate_strips import validate_strips
from whet.plan.view import views_of
from whet.plan.weights import Weights
from whet.plan.within import Within, find_within
from whet.targets.target import Target

# About what one thread does, with codes more, and the shortest run that others take part in.
OPERATIONS_A_NANOSECOND, CODES_A_NANOSECOND, BYTES_A_NANOSECOND = 100, 300, 20
SHORTEST_NANOSECONDS = 20_000
# Bytes between what threads write, so that fetching a line and its neighbour takes no other's.
APART = 128
# The name of the scratch that threads keep from step to step.
OWN = "scratch of the threads"


class Aim(Enum):
    """What a plan gives bytes for.

    FASTEST: layers take turns in strips (`whet.plan.strips`), each thread has the same scratch in
    all steps, whose lines stay with it, and values that threads share may lie around one centre
    (`whet.plan.bands`), in a slightly larger arena. PACKED: the same, but values lie as low as they
    can. SMALLEST: a step for each node, which fetches no later weights, and scratch wherever there
    is room.
    """

    FASTEST = auto()
    PACKED = auto()
    SMALLEST = auto()


@dataclass(frozen=True, slots=True)
class Planned:
    """A program, the memory plan of its main graph, the choices that it takes, and what its user
    should know of it.

    scratch: the nodes of the main graph in the order they run, and the scratch bytes of each.
    """

    program: Program
    memory: MemoryPlan
    scratch: Mapping[Node, int]
    chosen: Mapping[str, Choice]
    notes: tuple[str, ...]


def plan_program(
    graph: Graph,
    target: Target,
    chosen: Mapping[str, Choice] | None = None,
    aim: Aim = Aim.FASTEST,
) -> Planned:
    """Choose kernels, place every value, and list the calls.

    chosen: what to take for kernel calls, by `call_key`, instead of what is likely the fastest.
    One that does not fit its call is left out, and the notes say so.

    Raises:
        UnsupportedError: nodes without a kernel on this target, all of them at once.
    """
    load_all()
    weights, choosing = Weights(), Choosing(target, chosen or {})
    room = _Room(graph, choosing, weights, "model_run", aim)
    inputs = tuple(_port(str(v.node["name"]), v) for v in graph.inputs)
    outputs = tuple(_port(n, v) for n, v in zip(graph.output_names, graph.outputs, strict=True))
    states = tuple(
        (_port(s.name, s.value), room.place(s.value), Place("weights", weights.place(s.initial)))
        for s in graph.states
    )
    symbols = sorted({s.name for s in room.symbols})
    program = Program(
        graph.name, room.function, inputs, outputs, states, tuple(symbols), weights.block(),
        tuple(dict.fromkeys(room.headers)), target.threads, room.shared, target.packing,
    )  # fmt: skip
    scratch = {node: room.scratch_of(lowered) for node, lowered in room.lowered.items()}
    notes = tuple(dict.fromkeys(choosing.notes))
    return Planned(program, room.memory, scratch, choosing.taken, notes)


def _is_long(graph: Graph) -> bool:
    """Whether a run is long beside waking the threads for it."""
    run = graph_cost(graph)
    rate = CODES_A_NANOSECOND if integer_graph(graph) else OPERATIONS_A_NANOSECOND
    spent = run.operations / rate + run.moved_bytes / BYTES_A_NANOSECOND
    return spent >= SHORTEST_NANOSECONDS


def storage(element: Element) -> Scalar:
    """The machine type an element is kept in."""
    return element.store if isinstance(element, Quant) else element


def _port(name: str, value: Value) -> Port:
    t = value.tensor
    quant = t.element if isinstance(t.element, Quant) and t.element.axis is None else None
    scale, zero = (quant.scale[0], quant.zero[0]) if quant else (None, 0)
    return Port(name, storage(t.element), t.shape, t.nbytes, scale, zero)


class _Room:
    """Plans one graph; each body has a room of its own inside its node's scratch.

    shared: whether threads share its stages, where a run has several. near: whether they do, and
    keep what they write near from step to step.
    """

    def __init__(
        self, graph: Graph, choosing: Choosing, weights: Weights, name: str,
        aim: Aim = Aim.SMALLEST,
    ) -> None:  # fmt: skip
        self.graph, self.choosing, self.weights, self.name = graph, choosing, weights, name
        self.target = choosing.target
        self.aim, in_strips = aim, aim is not Aim.SMALLEST
        self.headers: list[str] = []
        self.symbols: set[Symbol] = {s for v in graph.inputs for s in _symbols(v)}
        self.symbols |= {s for s, _ in graph.live_bindings}
        self.keys = {v: f"v{i}.{v.index}" for i, n in enumerate(graph.nodes) for v in n.outputs}
        self.bodies: dict[Node, tuple[Function, ...]] = {}
        self.lowered = self._lower_all()
        long = _is_long(graph)
        several = in_strips and long and self.target.threads > 1
        self.chains = self._chains(several) if in_strips else {}
        self.external = self._external()
        self.kept = set(graph.roots)
        self.within: dict[Value, Within] = {}
        self.shared = long and any(lowered.split for lowered in self.lowered.values())
        self.near = several and self.shared
        each = max((v.scratch_each for v in self.lowered.values() if self.near), default=0)
        self.each = round_up(each, APART)
        self.memory = self._plan_within()
        self.function = self._function()

    def _lower_all(self) -> dict[Node, Lowered]:
        found: dict[Node, Lowered] = {}
        failed: list[UnsupportedOp] = []
        for node in self.graph.nodes:
            if node.op.family == "leaf":
                continue
            try:
                found[node] = self._lower(node)
            except UnsupportedError as error:
                failed += error.ops
        if failed:
            raise UnsupportedError(failed)
        return found

    def _lower(self, node: Node) -> Lowered:
        rooms = [
            _Room(g, self.choosing, self.weights, n) for n, g in node.bodies if _is_control(node)
        ]
        for room in rooms:
            self.headers += room.headers
            self.symbols |= room.symbols
        self.bodies[node] = tuple(room.function for room in rooms)
        lowered = self.choosing.lower(node)
        self.headers += lowered.headers
        if any(has_function(s) for s in lowered.statements):
            self.headers.append("math_f32.h")
        start = whole_lines(lowered.scratch)
        arena = max((f.arena for f in self.bodies[node]), default=0)
        if not rooms:
            return lowered
        statements = tuple(
            replace(s, arena=start) if isinstance(s, Branch | Repeat) else s
            for s in lowered.statements
        )
        return replace(lowered, statements=statements, scratch=start + arena)

    def _chains(self, shared: bool) -> dict[Node, StripChain]:
        """Chains by their last node, which stands for all of it among the lowered."""
        by_rows = self.choosing.by_rows
        found = find_chains(self.graph, self.lowered, by_rows, self.target, shared=shared)
        for chain in found:
            for node in chain.nodes[:-1]:
                del self.lowered[node]
            lowered = self.lowered[chain.nodes[-1]] = chain.lowered()
            self.headers += lowered.headers
        return {chain.nodes[-1]: chain for chain in found}

    def _external(self) -> dict[Value, Place]:
        """Values that live outside the arena: inputs, constants, and outputs made by a kernel."""
        places = {v: Place("input", index=i) for i, v in enumerate(self.graph.inputs)}
        for node in self.graph.nodes:
            for v, (root, offset) in views_of(node).items():
                if v is node.outputs[0] and root in places:
                    places[v] = replace(places[root], offset=places[root].offset + offset)
        viewed = {v for n in self.graph.nodes for v in _viewed(n)}
        for i, v in enumerate(self.graph.outputs):
            if v not in places and v not in viewed and v.node.op.family != "leaf":
                places[v] = Place("output", index=i)
        return places

    def _plan_within(self) -> MemoryPlan:
        """The plan with values within wider ones, unless the arena is larger for it: by more than
        the one around a centre may be, where speed is the aim.
        """
        plan, order = self._plan(), self.lowered
        self.within = find_within(self.graph, self._alone, self._is_free)
        if not self.within:
            return plan
        within = self._plan()
        most = plan.arena_bytes * (1 + GROWTH if self.aim is Aim.FASTEST else 1)
        if within.arena_bytes <= most:
            return within
        self.within, self.lowered = {}, order
        return plan

    def _plan(self) -> MemoryPlan:
        listed: list[Step] = []
        sizes: dict[str, int] = {}
        views: dict[str, tuple[str, int]] = {}
        sized = [s.value for s in self.graph.states]
        for node, lowered in self.lowered.items():
            for v, (root, offset) in self._views(node).items():
                if v not in self.external and root not in self.external and self._in_arena(root):
                    self._turned(views, v)
                    views[self.keys[v]] = (self.keys[root], offset)
            operands = self.chains[node].reads if node in self.chains else node.inputs
            reads = {self.keys[v] for v in operands if v is not None}
            writes = tuple(self.keys[v] for v in node.outputs)
            scratch = lowered.scratch if self.each else self.scratch_of(lowered)
            step = Step(writes[0], tuple(sorted(reads)), writes, self._inplace(node), scratch)
            listed.append(step)
            sized += node.outputs
        _check_bounds(self.graph)
        for v in sized:
            if v not in self.external and isinstance(v.type, Type):
                within = self.within.get(v)
                sizes[self.keys[v]] = within.span(v) if within else max(1, v.tensor.nbytes)
        pinned = {self.keys[s.value]: self.keys[s.next] for s in self.graph.states}
        if self.each:
            sizes[OWN] = self.each * self.target.threads + APART
            pinned[OWN] = OWN
        kept = [self.keys[v] for v in self.graph.outputs if self.keys[v] in sizes]
        steps: Sequence[Step] = listed
        if not self.symbols:  # sizes that are data order steps in ways the planner does not see
            steps = order_steps(steps, sizes, views=views, pinned=pinned, outputs=kept)
            self._reorder(steps)
        shared = self.near and self.aim is Aim.FASTEST
        plan = plan_memory(steps, sizes, views=views, pinned=pinned, outputs=kept, shared=shared)
        rows = {self.keys[v]: self._row_bytes(v) for v in self.within}
        validate_plan(plan, steps, sizes, views=views, pinned=pinned, outputs=kept, rows=rows)
        return plan

    def _turned(self, views: dict[str, tuple[str, int]], value: Value) -> None:
        """Where a value that is a view, all of another one, is to lie in a third: the other one is
        a view of it instead."""
        at = views.get(self.keys[value])
        x = value.node.operand(0)
        if at is None or x is None or at != (self.keys[x], 0) or at[0] in views:
            return
        if x.node.op.family != "leaf" and x.tensor.nbytes == value.tensor.nbytes:
            views[at[0]] = (self.keys[value], 0)

    def _alone(self, node: Node) -> Lowered | None:
        """A node's statements, in a chain those that it has there."""
        for chain in self.chains.values():
            for layer in chain.layers:
                if layer.node is node:
                    return layer.lowered
        return self.lowered.get(node)

    def _is_free(self, value: Value) -> bool:
        """Whether a value may lie wherever there is room."""
        return self._in_arena(value) and value not in self.external and value not in self.kept

    def _row_bytes(self, value: Value) -> tuple[int, int]:
        """Of a value within another one, the bytes of a row, and from one to the next."""
        size = value.tensor.element.size
        return static_size(value.shape[-1]) * size, self.within[value].pitch * size

    def _views(self, node: Node) -> dict[Value, tuple[Value, int]]:
        """Values that lie in others where the node is done, rows apart from each other included."""
        views = views_of(node)
        for v in (*node.operands, *node.outputs):
            at = self.within.get(v)
            if at is not None and at.placed_by(v) is node:
                views[v] = (at.value, at.offset)
        return views

    def scratch_of(self, lowered: Lowered) -> int:
        """Bytes of scratch of a step, for all threads."""
        return lowered.scratch + lowered.scratch_each * self.target.threads

    def _reorder(self, steps: Sequence[Step]) -> None:
        """Put the lowered nodes in the order of their steps."""
        nodes = {self.keys[node.outputs[0]]: node for node in self.lowered}
        self.lowered = {nodes[s.name]: self.lowered[nodes[s.name]] for s in steps}

    def _in_arena(self, value: Value) -> bool:
        return value.node.op.family != "leaf" or any(s.value is value for s in self.graph.states)

    def _inplace(self, node: Node) -> tuple[tuple[str, str], ...]:
        """Elementwise results may overwrite an operand of the same shape and size."""
        if node.op.family != "elementwise" or node.outputs[0] in self.external:
            return ()
        out = node.outputs[0].tensor
        return tuple(
            (self.keys[node.outputs[0]], self.keys[v])
            for v in dict.fromkeys(node.inputs)
            if v is not None and v not in self.external and self._in_arena(v)
            and v.shape == out.shape and v.tensor.element.size == out.element.size
        )  # fmt: skip

    def place(self, value: Value) -> Place:
        """Where a value lives."""
        if value in self.external:
            return self.external[value]
        data = known(value)
        if data is not None:
            return Place("weights", self.weights.place(data))
        return Place("arena", self.memory.offsets[self.keys[value]])

    def _function(self) -> Function:
        leaves = [n for n in self.graph.nodes if n.op.family == "leaf"]
        steps: list[Action] = [b for n in leaves for v in n.outputs for b in self._binds(v)]
        for node, lowered in self.lowered.items():
            if node in self.chains:
                steps.append(self._strips(self.chains[node]))
            elif not self._is_view(node):
                steps.append(self._step(node, lowered))
            steps += [b for v in node.outputs for b in self._binds(v)]
        for source, target in self.memory.copies:
            values = {k: v for v, k in self.keys.items()}
            size = values[target].tensor.nbytes
            steps.append(Copy(self.place(values[source]), self.place(values[target]), size))
        for i, v in enumerate(self.graph.outputs):
            if self.place(v) != Place("output", index=i):
                size_ = v.tensor.elements * v.tensor.element.size
                steps.append(Copy(self.place(v), Place("output", index=i), size_))
        ahead = fetch_ahead(steps, self.target.l2) if self.aim is not Aim.SMALLEST else steps
        return Function(
            self.name, len(self.graph.inputs), len(self.graph.outputs), tuple(ahead),
            self.memory.arena_bytes,
        )  # fmt: skip

    def _binds(self, value: Value) -> list[Bind]:
        """The sizes that a value gives, once it is there."""
        found = self.graph.bound_by.get(value, ())
        return [Bind(s.name, s.low, s.high, self.place(value)) for s in found]

    def _is_view(self, node: Node) -> bool:
        """Whether the node's result already lies where it belongs."""
        if len(node.outputs) != 1 or node.outputs[0] in self.external:
            return len(node.outputs) == 1 and self.external[node.outputs[0]].region == "input"
        views = self._views(node)
        if not views:
            return False
        operands = set(node.operands)
        if node.outputs[0] not in views and operands != set(views):
            return False
        return all(
            self._in_arena(root) and root not in self.external and v not in self.external
            and self.place(v) == replace(self.place(root), offset=self.place(root).offset + offset)
            for v, (root, offset) in views.items()
        )  # fmt: skip

    def _strips(self, chain: StripChain) -> Strips:
        steps = tuple(self._step(layer.node, layer.lowered, chain) for layer in chain.layers)
        last = chain.nodes[-1]
        held, each = self._scratch(last, self.lowered[last])
        assert held is not None
        strips = Strips(chain.linked(steps), chain.strip, held, each)
        validate_strips(strips, self.target.threads)
        return strips

    def _step(self, node: Node, lowered: Lowered, chain: StripChain | None = None) -> RunStep:
        def place(value: Value) -> Place:
            return (chain.place(value) if chain else None) or self.place(value)

        if node.op is concat:
            lowered = self._left(node, lowered)
        used = {i for s in lowered.statements for i in inputs_used(s, len(node.inputs))}
        inputs, places = [], []
        for i, v in enumerate(node.inputs):
            read = v if i in used else None
            inputs.append(None if read is None else self._parameter(f"in{i}", read, False))
            places.append(None if read is None else place(read))
        outputs = tuple(self._parameter(f"out{i}", v, True) for i, v in enumerate(node.outputs))
        weights = tuple(
            Parameter(f"w{i}", scalar_of(c.dtype), False) for i, c in enumerate(lowered.constants)
        )
        stage = Stage(lowered, tuple(inputs), outputs, weights, _title(node), self.bodies[node])
        scratch, each = chain.room(lowered) if chain else self._scratch(node, lowered)
        return RunStep(
            stage,
            tuple(places),
            tuple(place(v) for v in node.outputs),
            tuple(Place("weights", self.weights.place(c)) for c in lowered.constants),
            scratch,
            node.origin,
            cost(node),
            each,
        )

    def _parameter(self, name: str, value: Value, written: bool) -> Parameter:
        at = self.within.get(value)
        return Parameter(name, storage(value.tensor.element), written, at.pitch if at else None)

    def _left(self, node: Node, lowered: Lowered) -> Lowered:
        """A concat without the copies of operands that lie in it."""
        there = {
            i for i, v in enumerate(node.inputs)
            if v in self.within and self.within[v].placed_by(v) is node
        }  # fmt: skip
        left = (s for s in lowered.statements if not inputs_used(s, len(node.inputs)) & there)
        return replace(lowered, statements=tuple(left)) if there else lowered

    def _scratch(self, node: Node, lowered: Lowered) -> tuple[Place | None, int]:
        """Where a step's scratch lies, and the bytes from one thread's to the next one's."""
        if lowered.scratch_each and self.each:
            return Place("arena", round_up(self.memory.offsets[OWN], APART)), self.each
        offset = self.memory.scratch.get(self.keys[node.outputs[0]])
        return None if offset is None else Place("arena", offset), lowered.scratch_each


def _check_bounds(graph: Graph) -> None:
    """Raise UnsupportedError for values that no arena has room for, all of them at once."""
    endless = [
        UnsupportedOp(n.op.name, n.origin, f"no bound is known for the size of {v.type}")
        for n in graph.nodes for v in n.outputs
        if isinstance(v.type, Type) and any(s.high >= UNBOUNDED for s in symbols_of(v.type))
    ]  # fmt: skip
    if endless:
        raise UnsupportedError(endless, hint="give bounds for the model's free sizes")


def _is_control(node: Node) -> bool:
    return node.op.family == "control"


def _viewed(node: Node) -> set[Value]:
    """Both sides of every view a node makes."""
    return {v for pair in views_of(node).items() for v in (pair[0], pair[1][0])}


def _symbols(value: Value) -> set[Symbol]:
    return set(symbols_of(value.type)) if isinstance(value.type, Type) else set()


def _title(node: Node) -> str:
    shapes = ", ".join(str(v.type) for v in node.operands if known(v) is None)
    made = ", ".join(str(v.type) for v in node.outputs)
    return f"{node.origin or node.op.name}: {node.op.name} {shapes} -> {made}"
