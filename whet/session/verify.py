"""Proof that a built model computes what its graph means: emitted C beside the NumPy meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from whet.errors import WhetError
from whet.ir.element import BF16
from whet.ir.graph import Graph
from whet.ir.node import Array
from whet.ir.type import Type
from whet.ops.evaluate import evaluate
from whet.session.session import Session

# Float sums are taken in another order than NumPy's: a part in ten thousand of the largest output.
FLOAT_TOLERANCE = 1e-4
# There, sums on the two sides of a rounding point differ by 2^-8, and layers pass that on.
BF16_TOLERANCE = 2.0**-7


@dataclass(frozen=True, slots=True)
class Check:
    """One output over all trials.

    exact: the same bits, which integer outputs must have. difference: the largest distance, over
    the largest magnitude of what was expected. differing: elements that are not equal.
    """

    output: str
    element: str
    trials: int
    elements: int
    differing: int
    difference: float
    exact: bool
    passed: bool


def verify(
    graph: Graph, session: Session, trials: Sequence[Mapping[str, Array]], steps: int = 1
) -> list[Check]:
    """Run every trial through both, `steps` times on the same inputs where the model has states.

    graph: as it was imported, before any pass. Every trial starts from the initial states.

    Raises:
        WhetError: one of the two refused what the other computed.
    """
    found: dict[str, list[tuple[Array, Array]]] = {name: [] for name in graph.output_names}
    for inputs in trials:
        session.reset()
        states: dict[str, Array] = {s.name: s.initial for s in graph.states}
        for _ in range(steps if graph.states else 1):
            meaning = evaluate(graph, inputs, states)
            built = session(inputs)
            states = {name: np.asarray(meaning[name]) for name in states}
            for name, pairs in found.items():
                if name not in built:
                    raise WhetError("the built model gives no such output", name)
                pairs.append((np.array(built[name]), np.asarray(meaning[name])))
    return [_check(name, pairs, tolerance(graph)) for name, pairs in found.items()]


def tolerance(graph: Graph) -> float:
    """How far float outputs may be from the meaning, over the largest of them."""
    types = [t for node in graph.nodes for t in node.types if isinstance(t, Type)]
    return BF16_TOLERANCE if any(t.element == BF16 for t in types) else FLOAT_TOLERANCE


def compare(
    graph: Graph,
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    trials: Sequence[Mapping[str, Array]],
) -> list[Check]:
    """One run of each trial through `run` beside the meaning, from the initial states.

    Raises:
        WhetError: one of the two refused what the other computed.
    """
    found: dict[str, list[tuple[Array, Array]]] = {name: [] for name in graph.output_names}
    for inputs in trials:
        meaning, built = evaluate(graph, inputs), run(inputs)
        for name, pairs in found.items():
            pairs.append((np.array(built[name]), np.asarray(meaning[name])))
    return [_check(name, pairs, tolerance(graph)) for name, pairs in found.items()]


def _check(name: str, pairs: list[tuple[Array, Array]], relative: float) -> Check:
    elements = differing = 0
    distance, size, fits = 0.0, 0.0, True
    for built, meaning in pairs:
        if built.shape != meaning.shape or built.dtype != meaning.dtype:
            fits = False
            continue
        same = (built == meaning) | ((built != built) & (meaning != meaning))
        elements += same.size
        differing += int(same.size - np.count_nonzero(same))
        if meaning.dtype.kind in "fc" and same.size:
            with np.errstate(invalid="ignore"):
                apart = np.where(same, 0.0, np.abs(built - meaning))
            distance = max(distance, float(np.max(np.nan_to_num(apart, nan=np.inf, posinf=np.inf))))
            finite = np.abs(meaning[np.isfinite(meaning)])
            size = max(size, float(finite.max()) if finite.size else 0.0)
    floating = pairs[0][1].dtype.kind in "fc" if pairs else False
    exact = fits and not differing
    close = fits and floating and distance <= relative * max(size, 1e-30)
    element = str(pairs[0][1].dtype) if pairs else ""
    off = distance / size if size else distance
    return Check(name, element, len(pairs), elements, differing, off, exact, exact or close)
