"""The functions of a model as C: one a stage, one a body, and those that run them in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from whet.emit import control, statement
from whet.emit.epilogue import Epilogues
from whet.emit.expression import size, symbol
from whet.emit.lowered import Branch, Call, Nest, Repeat
from whet.emit.page import comment
from whet.emit.program import (
    Action,
    Bind,
    Copy,
    Function,
    Parameter,
    Place,
    Program,
    Stage,
    Step,
    Strips,
    is_split,
)
from whet.emit.scalar import suffix
from whet.emit.strips import strips
from whet.emit.watch import Unwatched
from whet.ir.dim import Size

HOST = """\
/* What the threads of one run share: how they wait for each other, and the first failure. Work
 * before a wait reports in one status, work after it in the other: a thread that is slow to look at
 * the one does not see the other. */
struct model_host {
    void (*wait)(void *pool);
    void *pool;
    int status[2];
};
"""
MACROS = """\
/* Addresses in the arena and in the weights; the units of a stage that a thread does, as its
 * arguments `begin` and `end`; the bytes of later weights that it fetches at a turn. It fetches
 * from the first on, `alone` at each where it has all turns, `parts` times that where it has a
 * share, but a line at most: then it may end before the last of them. */
#define ARENA(bytes) (void *)(arena + (bytes))
#define WEIGHTS(bytes) (const void *)(weights + (bytes))
#define SHARE(units, part) (int)thread_share(units, part, parts)
#define UNITS(count) SHARE(count, part), SHARE(count, part + 1)
#define PACE(alone) LEAST((alone) * parts, 64)
#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b) ((a) > (b) ? (a) : (b))
#define WAIT(which)                     \\
    do {                                \\
        if (parts > 1)                  \\
            host->wait(host->pool);     \\
        if (host->status[which])        \\
            return host->status[which]; \\
    } while (0)
"""
ALONE = "0, 1, &(const struct model_host){0}"  # a stage in a body is run by one thread
RUN = """\
int model_run(const void *const *inputs, void *const *outputs, void *memory,
    const void *constants{dims})
{{
    struct model_host host = {{0}};
    return model_run_part(inputs, outputs, memory, constants{pass_dims}, 0, 1, &host);
}}
"""


def _indent(block: str) -> str:
    return block.replace("\n", "\n    ")


@dataclass(frozen=True, slots=True)
class _Text:
    """A stage's function: comment, declaration and body."""

    note: str
    head: str
    body: str


class Writer:
    """Writes each distinct function once; functions that would read the same are the same.

    watch: what the run notes of its own time.
    """

    def __init__(self, program: Program, watch: Unwatched | None = None) -> None:
        self.program = program
        self.watch = watch or Unwatched()
        self.epilogues = Epilogues()
        self.texts: dict[str, str] = {}  # body -> name
        self.stages: list[_Text] = []
        self.local: list[str] = []  # bodies and the stages that call them
        self.in_main = True
        self.reported = "host->status[0]"  # where the group that is being written reports
        self.locals = "".join(
            f"    const i64 {symbol(s)} = dims[{i}];\n    (void){symbol(s)};\n"
            for i, s in enumerate(program.symbols)
        )
        self.dims = ", i64 *dims" if program.symbols else ""
        self.pass_dims = ", dims" if program.symbols else ""

    def definitions(self) -> list[str]:
        """Epilogues, stages and bodies written so far."""
        stages = [f"{t.note}\nstatic {t.head}{t.body}" for t in self.stages]
        return [*self.epilogues.texts, *stages, *self.local]

    def main(self) -> str:
        """The public functions; the stages they call are written on the way."""
        text = self.graph(self.program.main, "model_run_part", public=True)
        return text + "\n" + RUN.format(dims=self.dims, pass_dims=self.pass_dims)

    def graph(self, function: Function, name: str, public: bool = False) -> str:
        """A function that runs a graph's steps in order.

        The public one is run by every thread: a split stage by all, each its share, others by
        part 0 alone, with a wait wherever work crosses from one to the other.
        """
        lines = self.main_lines(function) if public else self.body_lines(function)
        dims = self.dims + (
            ",\n    const int part, const int parts, struct model_host *host" if public else ""
        )
        head = (
            f"{'int' if public else 'static int'} {name}(const void *const *inputs, "
            f"void *const *outputs,\n    void *memory, const void *constants{dims})"
        )
        end = f"return {self.reported};" if public else "return status;"
        status = "" if public else "    int status = 0;\n"
        return (
            f"{head}\n{{\n    u8 *const arena = memory;\n    const u8 *const weights = constants;\n"
            f"{status}    (void)inputs, (void)outputs, (void)arena, (void)weights;\n"
            + "".join(f"    {_indent(block)}\n" for block in lines)
            + f"    {end}\n}}\n"
        )

    def main_lines(self, function: Function) -> list[str]:
        """Split stages, runs of other steps for part 0 alone, and waits between them."""
        groups: list[list[Action]] = []
        for step in function.steps:
            if is_split(step) or not groups or is_split(groups[-1][0]):
                groups.append([])
            groups[-1].append(step)
        lines = self.watch.begin()
        for i, group in enumerate(groups):
            self.reported = f"host->status[{i % 2}]"
            lines += [self.watch.wait(f"WAIT({(i - 1) % 2});")] if i else []
            texts = [self.watch.step(self.action(s, True)) for s in group]
            if is_split(group[0]):
                lines += texts
                continue
            block = "".join(f"    {_indent(t)}\n" for t in texts)
            stops = any(self.can_stop(s) for s in group)
            lines.append(f"if (part == 0) {'do ' * stops}{{\n{block}}}{' while (0);' * stops}")
        return lines

    def body_lines(self, function: Function) -> list[str]:
        return [self.action(s, False) for s in function.steps]

    def action(self, action: Action, public: bool) -> str:
        if isinstance(action, Step):
            return self.step(action, public)
        if isinstance(action, Strips):
            return strips(action, lambda step, span: self.watch.link(self.step(step, public, span)))
        return "\n".join(self.bind(action)) if isinstance(action, Bind) else self.copy(action)

    def copy(self, copy: Copy) -> str:
        target, source = _address(copy.target), _address(copy.source)
        return f"__builtin_memmove({target}, {source}, {self.size_now(copy.nbytes)});"

    def size_now(self, value: Size) -> str:
        """A size between steps, where symbols are read from `dims`."""
        return size(value, lambda name: f"dims[{self.program.symbols.index(name)}]")

    def bind(self, bind: Bind) -> list[str]:
        index = self.program.symbols.index(bind.symbol)
        lines = [
            f"dims[{index}] = *(const i64 *){_address(bind.source)};",
            f"if (dims[{index}] < {bind.low} || dims[{index}] > {bind.high}) {{",
        ]
        if self.in_main:
            return [*lines, f"    {self.reported} = WHET_BAD_SIZE;", "    break;", "}"]
        return [*lines, "    return WHET_BAD_SIZE;", "}"]

    def step(self, step: Step, public: bool, span: str = "") -> str:
        """A call of the stage, of units `span` or else of the thread's share."""
        name, stage = self.stage(step.stage), step.stage
        arguments = [
            _address(place)
            for parameter, place in zip(stage.inputs, step.inputs, strict=True)
            if parameter is not None and place is not None
        ]
        arguments += [_address(p) for p in (*step.outputs, *step.weights)]
        if step.scratch is not None:
            arguments.append(_address(step.scratch, step.each if public else 0))
        if stage.bodies:
            arguments.append("weights")
        units = stage.lowered.parallel
        if units is not None:
            count = self.size_now(units)
            shared = public and units != 1
            arguments.append(span or (f"UNITS({count})" if shared else f"0, {count}"))
        if stage.lowered.together:
            arguments.append(f"part, parts, {self.watch.host}" if public else ALONE)
        if step.fetch is not None:
            arguments.append(f"WEIGHTS({step.fetch.first}), PACE({step.fetch.pace})")
        call = f"{name}({', '.join(arguments)}{self.pass_dims if self.dims else ''})"
        ahead = f"fetches up to {step.fetch.nbytes} bytes of later weights" if step.fetch else ""
        said = "; ".join(filter(None, (step.origin, ahead)))
        note = f"{comment('/* ' + said)} */\n" if said else ""
        if not self.can_fail(stage):
            return f"{note}{call};"
        if public:
            return f"{note}if (({self.reported} = {call}))\n    break;"
        return f"{note}if ((status = {call}))\n    return status;"

    def can_stop(self, action: Action) -> bool:
        """Whether the run may end with it."""
        return isinstance(action, Bind) or (
            isinstance(action, Step) and self.can_fail(action.stage)
        )

    @staticmethod
    def can_fail(stage: Stage) -> bool:
        return bool(stage.bodies) or any(
            isinstance(s, Call) and s.checked for s in stage.lowered.statements
        )

    def stage(self, stage: Stage) -> str:
        """The name of the stage's function, writing it where it is new."""
        bodies = [self.body(f) for f in stage.bodies]
        fails = self.can_fail(stage)
        lines = ["int status = 0;"] if fails else []
        for s in stage.lowered.statements:
            lines += self.statement(s, stage, bodies)
        if fails:
            lines.append("return status;")
        text = "\n".join("    " + line for block in lines for line in block.split("\n"))
        body = f"\n{{\n{self.locals}{text}\n}}\n"
        written = f"{fails}({self.parameters(stage)}){body}"
        if written not in self.texts:
            name = f"stage_{len(self.texts)}_{re.sub(r'[^a-z0-9_]', '_', stage.lowered.kernel)}"
            self.texts[written] = name
            note = f"{comment('/* ' + stage.title)} */"
            head = f"{'int' if fails else 'void'} {name}({self.parameters(stage)})"
            if bodies:
                self.local.append(f"{note}\nstatic {head}{body}")
            else:
                self.stages.append(_Text(note, head, body))
        return self.texts[written]

    def body(self, function: Function) -> str:
        outside, self.in_main = self.in_main, False
        text = self.graph(function, "@")
        self.in_main = outside
        if text not in self.texts:
            name = self.texts[text] = f"body_{len(self.texts)}"
            self.local.append(text.replace("@(", name + "(", 1))
        return self.texts[text]

    def statement(
        self, s: Call | Nest | Branch | Repeat, stage: Stage, bodies: list[str]
    ) -> list[str]:
        if isinstance(s, Call):
            return [statement.call(s, stage, lambda e: self.epilogues.name(e, stage))]
        if isinstance(s, Nest):
            return statement.nest(s, stage)
        if isinstance(s, Branch):
            return control.branch(s, stage, bodies, self.pass_dims)
        return control.repeat(s, stage, bodies, self.pass_dims)

    def parameters(self, stage: Stage) -> str:
        shown = [_parameter(p) for p in stage.inputs if p is not None]
        shown += [_parameter(p) for p in (*stage.outputs, *stage.weights)]
        if stage.lowered.scratch or stage.lowered.scratch_each:
            shown.append("u8 *scratch")
        if stage.bodies:
            shown.append("const u8 *weights")
        if stage.lowered.parallel is not None:
            shown += ["const int begin", "const int end"]
        if stage.lowered.together:
            shown += ["const int part", "const int parts", "const struct model_host *host"]
        if stage.fetches:
            shown += ["const u8 *ahead", "const int pace"]
        return ", ".join(shown) + self.dims or "void"


def _parameter(parameter: Parameter) -> str:
    const = "" if parameter.written else "const "
    return f"{const}{suffix(parameter.element)} *{parameter.name}"


def _address(place: Place, each: int = 0) -> str:
    """Where a value lies; each: bytes from one thread's to the next one's."""
    offset = f"{place.offset} + part * {each}" if each else str(place.offset)
    match place.region:
        case "arena":
            return f"ARENA({offset})"
        case "weights":
            return f"WEIGHTS({offset})"
        case "held":
            return f"(void *)(held + {offset})"
        case "rows":
            return f"rows_{place.index}"
        case "input" | "output":
            base = f"{place.region}s[{place.index}]"
            const = "const " if place.region == "input" else ""
            return f"(void *)(({const}u8 *){base} + {offset})" if place.offset else base
