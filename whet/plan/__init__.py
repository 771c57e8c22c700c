"""Memory planning: the order of the steps, who lives when, and where in one arena.

`plan_memory` is the whole room in one call; `order_steps` chooses the order to plan;
`validate_plan` checks a plan without trusting the planner; `draw_text` and `draw_svg` show it.
"""

from whet.plan.bound import live_bytes, lower_bound
from whet.plan.draw import draw_svg, draw_text
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
    "draw_text",
    "live_bytes",
    "lower_bound",
    "order_steps",
    "pack",
    "plan_memory",
    "validate_placements",
    "validate_plan",
]
