"""The passes in order, the graph verified after each."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whet.errors import CompileError, InputError, WhetError
from whet.ir.graph import Graph
from whet.ir.verify import signature, verify
from whet.passes.affine import AFFINE, scale_before, scale_of_product
from whet.passes.algebra import ALGEBRA
from whet.passes.attention import ATTENTION
from whet.passes.bf16 import BF16_RULES, narrow_contractions
from whet.passes.channels_last import CHANNELS_LAST
from whet.passes.coded_attention import CODED_ATTENTION
from whet.passes.coded_rows import CODED_ROWS
from whet.passes.codes import CODE_RULES
from whet.passes.epilogue import EPILOGUE
from whet.passes.epilogue_s8 import INTEGER_EPILOGUE
from whet.passes.fold import fold_constants, fold_dequantized
from whet.passes.fuse import FUSE
from whet.passes.gelu import GELU
from whet.passes.growth import GROWTH
from whet.passes.layout import LAYOUT
from whet.passes.movement import MOVEMENT, identity_reshape, reshape_of_reshape
from whet.passes.normalization import NORMALIZATION
from whet.passes.padding import PADDING
from whet.passes.quantize import QUANTIZE
from whet.passes.recurrent import RECURRENT
from whet.passes.rows import RESHAPE
from whet.passes.split import split_contractions
from whet.passes.table import TABLE
from whet.rewrite.driver import rewrite
from whet.rewrite.rule import Rule

Fired = Mapping[str, int]
Observer = Callable[[str, Graph, Fired], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """A named step Graph -> Graph; `run` counts the rules it fires."""

    name: str
    run: Callable[[Graph, Counter[str]], Graph]
    rules: tuple[Rule, ...] = ()


def rules(name: str, *chosen: Rule) -> Pass:
    """A pass that applies rules until none applies."""
    return Pass(name, lambda graph, fired: rewrite(graph, chosen, fired), chosen)


SETTLE: tuple[Pass, ...] = (
    rules("simplify", fold_constants, *ALGEBRA, *MOVEMENT),
    rules("normalization", fold_constants, *NORMALIZATION),
    rules("layout", fold_constants, *MOVEMENT, *LAYOUT, *RESHAPE, scale_of_product),
    rules(
        "quantize",
        fold_constants,
        *ALGEBRA,
        *MOVEMENT,
        *CODE_RULES,
        *TABLE,
        *QUANTIZE,
        *CODED_ROWS,
        *RECURRENT,
    ),
    rules("affine", fold_constants, fold_dequantized, *AFFINE, *PADDING),
    Pass("split", split_contractions),
    rules("settle", fold_constants, *MOVEMENT, *LAYOUT, *RESHAPE, *AFFINE),
    rules(
        "transformer",
        fold_constants,
        *ATTENTION,
        *CODED_ATTENTION,
        *GELU,
        *MOVEMENT,
        *RESHAPE,
        scale_before,
    ),
)
PASSES: tuple[Pass, ...] = (
    *SETTLE,
    rules("growth", *GROWTH, *MOVEMENT),
    rules("fuse", *FUSE, *RESHAPE, *CHANNELS_LAST, identity_reshape, reshape_of_reshape),
    rules("epilogue", *EPILOGUE, *INTEGER_EPILOGUE),
)
PRECISIONS: dict[str, tuple[Pass, ...]] = {
    "own": (),
    "bf16": (*SETTLE, Pass("bf16", narrow_contractions, BF16_RULES)),
}
"""What makes a model of a precision out of one as it was imported."""


def optimize(graph: Graph, observe: Observer | None = None) -> Graph:
    """All passes in order; `observe` sees the graph before the first and after each, and how often
    each rule fired. With WHET_DEBUG of 2 and more the rules are printed.

    Raises:
        CompileError: a pass failed or made an ill-formed graph; the message names the pass and the
            rules that had fired.
    """
    return _through(PASSES, graph, observe)


def in_precision(graph: Graph, precision: str, observe: Observer | None = None) -> Graph:
    """The model in another precision: a graph of its own meaning, with the same inputs and outputs.

    precision: `own` is the graph itself; for `bf16` see `whet.passes.bf16`.

    Raises:
        InputError: the precision is unknown.
        CompileError: as of `optimize`.
    """
    if precision not in PRECISIONS:
        raise InputError("unknown precision", precision, hint=", ".join(PRECISIONS))
    steps = PRECISIONS[precision]
    return _through(steps, graph, observe) if steps else graph


def _through(steps: tuple[Pass, ...], graph: Graph, observe: Observer | None) -> Graph:
    seen = observe or (_print if os.environ.get("WHET_DEBUG", "0") >= "2" else None)
    if seen:
        seen("import", graph, {})
    promised = signature(graph)
    for step in steps:
        graph, fired = _run(step, graph, promised)
        if seen:
            seen(step.name, graph, fired)
    return graph


def _run(step: Pass, graph: Graph, promised: tuple[tuple[str, object], ...]) -> tuple[Graph, Fired]:
    fired: Counter[str] = Counter()
    try:
        made = step.run(graph, fired)
        verify(made, promised)  # type: ignore[arg-type]
    except WhetError as error:
        names = ", ".join(fired) or "none"
        why = "; ".join(part for part in (error.why, f"rules fired: {names}") if part)
        raise CompileError(f"pass {step.name}: {error.what}", error.where, why) from error
    return made, fired


def _print(name: str, graph: Graph, fired: Fired) -> None:
    rules_fired = ", ".join(f"{rule} x{n}" for rule, n in fired.items())
    print(f"pass {name}: {len(graph.nodes)} nodes; {rules_fired}", file=sys.stderr)
