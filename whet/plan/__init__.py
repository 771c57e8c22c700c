"""From a graph to a program: kernels, the order of the steps, a place for every value, the calls.

`plan_program` is the whole room in one call, and `plan_in_patches` the one that also runs early
layers in patches. Within them `plan_memory` gives values that never live together the same bytes of
one arena, and `validate_plan` checks that without trusting the planner; `draw_svg` shows a plan.
"""

from whet.plan.bound import live_bytes, lower_bound
from whet.plan.draw import draw_svg
from whet.plan.lifetime import Buffer, Placement, Step
from whet.plan.memory import MemoryPlan, plan_memory
from whet.plan.order import order_steps
from whet.plan.pack import Packing, pack
from whet.plan.validate import validate_placements, validate_plan

__all__ = [
    "Buffer",
    "MemoryPlan",
    "Packing",
    "Placement",
    "Step",
    "draw_svg",
    "live_bytes",
    "lower_bound",
    "order_steps",
    "pack",
    "plan_memory",
    "validate_placements",
    "validate_plan",
]
