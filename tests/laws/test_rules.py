"""Each rule fires on its example and both sides mean the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.laws.agreement import agree, random_inputs
from whet.ir.verify import signature, verify
from whet.passes.pipeline import PASSES, PRECISIONS
from whet.rewrite.driver import rewrite
from whet.rewrite.rule import Rule

RULES = {rule.name: rule for step in (*PASSES, *PRECISIONS["bf16"]) for rule in step.rules}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_keeps_the_meaning_of_its_example(rule: Rule) -> None:
    assert rule.example is not None, "a rule shows a graph on which it fires"
    graph = rule.example()
    verify(graph)
    fired: Counter[str] = Counter()
    changed = rewrite(graph, (rule,), fired)
    assert fired[rule.name] >= 1
    verify(changed, signature(graph))
    agree(graph, changed, random_inputs(graph, np.random.default_rng(7)))
