"""What is worth timing for a kernel call."""

from __future__ import annotations

from itertools import groupby, islice

from whet.emit.lowered import Lowered
from whet.ir.node import Node
from whet.kernels.kernel import Choice, choices, lower
from whet.targets.target import Target

# Candidates of the kernel that is taken by default, and of each other one.
MOST, MOST_OTHERS = 12, 6
# How many of a kernel's choices are looked at for them.
MOST_SEEN = 30
# A last thread that takes up to so many times an even share of the work is no waste.
EVEN = 1.05


def candidates(node: Node, target: Target) -> list[Choice | None]:
    """What is worth timing, None for the default first; no two that compute in the same way.

    Left out: what cannot be shared by the target's threads as evenly as the default.
    """
    default = lower(node, target)
    limit = max(EVEN, _waste(default, target))
    tried, made = [default.statements], list[Choice | None]([None])
    for _, group in groupby(choices(node, target), key=lambda choice: choice.kernel):
        ranked = [(choice, lower(node, target, choice)) for choice in islice(group, MOST_SEEN)]
        most = MOST if ranked[0][1].statements == default.statements else MOST_OTHERS
        fit = [(c, low.statements) for c, low in ranked if _waste(low, target) <= limit]
        for choice, statements in fit:
            if statements not in tried and most:
                tried.append(statements)
                made.append(choice)
                most -= 1
    return made


def _waste(lowered: Lowered, target: Target) -> float:
    """Time of the last thread to finish, over that of an even share."""
    units = lowered.parallel
    if lowered.together:
        return 1.0
    if not isinstance(units, int) or not units:
        return float(target.threads)
    return -(-units // target.threads) * target.threads / units
