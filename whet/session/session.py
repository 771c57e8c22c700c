"""Session: a built model in this process, called with NumPy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from whet.artifact.interface import Interface
from whet.emit.port import Port
from whet.errors import InputError, WhetError
from whet.ir.dim import Dim, Size, Symbol, of, static_shape, static_size, substitute, symbols
from whet.ir.node import Array
from whet.ir.type import size_product
from whet.session.address import address
from whet.session.library import Library, aligned, present
from whet.session.pool import Pool

STATUS = {1: "an index lies outside its tensor", 2: "a size exceeds its bound"}


class RunError(WhetError):
    """A check inside the compiled model failed on this input."""


def _stopped(status: int) -> RunError:
    return RunError("the model stopped", why=STATUS.get(status, f"status {status}"))


class Session:
    """Holds the arena, the weights and the states of one model; not for two callers at once.

    weights: used in place where they are aligned to 64 bytes. threads: results are the same for any
    number; a model too small to share runs on the caller's alone.

    Raises:
        InputError: fewer threads than 1, or more than the arena has scratch for.
    """

    def __init__(
        self, interface: Interface, code: bytes | memoryview, weights: bytes | memoryview,
        threads: int = 1,
    ) -> None:  # fmt: skip
        if not 1 <= threads <= interface.threads:
            hint = f"1 to {interface.threads}, for which it was compiled"
            raise InputError("bad number of threads", why=str(threads), hint=hint)
        self.interface = interface
        self._library = Library(code)
        # A bound is seldom used whole.
        memory = aligned if interface.symbols else present
        self._arena = memory(max(1, interface.arena_bytes))
        self._weights = _in_place(weights)
        self._dims = (ctypes.c_int64 * max(1, len(interface.symbols)))()
        self._pool = Pool(self._library, threads) if threads > 1 and interface.shared else None
        # What every call passes alike, made once: a call of a small model is as short as making it.
        self._given = (ctypes.c_void_p * max(1, len(interface.inputs)))()
        self._made = (ctypes.c_void_p * max(1, len(interface.outputs)))()
        self._memory = [ctypes.c_void_p(a.ctypes.data) for a in (self._arena, self._weights)]
        self._run = self._runner()
        self._settled = _settled(interface, self._given, self._made, self._run)
        self.reset()

    def reset(self) -> None:
        """Put every state back to its initial value."""
        for s in self.interface.states:
            source = self._weights[s.weight_offset : s.weight_offset + s.port.nbytes]
            self._arena[s.arena_offset : s.arena_offset + s.port.nbytes] = source

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name. Inputs are used in place where they are contiguous.

        Raises:
            InputError: an input is missing, or its shape or type does not fit.
            RunError: a check inside the model failed.
        """
        if self._settled is not None:
            return self._settled(inputs)
        ports, sizes = self.interface.outputs, dict[Symbol, Size]()
        given = [fit(p, inputs, sizes) for p in self.interface.inputs]
        made = [_memory(p, sizes) for p in ports]
        known = {s.name: n for s, n in sizes.items()}
        for i, name in enumerate(self.interface.symbols):
            self._dims[i] = static_size(known.get(name, 0))
        _point(self._given, given)
        _point(self._made, made)
        status = self._run()
        if status:
            raise _stopped(status)
        return {p.name: self._output(p, m) for p, m in zip(ports, made, strict=True)}

    def _runner(self) -> Callable[[], int]:
        """What a call runs once inputs, outputs and sizes are in their places; its status."""
        dims = self._dims if self.interface.symbols else None
        arguments = (self._given, self._made, *self._memory, dims)
        if self._pool is None:
            return partial(self._library["model_run"], *arguments)
        # The address of what each thread of the pool runs.
        part = self._library.address("model_run_part")
        return partial(self._pool.run, part, *arguments)

    def _output(self, port: Port, memory: Array) -> Array:
        if memory.shape == port.shape:
            return memory
        names = self.interface.symbols
        values: dict[Symbol, Size] = {
            s: self._dims[names.index(s.name)] for d in port.shape for s in symbols(d)
        }
        shape = static_shape(substitute(d, values) for d in port.shape)
        count = int(np.prod(shape, dtype=np.int64))
        return memory.view(port.element.dtype)[:count].reshape(shape)


_Call = Callable[[Mapping[str, Array]], dict[str, Array]]


def _settled(
    interface: Interface,
    given: ctypes.Array[ctypes.c_void_p],
    made: ctypes.Array[ctypes.c_void_p],
    run: Callable[[], int],
) -> _Call | None:
    """A call of a model whose sizes are all known: nothing of it is looked up twice.

    None where a size is free.
    """
    ports = (*interface.inputs, *interface.outputs)
    if interface.symbols or any(isinstance(d, Dim) for p in ports for d in p.shape):
        return None
    known = [(p.name, static_shape(p.shape), p.element.dtype) for p in ports]
    count = len(interface.inputs)
    taken = [(i, interface.inputs[i], *k) for i, k in enumerate(known[:count])]
    returned = [(i, *k) for i, k in enumerate(known[count:])]
    ndarray, empty = np.ndarray, np.empty

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        kept = []  # until the call is over, whatever becomes of the caller's mapping
        for i, port, name, shape, dtype in taken:
            a = inputs.get(name)
            if (
                type(a) is not ndarray
                or a.shape != shape
                or a.dtype != dtype
                or not a.flags.c_contiguous
            ):
                a = fit(port, inputs, {})
            kept.append(a)
            given[i] = address(a)
        outputs = {}
        for i, name, shape, dtype in returned:
            outputs[name] = m = empty(shape, dtype)
            made[i] = address(m)
        status = run()
        if status:
            raise _stopped(status)
        return outputs

    return call


def _memory(port: Port, sizes: Mapping[Symbol, Size]) -> Array:
    """Room for an output: the output itself where its shape is known before any run, else bytes.

    Of those, as many as its sizes ask for where they are known by now, or its bound.
    """
    if not any(isinstance(d, Dim) for d in port.shape):
        return np.empty(port.shape, port.element.dtype)  # type: ignore[arg-type]
    count = size_product(tuple(substitute(d, sizes) for d in port.shape))
    nbytes = count * port.element.size if isinstance(count, int) else port.nbytes
    return np.empty(max(1, -(-nbytes // 8)), np.uint64)


def _in_place(weights: bytes | memoryview) -> Array:
    array = np.frombuffer(weights, np.uint8)
    if array.size and array.ctypes.data % 64 == 0:
        return array
    copy = aligned(max(1, array.size))
    copy[: array.size] = array
    return copy


def _point(to: ctypes.Array[ctypes.c_void_p], arrays: list[Array]) -> None:
    for i, a in enumerate(arrays):
        to[i] = address(a)


def fit(port: Port, inputs: Mapping[str, Array], sizes: dict[Symbol, Size]) -> Array:
    """The contiguous array for an input; the sizes of its free dimensions go into `sizes`.

    Raises:
        InputError: it is missing, or its shape or type does not fit.
    """
    if port.name not in inputs:
        raise InputError("an input is missing", where=port.name)
    array = np.asarray(inputs[port.name])
    wanted = f"{port.element}[{', '.join(map(str, port.shape))}]"
    if array.dtype != port.element.dtype:
        raise InputError(f"input is {array.dtype}, the model takes {wanted}", where=port.name)
    if array.ndim != len(port.shape) or not all(
        _fits(d, n, sizes) for d, n in zip(port.shape, array.shape, strict=True)
    ):
        shape = list(array.shape)
        raise InputError(f"input has shape {shape}, the model takes {wanted}", where=port.name)
    return np.ascontiguousarray(array)


def _fits(size: Size, n: int, sizes: dict[Symbol, Size]) -> bool:
    symbol = next(symbols(size), None) if isinstance(size, Dim) else None
    if symbol is not None and size == of(symbol):
        return symbol.low <= n <= symbol.high and sizes.setdefault(symbol, n) == n
    return size == n
