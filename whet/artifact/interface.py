"""What a built model takes and gives, and its form in manifest.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whet.emit.port import Port
from whet.errors import ArtifactError
from whet.ir.dim import Dim, Operation, Size, Symbol, of
from whet.ir.element import SCALARS

if TYPE_CHECKING:
    from whet.emit.program import Program

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class HeldState:
    """A state: its port, its byte offset in the arena, where its initial value lies in the
    weights.
    """

    port: Port
    arena_offset: int
    weight_offset: int


@dataclass(frozen=True, slots=True)
class Interface:
    """All that a host needs to call `model_run`.

    threads: the most that may run the model together. shared: whether there is work enough for more
    than one.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[HeldState, ...]
    symbols: tuple[str, ...]
    arena_bytes: int
    weight_bytes: int
    threads: int = 1
    shared: bool = True


def interface_of(program: Program) -> Interface:
    """The interface of a program."""
    states = tuple(HeldState(p, a.offset, w.offset) for p, a, w in program.states)
    return Interface(
        program.name, program.inputs, program.outputs, states, program.symbols,
        program.main.arena, len(program.weights), program.threads, program.shared,
    )  # fmt: skip


def to_json(interface: Interface) -> dict[str, Json]:
    """The interface as JSON values."""
    return {
        "name": interface.name,
        "inputs": [_port(p) for p in interface.inputs],
        "outputs": [_port(p) for p in interface.outputs],
        "states": [
            {"port": _port(s.port), "arena": s.arena_offset, "weights": s.weight_offset}
            for s in interface.states
        ],
        "symbols": list(interface.symbols),
        "arena_bytes": interface.arena_bytes,
        "weight_bytes": interface.weight_bytes,
        "threads": interface.threads,
        "shared": interface.shared,
    }


def from_json(data: Mapping[str, Json]) -> Interface:
    """The interface back from JSON values.

    Raises:
        ArtifactError: something is missing, of the wrong kind, or outside what it describes.
    """
    try:
        states = tuple(
            HeldState(_read_port(s["port"]), _int(s["arena"]), _int(s["weights"]))
            for s in map(_dict, _list(data["states"]))
        )
        interface = Interface(
            str(data["name"]),
            tuple(_read_port(p) for p in _list(data["inputs"])),
            tuple(_read_port(p) for p in _list(data["outputs"])),
            states,
            tuple(str(s) for s in _list(data["symbols"])),
            _int(data["arena_bytes"]),
            _int(data["weight_bytes"]),
            _int(data.get("threads", 1)),
            data.get("shared", True) is not False,
        )
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ArtifactError("the manifest is malformed", "manifest.json", str(error)) from None
    _check(interface)
    return interface


def _check(interface: Interface) -> None:
    sizes = [interface.arena_bytes, interface.weight_bytes]
    sizes += [p.nbytes for p in (*interface.inputs, *interface.outputs)]
    if any(not 0 <= n < 1 << 48 for n in sizes):
        raise ArtifactError("a size in the manifest is out of range", "manifest.json")
    for s in interface.states:
        inside = 0 <= s.arena_offset <= interface.arena_bytes - s.port.nbytes
        if not inside or not 0 <= s.weight_offset <= interface.weight_bytes - s.port.nbytes:
            raise ArtifactError(f"state {s.port.name} lies outside its memory", "manifest.json")


def _dict(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return value


def _int(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError("a whole number was expected")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


def _port(port: Port) -> Json:
    data: dict[str, Json] = {
        "name": port.name, "element": port.element.name, "shape": [_size(d) for d in port.shape],
        "nbytes": port.nbytes,
    }  # fmt: skip
    if port.scale is not None:
        data |= {"scale": port.scale, "zero": port.zero}
    return data


def _read_port(data: Json) -> Port:
    data = _dict(data)
    shape = tuple(_read_size(d) for d in _list(data["shape"]))
    scale = float(str(data["scale"])) if "scale" in data else None
    return Port(
        str(data["name"]), SCALARS[str(data["element"])], shape, _int(data["nbytes"]), scale,
        _int(data.get("zero", 0)),
    )  # fmt: skip


def _size(size: Size) -> Json:
    """An int, or [[coefficient, atom...]...] with atom [name, low, high] or [kind, left, right]."""
    if isinstance(size, int):
        return size
    return [[c, *(_atom(a) for a in atoms)] for atoms, c in size.terms]


def _atom(atom: Symbol | Operation) -> Json:
    if isinstance(atom, Symbol):
        return {"symbol": atom.name, "low": atom.low, "high": atom.high}
    return {"kind": atom.kind, "left": _size(atom.left), "right": _size(atom.right)}


def _read_size(data: Json) -> Size:
    if isinstance(data, int):
        return data
    total: Size = 0
    for term in _list(data):
        coefficient, *atoms = _list(term)
        product: Size = _int(coefficient)
        for atom in atoms:
            product = product * _read_atom(atom)
        total = total + product
    return total


def _read_atom(data: Json) -> Size:
    data = _dict(data)
    if "symbol" in data:
        return of(Symbol(str(data["symbol"]), _int(data["low"]), _int(data["high"])))
    operation = Operation(str(data["kind"]), _read_size(data["left"]), _read_size(data["right"]))
    return Dim((((operation,), 1),))
