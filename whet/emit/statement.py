"""Statements of a stage as C: kernel calls and loop nests."""

from __future__ import annotations

from collections.abc import Callable

from whet.emit import scalar
from whet.emit.expression import is_zero, literal, multiple, size
from whet.emit.headers import named
from whet.emit.lowered import (
    Access,
    Ahead,
    Argument,
    Call,
    CodesEpilogue,
    Epilogue,
    Field,
    From,
    In,
    Item,
    Longs,
    Name,
    Nest,
    Out,
    Pitch,
    Portion,
    Ready,
    Record,
    Scratch,
    Weight,
    collapse,
)
from whet.emit.program import Stage
from whet.ir.dim import Dim, Size
from whet.ir.element import Element

Named = Callable[[Epilogue | CodesEpilogue], str]


def pointer(operand: In | Out | Weight | Scratch, stage: Stage) -> str:
    """The C expression of an operand's pointer inside a stage; 0 for an absent input."""
    if isinstance(operand, Scratch):
        return f"(void *)(scratch + {operand.offset})"
    if isinstance(operand, Weight):
        return stage.weights[operand.index].name
    parameters = stage.inputs if isinstance(operand, In) else stage.outputs
    parameter = parameters[operand.index]
    if parameter is None:
        return "0"
    shift = "" if is_zero(operand.offset) else f" + {size(operand.offset)}"
    if not is_zero(operand.each) and stage.lowered.parallel is not None:
        shift += f" + (i64)begin * {size(operand.each)}"
    return parameter.name + shift


def pitch(apart: Pitch, stage: Stage) -> int:
    """Elements from one row of an operand to the next."""
    parameters = stage.inputs if isinstance(apart.operand, In) else stage.outputs
    parameter = parameters[apart.operand.index]
    return apart.row if parameter is None or parameter.pitch is None else parameter.pitch


def call(statement: Call, stage: Stage, epilogue: Named) -> str:
    """function(arguments...), each after its parameter's name."""
    arguments: list[str] = []
    for argument in statement.arguments:
        shown = _argument(argument, stage, epilogue)
        # What an epilogue reads, and its function.
        pair = isinstance(argument, Epilogue | Ready | CodesEpilogue)
        arguments += shown.rsplit(", ", 1) if pair else [shown]
    text = f"{statement.function}({named(statement.function, arguments)});"
    if statement.checked:
        return f"if ((status = {text[:-1]}))\n    return status;"
    if statement.result is not None:
        return f"*{pointer(statement.result, stage)} = {text}"
    return text


def _record(record: Record, stage: Stage, epilogue: Named) -> str:
    def shown(value: Field) -> str:
        if isinstance(value, tuple):
            return "{" + ", ".join(map(shown, value)) + "}"
        return _argument(value, stage, epilogue)

    fields = ", ".join(f".{name} = {shown(value)}" for name, value in record.fields)
    return f"&(const {record.type}){{{fields}}}"


def pointer_list(pointers: list[str]) -> str:
    """The `extra` argument of a kernel; 0 for none."""
    return f"(const void *const[]){{{', '.join(pointers)}}}" if pointers else "0"


def _argument(argument: Argument, stage: Stage, epilogue: Named) -> str:
    if isinstance(argument, In | Out | Weight | Scratch):
        return pointer(argument, stage)
    if isinstance(argument, Name):
        return argument.text
    if isinstance(argument, Ahead):
        return argument.word if stage.fetches else "0"
    if isinstance(argument, Pitch):
        return str(pitch(argument, stage))
    if isinstance(argument, Record):
        return _record(argument, stage, epilogue)
    if isinstance(argument, Portion):
        return _portion(argument, stage)
    if isinstance(argument, From):
        split = stage.lowered.parallel is not None and argument.each
        return f"{argument.base} + begin * {argument.each}" if split else str(argument.base)
    if isinstance(argument, Item):
        return f"*{pointer(In(argument.index), stage)}"
    if isinstance(argument, Epilogue | CodesEpilogue):
        return epilogue(argument)
    if isinstance(argument, Ready):
        return f"{pointer_list([pointer(p, stage) for p in argument.pointers])}, {argument.name}"
    if isinstance(argument, Longs):
        return f"(const long[]){{{', '.join(size(v) for v in argument.values) or '0'}}}"
    if isinstance(argument, bool):
        return str(int(argument))
    if isinstance(argument, int | Dim):
        return size(argument)
    return literal(argument, "f64")


def nest(statement: Nest, stage: Stage) -> list[str]:
    """Nested loops over the extents, innermost contiguous where the strides allow."""
    extents, accesses = collapse(statement)
    names = [f"i{d}" for d in range(len(extents))]
    lines = [
        f"for (i64 {n} = 0; {n} < {size(e)}; {n}++)" for n, e in zip(names, extents, strict=True)
    ]
    units = stage.lowered.parallel
    if units is not None and lines:
        low, high = _range(statement.grain, extents[statement.axis], units)
        name = names[statement.axis]
        lines[statement.axis] = f"for (i64 {name} = {low}; {name} < {high}; {name}++)"
    if lines:
        lines.insert(len(lines) - 1, "#pragma clang loop vectorize(assume_safety)")
    places = [_place(a, names, stage) for a in accesses]
    indent = "    " * max(0, len(names))
    head = ["    " * min(i, _depth(lines, i)) + line for i, line in enumerate(lines)]
    return head + [indent + line for line in _assign(statement, places, stage)]


def _range(grain: int, total: Size, units: Size) -> tuple[str, str]:
    """The first of a call's share of a range, and the one past its last."""
    if total == units:
        return "begin", "end"
    if grain == 1:
        low, high = (f"(i64){n} * {size(total)} / {size(units)}" for n in ("begin", "end"))
        return low, high
    return f"(i64)begin * {grain}", f"LEAST((i64)end * {grain}, {size(total)})"


def _portion(portion: Portion, stage: Stage) -> str:
    if stage.lowered.parallel is None:
        return size(portion.total)
    begin, end = _range(portion.grain, portion.total, stage.lowered.parallel)
    return f"{end} - {begin}"


def _depth(lines: list[str], index: int) -> int:
    return sum(line.startswith("for") for line in lines[:index])


def _assign(statement: Nest, places: list[str], stage: Stage) -> list[str]:
    if statement.body is None:
        return [f"{places[0]} = {places[1]};"]
    inputs = [v.tensor.element for v in statement.body.inputs]
    loads = [
        f"const {scalar.wide(e)} a{i} = {scalar.load(e, p)};"
        for i, (e, p) in enumerate(zip(inputs, places[1:], strict=True))
    ]
    lines = scalar.body(statement.body, [f"a{i}" for i in range(len(loads))])
    element: Element = statement.body.outputs[0].tensor.element
    last = f"{places[0]} = {scalar.store(element, lines.results[0])};"
    return ["{", *("    " + s for s in (*loads, *lines.statements, last)), "}"]


def _place(access: Access, names: list[str], stage: Stage) -> str:
    terms = [multiple(n, s) for n, s in zip(names, access.strides, strict=True) if not is_zero(s)]
    if not is_zero(access.offset):
        terms.append(size(access.offset))
    return f"{pointer(access.operand, stage)}[{' + '.join(terms) or '0'}]"
