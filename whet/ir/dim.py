"""Dimensions: a plain int, or a small polynomial over bounded symbols.

A `Dim` is kept in one canonical form, a sum of integer multiples of products of atoms, so that
equal sizes compare equal. An atom is a `Symbol` or an indivisible operation (`//`, `max`, `min`)
of sizes. Arithmetic that turns out constant returns a plain int.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from whet.errors import ShapeError

# The upper bound of a symbol that has none: no memory can be planned for it.
UNBOUNDED = 1 << 31


@dataclass(frozen=True, slots=True)
class Symbol:
    """A size known only at run time, always within [low, high]."""

    name: str
    low: int
    high: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Operation:
    """An atom of a polynomial that does not distribute: kind is `//`, `max` or `min`."""

    kind: str
    left: Size
    right: Size

    def __str__(self) -> str:
        if self.kind == "//":
            return f"({self.left} // {self.right})"
        return f"{self.kind}({self.left}, {self.right})"


Atom = Symbol | Operation
Term = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Dim:
    """A non-constant size: sum of coefficient * product of atoms, terms sorted by their text."""

    terms: tuple[tuple[Term, int], ...]

    def __add__(self, other: Size) -> Size:
        out = _terms(self)
        for term, c in _terms(other).items():
            out[term] = out.get(term, 0) + c
        return _canonical(out)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        out: dict[Term, int] = {}
        for (a, m), (b, n) in product(_terms(self).items(), _terms(other).items()):
            key = tuple(sorted(a + b, key=str))
            out[key] = out.get(key, 0) + m * n
        return _canonical(out)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        if isinstance(other, int) and other and all(c % other == 0 for _, c in self.terms):
            return _canonical({term: c // other for term, c in self.terms})
        quotient = _exact_quotient(self, other) if isinstance(other, Dim) else None
        return _atom(Operation("//", self, other)) if quotient is None else quotient

    def __rfloordiv__(self, other: int) -> Size:
        return _atom(Operation("//", other, self))

    def __str__(self) -> str:
        parts = []
        for term, c in self.terms:
            factors = [str(a) for a in term]
            if c != 1 or not factors:
                factors.insert(0, str(c))
            parts.append("*".join(factors))
        return " + ".join(parts).replace("+ -", "- ")


Size = int | Dim


def of(symbol: Symbol) -> Dim:
    """The symbol as a size."""
    return _atom(symbol)


def static_size(size: Size) -> int:
    """The size as a number.

    Raises:
        ShapeError: it is known only at run time.
    """
    if isinstance(size, Dim):
        raise ShapeError(f"the size {size} must be known", why="it varies from run to run")
    return int(size)


def static_shape(sizes: Iterable[Size]) -> tuple[int, ...]:
    """The sizes as numbers. Raises ShapeError like `static_size`."""
    return tuple(static_size(d) for d in sizes)


def symbol_of(size: Size) -> Symbol | None:
    """The symbol that a size is, where it is nothing but one."""
    if isinstance(size, int) or len(size.terms) != 1:
        return None
    term, coefficient = size.terms[0]
    atom = term[0] if coefficient == 1 and len(term) == 1 else None
    return atom if isinstance(atom, Symbol) else None


def dim_max(left: Size, right: Size) -> Size:
    """The larger of two sizes, decided now where the bounds allow."""
    if bounds(left)[0] >= bounds(right)[1]:
        return left
    if bounds(right)[0] >= bounds(left)[1]:
        return right
    return _atom(Operation("max", left, right))


def dim_min(left: Size, right: Size) -> Size:
    """The smaller of two sizes, decided now where the bounds allow."""
    if bounds(left)[1] <= bounds(right)[0]:
        return left
    if bounds(right)[1] <= bounds(left)[0]:
        return right
    return _atom(Operation("min", left, right))


def bounds(size: Size) -> tuple[int, int]:
    """The least and greatest value a size can take (interval arithmetic)."""
    if isinstance(size, int):
        return size, size
    low = high = 0
    for term, c in size.terms:
        a = b = c
        for atom in term:
            lo, hi = _atom_bounds(atom)
            corners = (a * lo, a * hi, b * lo, b * hi)
            a, b = min(corners), max(corners)
        low, high = low + a, high + b
    return low, high


def symbols(size: Size) -> Iterator[Symbol]:
    """Every symbol in a size, in order of appearance, repeats included."""
    if isinstance(size, Dim):
        for term, _ in size.terms:
            for atom in term:
                if isinstance(atom, Symbol):
                    yield atom
                else:
                    yield from symbols(atom.left)
                    yield from symbols(atom.right)


def substitute(size: Size, values: Mapping[Symbol, Size]) -> Size:
    """The size with symbols replaced; symbols that are not in `values` stay."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for term, c in size.terms:
        part: Size = c
        for atom in term:
            part = part * _substitute_atom(atom, values)
        total = total + part
    return total


def _substitute_atom(atom: Atom, values: Mapping[Symbol, Size]) -> Size:
    if isinstance(atom, Symbol):
        return values.get(atom, of(atom))
    left, right = substitute(atom.left, values), substitute(atom.right, values)
    if atom.kind == "//":
        return left // right
    return dim_max(left, right) if atom.kind == "max" else dim_min(left, right)


def _atom_bounds(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, Symbol):
        return atom.low, atom.high
    (a, b), (c, d) = bounds(atom.left), bounds(atom.right)
    if atom.kind == "max":
        return max(a, c), max(b, d)
    if atom.kind == "min":
        return min(a, c), min(b, d)
    divisors = [v for v in {c, d, -1, 1} if c <= v <= d and v] or [1]
    corners = [x // y for x in (a, b) for y in divisors]
    return min(corners), max(corners)


def _terms(size: Size) -> dict[Term, int]:
    if isinstance(size, int):
        return {(): size} if size else {}
    return dict(size.terms)


def _canonical(terms: dict[Term, int]) -> Size:
    kept = {t: c for t, c in terms.items() if c}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    return Dim(tuple(sorted(kept.items(), key=lambda tc: (not tc[0], [str(a) for a in tc[0]]))))


def _atom(atom: Atom) -> Dim:
    return Dim((((atom,), 1),))


def _exact_quotient(size: Dim, divisor: Dim) -> Size | None:
    """size // divisor where divisor is one term that divides every term of size."""
    if len(divisor.terms) != 1:
        return None
    (term, c), out = divisor.terms[0], {}
    for t, n in size.terms:
        rest = list(t)
        for atom in term:
            if atom not in rest:
                return None
            rest.remove(atom)
        if n % c:
            return None
        out[tuple(rest)] = n // c
    return _canonical(out)
