"""Codes and what they stand for: conversions move to where they cost least, or meet and vanish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.ir.element import F32, I8, U8, Element, Quant
from whet.ir.graph import Graph
from whet.ir.leaf import constant, known, parameter
from whet.ir.node import Array, Node, Value
from whet.ir.type import Type
from whet.ops.convert import bitcast, convert, dequantize, quantize
from whet.ops.movement import broadcast, concat, pad, reshape, slice_op, transpose
from whet.ops.pooling import max_pool
from whet.rewrite.rule import Replacement, Rule, Uses, rule

MOVES = (reshape, transpose, slice_op, broadcast)
CODES = Quant(I8, (0.5,), (3,))


def codes_of(value: Value | None) -> Value | None:
    """The per-tensor 8-bit codes behind a dequantised value."""
    if value is None or value.op is not convert or value.tensor.element != F32:
        return None
    x = value.node.input(0)
    return x if is_code(x.tensor.element) else None


def is_code(element: Element) -> bool:
    """Whether an element is a signed 8-bit code with one scale."""
    return isinstance(element, Quant) and element.store == I8 and len(element.scale) == 1


def real_constant(value: Value | None) -> Array | None:
    """The numbers a constant holds, or that the codes of a constant stand for."""
    data = known(value)
    if data is not None or value is None:
        return data
    if value.op is reshape:
        inner = real_constant(value.node.input(0))
        return None if inner is None else inner.reshape(value.node.integers("shape"))
    if value.op is not convert:
        return None
    x = value.node.input(0)
    codes, element = known(x), x.tensor.element
    if codes is None or not isinstance(element, Quant):
        return None
    return dequantize(codes, element)


def coded(shape: tuple[int, ...], element: Quant = CODES) -> tuple[Value, Value]:
    """A float input and its codes, for examples."""
    x = parameter("x", Type(shape, F32))
    return x, convert(x, to=element)


def _graph(x: Value, y: Value) -> Graph:
    return Graph((x,), (y,), ("y",))


def _bitcasts() -> Graph:
    x, q = coded((2, 3))
    return _graph(x, convert(bitcast(bitcast(q, to=I8), to=CODES), to=F32))


@rule(bitcast, example=_bitcasts)
def bitcast_of_bitcast(node: Node, uses: Uses) -> Replacement:
    """bitcast(bitcast(x)) -> bitcast(x), or x where that is what it was."""
    x = node.input(0)
    if x.type == node.types[0]:
        return x
    if x.op is not bitcast:
        return None
    first = x.node.input(0)
    to = node["to"]
    assert isinstance(to, Element)
    return first if first.type == node.types[0] else bitcast(first, to=to)


def _recoded() -> Graph:
    x, q = coded((2, 3))
    wide = replace(CODES, store=U8, zero=(131,))
    return _graph(x, convert(convert(convert(q, to=wide), to=CODES), to=F32))


@rule(convert, example=_recoded)
def codes_of_same_numbers(node: Node, uses: Uses) -> Replacement:
    """convert(convert(codes, other codes of the same numbers)) -> codes."""
    inner = node.input(0)
    if inner.op is not convert:
        return None
    x = inner.node.input(0)
    same = x.type == node.types[0] and _same_numbers(x.tensor.element, inner.tensor.element)
    return x if same else None


def _same_numbers(a: Element, b: Element) -> bool:
    """Whether 8-bit codes differ by a constant only."""
    if not isinstance(a, Quant) or not isinstance(b, Quant):
        return False
    if {a.store, b.store} - {I8, U8} or (a.scale, a.axis) != (b.scale, b.axis):
        return False
    shift = (a.store == U8) * 128 - (b.store == U8) * 128
    return a.zero == tuple(z + shift for z in b.zero)


def _requantized() -> Graph:
    x, q = coded((2, 3))
    return _graph(x, convert(convert(convert(q, to=F32), to=Quant(I8, (0.25,), (0,))), to=F32))


@rule(convert, example=_requantized)
def requantize(node: Node, uses: Uses) -> Replacement:
    """quantise(dequantise(codes)) -> codes, converted where the elements differ."""
    q, to = codes_of(node.input(0)), node["to"]
    if q is None or not isinstance(to, Quant):
        return None
    return q if q.tensor.element == to else convert(q, to=to)


def _moved() -> Graph:
    x, q = coded((2, 3))
    return _graph(x, transpose(convert(q, to=F32), perm=(1, 0)))


def _recoded_late() -> Graph:
    x, q = coded((2, 3))
    wide = convert(q, to=replace(CODES, store=U8, zero=(131,)))
    moved = bitcast(reshape(bitcast(wide, to=U8), shape=(3, 2)), to=wide.tensor.element)
    return _graph(x, convert(moved, to=F32))


@rule(*MOVES, example=_recoded_late)
def move_recoded(node: Node, uses: Uses) -> Replacement:
    """move(recode(codes)) -> recode(move(codes)), and move(bitcast(x)) -> bitcast(move(x)): so
    that what undoes it can meet it."""
    x = node.input(0)
    if x.op not in (convert, bitcast):
        return None
    inner, to = x.node.input(0), x.tensor.element
    elements = (inner.tensor.element, to)
    if any(isinstance(e, Quant) and e.axis is not None for e in elements):
        return None
    if x.op is convert and not (is_code(elements[0]) and _same_numbers(*elements)):
        return None
    return x.op(node.replace((inner,)).outputs[0], to=to)


@rule(*MOVES, max_pool, example=_moved)
def move_codes(node: Node, uses: Uses) -> Replacement:
    """move(dequantise(codes)) -> dequantise(move(codes)); a larger number has a larger code."""
    q = codes_of(node.inputs[0])
    if q is None or node["element"] is not None:
        return None
    attrs = {"element": q.tensor.element} if node.op is max_pool else {}
    return convert(node.replace((q,), **attrs).outputs[0], to=F32)


def _joined() -> Graph:
    x, q = coded((2, 3))
    y = convert(q, to=F32)
    return _graph(x, concat(y, y, axis=0))


@rule(concat, example=_joined)
def join_codes(node: Node, uses: Uses) -> Replacement:
    """concat(dequantise(a), dequantise(b)) -> dequantise(concat(a, b)) of one element."""
    found = [codes_of(v) for v in node.inputs]
    elements = {v.tensor.element for v in found if v is not None}
    if None in found or len(elements) != 1:
        return None
    return convert(node.replace(tuple(found)).outputs[0], to=F32)


def _padded() -> Graph:
    x, q = coded((2, 3))
    y = pad(convert(q, to=F32), constant(np.float32(1)), low=(0, 1), high=(1, 0))
    return _graph(x, y)


@rule(pad, example=_padded)
def pad_codes(node: Node, uses: Uses) -> Replacement:
    """pad(dequantise(codes), v) -> dequantise(pad(codes, code of v)) where v has a code."""
    q, fill = codes_of(node.inputs[0]), known(node.inputs[1])
    if q is None or fill is None:
        return None
    element = q.tensor.element
    assert isinstance(element, Quant)
    code = quantize(fill, element)
    if node["mode"] in (None, "constant") and (dequantize(code, element) != fill).any():
        return None
    y = node.replace((q, constant(code, element))).outputs[0]
    return convert(y, to=F32)


def _quantized_late() -> Graph:
    x = parameter("x", Type((2, 3), F32))
    return _graph(x, convert(convert(transpose(x, perm=(1, 0)), to=CODES), to=F32))


@rule(convert, example=_quantized_late)
def quantize_first(node: Node, uses: Uses) -> Replacement:
    """quantise(move(x)) -> move(quantise(x)): fewer bytes move."""
    x, to = node.input(0), node["to"]
    if x.op not in MOVES or x.op is broadcast or uses(x) > 1 or x.tensor.element != F32:
        return None
    if not isinstance(to, Quant) or not is_code(to) or x.op is slice_op:
        return None
    return x.node.replace((convert(x.node.input(0), to=to),)).outputs[0]


def _quantized_parts() -> Graph:
    x, q = coded((2, 3))
    other = convert(convert(x, to=Quant(I8, (0.25,), (0,))), to=F32)
    joined = concat(convert(q, to=F32), other, axis=1)
    return _graph(x, convert(convert(joined, to=CODES), to=F32))


@rule(convert, example=_quantized_parts)
def quantize_parts(node: Node, uses: Uses) -> Replacement:
    """quantise(concat(dequantise(a), ...)) -> concat(convert(a), ...)."""
    x, to = node.input(0), node["to"]
    if x.op is not concat or uses(x) > 1 or not isinstance(to, Quant) or not is_code(to):
        return None
    if any(codes_of(v) is None and known(v) is None for v in x.node.inputs):
        return None
    parts = tuple(None if v is None else convert(v, to=to) for v in x.node.inputs)
    return x.node.replace(parts).outputs[0]


CODE_RULES: tuple[Rule, ...] = (
    bitcast_of_bitcast, codes_of_same_numbers, requantize, move_recoded, move_codes, join_codes,
    pad_codes,
    quantize_first, quantize_parts,
)  # fmt: skip
