"""Session: a compiled model in this process, called with NumPy arrays."""

from __future__ import annotations

import _ctypes
import ctypes
import os
import weakref
from collections.abc import Mapping

import numpy as np

from whet.emit.program import Port, Program
from whet.errors import InputError, WhetError
from whet.ir.dim import Dim, Size, Symbol, of, substitute, symbols
from whet.ir.node import Array


class RunError(WhetError):
    """A check inside the compiled model failed on this input."""


STATUS = {1: "an index lies outside its tensor", 2: "a size exceeds its bound"}


def aligned(nbytes: int, alignment: int = 64) -> Array:
    """Zeroed bytes whose address is a multiple of `alignment`."""
    block = np.zeros(nbytes + alignment, np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + nbytes]


class Session:
    """Holds the arena, the weights and the states of one model; not for two threads at once."""

    def __init__(self, program: Program, code: bytes, weights: Array | None = None) -> None:
        self.program = program
        self._run = _load(code, self).model_run
        self._arena = aligned(max(1, program.main.arena))
        if weights is None:
            weights = aligned(max(1, len(program.weights)))
            weights[: len(program.weights)] = np.frombuffer(program.weights, np.uint8)
        self._weights = weights
        self._dims = (ctypes.c_int64 * max(1, len(program.symbols)))()
        self.reset()

    def reset(self) -> None:
        """Put every state back to its initial value."""
        for port, place, initial in self.program.states:
            source = self._weights[initial.offset : initial.offset + port.nbytes]
            self._arena[place.offset : place.offset + port.nbytes] = source

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Inputs are used in place where they are contiguous.

        Raises:
            InputError: an input is missing, or its shape or type does not fit.
            RunError: a check inside the model failed.
        """
        sizes: dict[Symbol, Size] = {}
        given = [_fit(p, inputs, sizes) for p in self.program.inputs]
        made = [np.empty(max(1, -(-p.nbytes // 8)), np.uint64) for p in self.program.outputs]
        for i, name in enumerate(self.program.symbols):
            known = [int(str(v)) for s, v in sizes.items() if s.name == name]
            self._dims[i] = known[0] if known else 0
        status = self._run(
            _pointers(given), _pointers(made),
            ctypes.c_void_p(self._arena.ctypes.data), ctypes.c_void_p(self._weights.ctypes.data),
            self._dims,
        )  # fmt: skip
        if status:
            raise RunError("the model stopped", why=STATUS.get(status, f"status {status}"))
        return {p.name: self._output(p, m) for p, m in zip(self.program.outputs, made, strict=True)}

    def _output(self, port: Port, memory: Array) -> Array:
        values: dict[Symbol, Size] = {
            s: self._dims[self.program.symbols.index(s.name)]
            for d in port.shape
            for s in symbols(d)
        }
        shape = tuple(int(str(substitute(d, values))) for d in port.shape)
        count = int(np.prod(shape, dtype=np.int64))
        return memory.view(port.element.dtype)[:count].reshape(shape)


def _load(code: bytes, owner: object) -> ctypes.CDLL:
    """The shared object from memory, without a file in the file system, while `owner` lives.

    The loader knows libraries by name, and the name here is that of the descriptor: it stays open
    until the library is gone, so that no other model is taken for this one.
    """
    descriptor = os.memfd_create("whet-model")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(code)
        library = ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    except BaseException:
        os.close(descriptor)
        raise
    weakref.finalize(owner, _unload, library._handle, descriptor)
    return library


def _unload(handle: int, descriptor: int) -> None:
    _ctypes.dlclose(handle)
    os.close(descriptor)


def _pointers(arrays: list[Array]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(a.ctypes.data for a in arrays))


def _fit(port: Port, inputs: Mapping[str, Array], sizes: dict[Symbol, Size]) -> Array:
    if port.name not in inputs:
        raise InputError("an input is missing", where=port.name)
    array = np.asarray(inputs[port.name])
    wanted = f"{port.element}[{', '.join(map(str, port.shape))}]"
    if array.dtype != port.element.dtype:
        raise InputError(f"input is {array.dtype}, the model takes {wanted}", where=port.name)
    if array.ndim != len(port.shape):
        raise InputError(
            f"input has shape {array.shape}, the model takes {wanted}", where=port.name
        )
    for size, n in zip(port.shape, array.shape, strict=True):
        symbol = next(symbols(size), None) if isinstance(size, Dim) else None
        if symbol is not None and size == of(symbol):
            fits = symbol.low <= n <= symbol.high and sizes.setdefault(symbol, n) == n
        else:
            fits = size == n
        if not fits:
            raise InputError(
                f"input has shape {array.shape}, the model takes {wanted}", where=port.name
            )
    return np.ascontiguousarray(array)
