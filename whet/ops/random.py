"""Random numbers that depend on a seed and an element's place alone: the same in every run, on
every target (SplitMix64: Steele, Lea, Flood 2014; normal ones after Box and Muller 1958).
"""

from __future__ import annotations

import numpy as np

from whet.errors import ShapeError
from whet.ir.dim import Size
from whet.ir.element import I64, Scalar
from whet.ir.node import Array, Node, Op
from whet.ir.type import Type


def _drawn(
    *, shape: tuple[Size, ...], to: Scalar, seed: int, low: float, high: float, random: bool = True
) -> Type:
    """Numbers in [low, high), or of mean `low` and deviation `high`."""
    if to.kind != "f":
        raise ShapeError(f"random numbers of {to}")
    return Type(shape, to)


def _chosen(x: Type, *, count: Size, seed: int, random: bool = True) -> Type:
    """`count` draws of a class for each row of [batch, classes], with probability proportional to
    exp(x)."""
    if x.rank != 2:
        raise ShapeError(f"{x} is not [batch, classes]")
    return Type((x.shape[0], count), I64)


def _unit(seed: int, places: Array) -> Array:
    """Numbers in [0, 1), multiples of 2^-53."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (places.astype(np.uint64) + np.uint64(1)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _bounds(node: Node) -> tuple[float, float]:
    low, high = node["low"], node["high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    return low, high


def _places(node: Node) -> Array:
    return np.arange(int(np.prod(node.integers("shape"), dtype=np.int64)))


def _uniform(node: Node) -> Array:
    low, high = _bounds(node)
    to = node["to"]
    assert isinstance(to, Scalar)
    drawn = (low + (high - low) * _unit(node.integer("seed"), _places(node))).astype(to.dtype)
    drawn = np.where(drawn.astype(np.float64) < high, drawn, np.array(low, to.dtype))
    return drawn.reshape(node.integers("shape"))


def _normal(node: Node) -> Array:
    mean, deviation = _bounds(node)
    seed, places = node.integer("seed"), _places(node)
    radius = np.sqrt(-2 * np.log(1 - _unit(seed, 2 * places)))
    gauss = radius * np.cos(2 * np.pi * _unit(seed, 2 * places + 1))
    return np.asarray(mean + deviation * gauss).reshape(node.integers("shape"))


def _multinomial(node: Node, x: Array) -> Array:
    batch, count = len(x), node.integer("count")
    odds = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True).astype(np.float64))
    places = np.arange(batch * count).reshape(batch, count)
    wanted = odds.sum(axis=1, keepdims=True) * _unit(node.integer("seed"), places)
    reached = np.cumsum(odds, axis=1)[:, None, :] <= wanted[:, :, None]
    return np.asarray(np.minimum(reached.sum(axis=2), x.shape[1] - 1))


random_uniform = Op("random_uniform", _drawn, _uniform)
random_normal = Op("random_normal", _drawn, _normal)
random_multinomial = Op("random_multinomial", _chosen, _multinomial)
