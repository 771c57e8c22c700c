"""A .tflite file -> Graph.

Storage is int8: codes of uint8 tensors are re-based by 128 inside, and stay uint8 for the user.
Quantised tensors keep TFLite Micro's rounding (`double`) in their types. Variables are states.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from whet.errors import ModelError, ShapeError, UnsupportedError, UnsupportedOp
from whet.importers.malformed import MALFORMED
from whet.importers.tflite import rows
from whet.importers.tflite.layer import ROWS, Layer
from whet.importers.tflite.names import op_name
from whet.importers.tflite.schema import Model, Operator, Subgraph, Tensor, read_model
from whet.importers.tflite.variables import Variables
from whet.ir.element import I8, U8, Element, Quant, scalar_of
from whet.ir.graph import Graph, State
from whet.ir.leaf import constant, known, parameter, state
from whet.ir.node import Value, origin
from whet.ir.type import Type
from whet.ops.convert import convert

rows.load_all()

COMPLEX = ("RFFT2D", "RESHAPE", "COMPLEX_ABS", "REAL", "IMAG")


def load_graph(source: str | os.PathLike[str] | bytes) -> Graph:
    """Read a .tflite file as a Graph.

    Raises:
        ModelError: the file is malformed or unsafe.
        UnsupportedError: ops that Whet does not know, all of them with their layers.
    """
    model = read_model(source)
    return _Translation(model, model.subgraphs[0]).graph()


def element_of(tensor: Tensor, rebase: bool = True) -> Element:
    """How a tensor is represented: uint8 codes as int8 when re-based.

    Raises ModelError for a zero point that is no code.
    """
    scalar = scalar_of(tensor.dtype)
    q = tensor.quantization
    if q is None or scalar.kind not in "iu":
        return scalar
    codes = np.iinfo(str(scalar.dtype))
    if outside := [z for z in q.zeros if not codes.min <= z <= codes.max]:
        raise ModelError("a zero point out of range", tensor.name, f"{outside[0]} for {scalar}")
    shift = 128 if rebase and scalar == U8 else 0
    axis = q.axis if len(q.scales) > 1 else None
    zeros = tuple(z - shift for z in q.zeros)
    return Quant(I8 if shift else scalar, q.scales, zeros, axis, "double")


@dataclass
class _Translation:
    model: Model
    source: Subgraph
    values: dict[int, Value] = field(default_factory=dict)
    states: dict[int, Value] = field(default_factory=dict)
    missing: list[UnsupportedOp] = field(default_factory=list)
    absent: set[int] = field(default_factory=set)
    kept: list[State] = field(default_factory=list)
    variables: Variables = field(default_factory=Variables)

    def graph(self) -> Graph:
        inputs = tuple(self._input(i) for i in self.source.inputs)
        for operator in self.source.operators:
            self._operator(operator)
        if self.missing:
            raise UnsupportedError(self.missing)
        outputs = tuple(self._output(i) for i in self.source.outputs)
        names = tuple(self.source.tensors[i].name or f"output_{i}" for i in self.source.outputs)
        states = tuple(self._state(i, v) for i, v in self.states.items())
        states = (*states, *self.kept, *self.variables.states())
        return Graph(inputs, outputs, _distinct(names), states, name=self.model.name)

    def _input(self, index: int) -> Value:
        tensor = self.source.tensors[index]
        outside = element_of(tensor, rebase=False)
        value = parameter(tensor.name or f"input_{index}", Type(tensor.shape, outside))
        inside = element_of(tensor)
        self.values[index] = value if inside == outside else convert(value, to=inside)
        return value

    def _output(self, index: int) -> Value:
        tensor, value = self.source.tensors[index], self.value(index)
        assert value is not None
        outside = element_of(tensor, rebase=False)
        return value if value.tensor.element == outside else convert(value, to=outside)

    def _state(self, index: int, value: Value) -> State:
        tensor = self.source.tensors[index]
        element = value.tensor.element
        zero = element.zero[0] if isinstance(element, Quant) else 0
        initial = np.full(tensor.shape, zero, element.dtype)
        return State(str(value.node["name"]), value, self.values[index], initial)

    def value(self, index: int) -> Value | None:
        """The value of a tensor: computed, constant, or the state of a variable."""
        if index < 0:
            return None
        if index not in self.values:
            tensor = self.source.tensors[index]
            if tensor.data is not None:
                self.values[index] = _constant(tensor)
            elif tensor.is_variable:
                name = tensor.name or f"variable_{index}"
                kept = state(name, Type(tensor.shape, element_of(tensor)))
                self.values[index] = self.states[index] = kept
            else:
                raise ModelError("a tensor that nothing computes", where=tensor.name)
        return self.values[index]

    def _initialise(self, operator: Operator) -> None:
        """Run the subgraph that gives variables their first values, which must be constant."""
        index = 0 if operator.options is None else operator.options.integer(0, "i")
        if not 0 < index < len(self.model.subgraphs):
            raise ModelError(f"no subgraph {index} to initialise variables", self.model.name)
        inner = _Translation(self.model, self.model.subgraphs[index])
        for step in inner.source.operators:
            if op_name(step.code) != "CALL_ONCE":
                inner._operator(step)
        self.missing += inner.missing
        for name, value in inner.variables.now.items():
            data = known(value)
            if data is None:
                raise ModelError("a variable that starts with a computed value", name)
            self.variables.initial[name] = data

    def _operator(self, operator: Operator) -> None:
        if op_name(operator.code) == "CALL_ONCE":
            self._initialise(operator)
            return
        name = f"{op_name(operator.code, operator.custom)} '{operator.label}'"
        row = ROWS.get(op_name(operator.code, operator.custom))
        tensors = [self.source.tensors[i] for i in operator.outputs]
        unknown = "" if row is not None else "no such op in Whet"
        if op_name(operator.code) not in COMPLEX and self._has_complex(operator):
            unknown = "complex numbers"
        if row is None or unknown or any(i in self.absent for i in operator.inputs):
            if unknown:
                kind = op_name(operator.code, operator.custom)
                self.missing.append(UnsupportedOp(kind, name, unknown))
            self.absent.update(operator.outputs)
            return
        layer = Layer(
            operator,
            tuple(self.value(i) for i in operator.inputs),
            tuple(element_of(t) for t in tensors),
            tuple(t.shape for t in tensors),
            name,
            self._is_legacy(operator),
            self.kept,
            self.variables,
        )
        try:
            with origin(name):
                result = row(layer)
        except ShapeError as error:
            raise ShapeError(error.what, error.where or name, error.why, error.hint) from None
        except MALFORMED as error:
            raise ModelError("the layer is malformed", name, f"{error}") from error
        results = result if isinstance(result, tuple) else (result,)
        for index, value in zip(operator.outputs, results, strict=False):
            self.values[index] = value
        # A row that updates variables gives their next values after its outputs.
        updated = [i for i in operator.inputs if i in self.states]
        for index, value in zip(updated, results[len(operator.outputs) :], strict=False):
            self.values[index] = value

    def _has_complex(self, operator: Operator) -> bool:
        operands = (*operator.inputs, *operator.outputs)
        return any(self.source.tensors[i].dtype.kind == "c" for i in operands if i >= 0)

    def _is_legacy(self, operator: Operator) -> bool:
        operands = (*operator.inputs[:1], *operator.outputs[:1])
        return any(self.source.tensors[i].dtype == np.uint8 for i in operands if i >= 0)


def _constant(tensor: Tensor) -> Value:
    element = element_of(tensor)
    assert tensor.data is not None
    if isinstance(element, Quant) and tensor.dtype == np.uint8:
        return constant((tensor.data.astype(np.int16) - 128).astype(np.int8), element)
    return constant(tensor.data, element)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen[name] = seen.get(name, 0) + 1
        result.append(name if count == 1 else f"{name}:{count}")
    return tuple(result)
