"""A Program as one self-contained, freestanding model.c and its model.h."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from whet.emit import control, statement
from whet.emit.epilogue import Epilogues
from whet.emit.expression import size, symbol
from whet.emit.program import (
    Bind, Branch, Call, Copy, Function, Nest, Parameter, Place, Program, Repeat, Stage, Step,
)  # fmt: skip
from whet.emit.scalar import suffix

INCLUDE = Path(__file__).parent.parent / "kernels" / "include"


def model_c(program: Program) -> str:
    """The whole model as C11: kernels it uses, one function a stage, and `model_run`."""
    writer = _Writer(program)
    text = writer.functions()
    return "\n".join([_banner(program), amalgamate(program.headers), text, ""])


def _banner(program: Program) -> str:
    rows = [
        f"/* {program.name}: {len(program.weights)} bytes of weights, {program.main.arena} bytes"
    ]
    rows.append(" * of arena. Freestanding C11: no allocation, no global state.")
    for kind, ports in (("input", program.inputs), ("output", program.outputs)):
        rows += [
            f" *   {kind} {p.name}: {p.element}[{', '.join(map(str, p.shape))}]" for p in ports
        ]
    return "\n".join([*(_comment(r) for r in rows), " */"])


def _comment(text: str) -> str:
    return text[:2] + text[2:].replace("*/", "* /").replace("/*", "/ *")


def amalgamate(headers: Iterable[str]) -> str:
    """The kernel headers' text in one piece, each once, in the order of inclusion."""
    done: set[str] = set()
    return "\n".join(_expand(name, done) for name in ("scalar.h", *headers))


def _expand(name: str, done: set[str]) -> str:
    if name in done:
        return ""
    done.add(name)
    text = (INCLUDE / name).read_text().replace("#pragma once\n", "")
    return re.sub(r'^#include "([\w.]+)"$', lambda m: _expand(m[1], done), text, flags=re.MULTILINE)


class _Writer:
    """Writes each distinct function once; functions that would read the same are the same."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.epilogues = Epilogues()
        self.texts: dict[str, str] = {}  # body -> name
        self.out: list[str] = []
        self.locals = "".join(
            f"    const i64 {symbol(s)} = dims[{i}];\n    (void){symbol(s)};\n"
            for i, s in enumerate(program.symbols)
        )
        self.dims = ", i64 *dims" if program.symbols else ""
        self.pass_dims = ", dims" if program.symbols else ""

    def functions(self) -> str:
        main = self.graph(self.program.main, "model_run", public=True)
        return "\n".join([*self.epilogues.texts, *self.out, main])

    def graph(self, function: Function, name: str, public: bool = False) -> str:
        """A function that runs a graph's steps in order."""
        lines = []
        for step in function.steps:
            if isinstance(step, Step):
                lines.append(self.step(step))
            elif isinstance(step, Bind):
                lines += self.bind(step)
            else:
                lines.append(_copy(step))
        head = (
            f"{'int' if public else 'static int'} {name}(const void *const *inputs, "
            f"void *const *outputs,\n    void *memory, const void *constants{self.dims})"
        )
        body = "\n".join("    " + line for block in lines for line in block.split("\n"))
        return (
            f"{head}\n{{\n    u8 *const arena = memory;\n    const u8 *const weights = constants;\n"
            "    int status = 0;\n    (void)inputs, (void)outputs, (void)arena, (void)weights;\n"
            f"{body}\n    return status;\n}}\n"
        )

    def bind(self, bind: Bind) -> list[str]:
        index = self.program.symbols.index(bind.symbol)
        return [
            f"dims[{index}] = *(const i64 *){_address(bind.source)};",
            f"if (dims[{index}] < {bind.low} || dims[{index}] > {bind.high})",
            "    return WHET_BAD_SIZE;",
        ]

    def step(self, step: Step) -> str:
        name = self.stage(step.stage)
        stage = step.stage
        arguments = [
            _address(place)
            for parameter, place in zip(stage.inputs, step.inputs, strict=True)
            if parameter is not None and place is not None
        ]
        arguments += [_address(p) for p in (*step.outputs, *step.weights)]
        if step.scratch is not None:
            arguments.append(_address(step.scratch))
        if stage.bodies:
            arguments.append("weights")
        if stage.lowered.parallel != 1:
            arguments += ["0", size(stage.lowered.parallel)]
        call = f"{name}({', '.join(arguments)}{self.pass_dims if self.dims else ''})"
        if self.can_fail(stage):
            return f"if ((status = {call}))\n    return status;"
        return call + ";"

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
        written = f"({self.parameters(stage)})\n{{\n{self.locals}{text}\n}}\n"
        head = "static int " if fails else "static void "
        if (head + written) not in self.texts:
            name = f"stage_{len(self.texts)}_{re.sub(r'[^a-z0-9_]', '_', stage.lowered.kernel)}"
            self.texts[head + written] = name
            self.out.append(f"{_comment('/* ' + stage.title)} */\n{head}{name}{written}")
        return self.texts[head + written]

    def body(self, function: Function) -> str:
        text = self.graph(function, "@")
        if text not in self.texts:
            name = self.texts[text] = f"body_{len(self.texts)}"
            self.out.append(text.replace("@(", name + "(", 1))
        return self.texts[text]

    def statement(
        self, s: Call | Nest | Branch | Repeat, stage: Stage, bodies: list[str]
    ) -> list[str]:
        if isinstance(s, Call):
            return [statement.call(s, stage, lambda e: self.epilogues.name(e, stage), "0, 0")]
        if isinstance(s, Nest):
            return statement.nest(s, stage)
        if isinstance(s, Branch):
            return control.branch(s, stage, bodies, self.pass_dims)
        return control.repeat(s, stage, bodies, self.pass_dims)

    def parameters(self, stage: Stage) -> str:
        shown = [_parameter(p) for p in stage.inputs if p is not None]
        shown += [_parameter(p) for p in (*stage.outputs, *stage.weights)]
        if stage.lowered.scratch:
            shown.append("u8 *scratch")
        if stage.bodies:
            shown.append("const u8 *weights")
        if stage.lowered.parallel != 1:
            shown += ["const int begin", "const int end"]
        return ", ".join(shown) + self.dims or "void"


def _parameter(parameter: Parameter) -> str:
    const = "" if parameter.written else "const "
    return f"{const}{suffix(parameter.element)} *{parameter.name}"


def _address(place: Place) -> str:
    if place.region in ("input", "output"):
        base = f"{place.region}s[{place.index}]"
        if not place.offset:
            return base
        const = "const " if place.region == "input" else ""
        return f"(void *)(({const}u8 *){base} + {place.offset})"
    if place.region == "weights":
        return f"(const void *)(weights + {place.offset})"
    return f"(void *)(arena + {place.offset})"


def _copy(copy: Copy) -> str:
    target, source = _address(copy.target), _address(copy.source)
    return f"__builtin_memmove({target}, {source}, {size(copy.nbytes)});"


def model_h(program: Program) -> str:
    """The public interface: sizes, ports and the one call."""
    guard = "WHET_MODEL_H"
    dims = ", int64_t *dims" if program.symbols else ""
    lines = [
        f"/* {_comment('  ' + program.name).strip()}: see model.c. */",
        f"#ifndef {guard}\n#define {guard}\n#include <stdint.h>",
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        f"enum {{ MODEL_ARENA_BYTES = {program.main.arena},",
        f"       MODEL_WEIGHT_BYTES = {len(program.weights)},",
        f"       MODEL_INPUTS = {len(program.inputs)}, MODEL_OUTPUTS = {len(program.outputs)} }};",
    ]
    for kind, ports in (("inputs", program.inputs), ("outputs", program.outputs)):
        lines += [
            f"/* {kind}[{i}] {p.name}: {p.element}[{', '.join(map(str, p.shape))}] */"
            for i, p in enumerate(ports)
        ]
    lines += [
        "/* Run the model once. memory: MODEL_ARENA_BYTES, constants: MODEL_WEIGHT_BYTES (weights.bin),",
        " * both aligned to 64. Returns 0, or the code of the check that failed. */",
        "int model_run(const void *const *inputs, void *const *outputs, void *memory,",
        f"              const void *constants{dims});",
        "#ifdef __cplusplus\n}\n#endif\n#endif\n",
    ]
    return "\n".join(lines)
