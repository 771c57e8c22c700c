"""A memory plan as a picture: steps to the right, addresses up, one rectangle a buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from whet.plan.bound import grain, round_up
from whet.plan.lifetime import Placement
from whet.plan.memory import MemoryPlan
from whet.plan.pack import Packing

_CHARACTER = 5.9
_HUES = (211, 166, 38, 276, 12, 92, 186, 328, 54, 242)


def size_text(size: float) -> str:
    """Bytes for people: 640 B, 1.5 KiB, 12 MiB."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"


def _shortened(name: str, room: int) -> str:
    """The name in `room` characters: whole, or the end of its path, or the start of that end."""
    if len(name) <= room:
        return name
    end = name.replace("/", ".").rstrip(".").rpartition(".")[2] or name
    return end if len(end) <= room else end[: max(room - 1, 0)] + "…"


def _caption(plan: MemoryPlan | Packing) -> str:
    bound = plan.lower_bound
    text = f"arena {size_text(plan.arena_bytes)}, lower bound {size_text(bound)}"
    if plan.arena_bytes == bound:
        return f"{text}: least possible"
    proof = ", proved least" if plan.optimal else ""
    return f"{text}: {plan.arena_bytes / max(bound, 1) - 1:.1%} above{proof}"


def draw_svg(
    plan: MemoryPlan | Packing,
    title: str = "Memory plan",
    labels: Mapping[str, str] | None = None,
    width: int = 1000,
    height: int = 560,
) -> str:
    """The plan as a standalone SVG document, in light or dark as the viewer prefers.

    Every rectangle is a buffer with its name, where there is room, and a tooltip with its size,
    offset and steps; hatched ones are scratch. The thin line is the sum of what is alive at each
    step, the dashed one its maximum: the lower bound.
    """
    scale = _Scale(plan, width, height)
    body = [
        _style(width, height),
        f'<text class="title" x="{scale.left}" y="28">{escape(title)}</text>',
        f'<text class="note" x="{scale.left}" y="47">{escape(_caption(plan))}</text>',
        *_axes(plan, scale),
        *(_rectangle(p, i, scale, labels or {}) for i, p in enumerate(_by_start(plan))),
        *_live(plan, scale),
        *(_label(p, scale, labels or {}) for p in _by_start(plan)),
        "</svg>",
    ]
    return "\n".join(line for line in body if line) + "\n"


class _Scale:
    """Steps and bytes to picture coordinates."""

    def __init__(self, plan: MemoryPlan | Packing, width: int, height: int) -> None:
        self.left, self.right = 84, width - 96
        self.top, self.bottom = 70, height - 48
        self.first = min((placed.buffer.start for placed in plan.placements), default=0)
        self.last = max((placed.buffer.end for placed in plan.placements), default=1)
        self.bytes = max(plan.arena_bytes, 1)

    def box(self, placed: Placement) -> tuple[float, float, float, float]:
        """x, y, width and height of a buffer's rectangle."""
        x, y = self.x(placed.buffer.start), self.y(placed.top)
        return x, y, self.x(placed.buffer.end) - x, self.y(placed.offset) - y

    def x(self, step: float) -> float:
        share = (step - self.first) / max(self.last - self.first, 1)
        return self.left + share * (self.right - self.left)

    def y(self, address: float) -> float:
        return self.bottom - address / self.bytes * (self.bottom - self.top)


def _style(width: int, height: int) -> str:
    hues = "\n".join(
        f".h{i} {{ fill: hsl({hue} 62% 84%); stroke: hsl({hue} 45% 46%) }}"
        for i, hue in enumerate(_HUES)
    )
    dark = "\n".join(
        f".h{i} {{ fill: hsl({hue} 38% 30%); stroke: hsl({hue} 50% 60%) }}"
        for i, hue in enumerate(_HUES)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="ui-sans-serif, system-ui, Helvetica, Arial, sans-serif">
<style>
.page {{ fill: #fff }} .room {{ fill: #f5f6f8 }}
text {{ fill: #2a2f38; font-size: 11px }}
.title {{ font-size: 18px; font-weight: 600 }} .note {{ font-size: 13px; fill: #596273 }}
.tick {{ fill: #596273 }} .grid {{ stroke: #dfe3e9; stroke-width: 1 }}
.name, .live {{ pointer-events: none }}
.live {{ fill: none; stroke: #2a2f38; stroke-width: 1.3; opacity: 0.6 }}
.bound {{ stroke: #c8321e; stroke-width: 1.4; stroke-dasharray: 6 4 }}
.bound-text {{ fill: #c8321e }}
{hues}
@media (prefers-color-scheme: dark) {{
.page {{ fill: #15181d }} .room {{ fill: #1d2128 }} text {{ fill: #e6e9ee }}
.note, .tick {{ fill: #a2abba }} .grid {{ stroke: #333a45 }} .live {{ stroke: #e6e9ee }}
.bound {{ stroke: #ff7a66 }} .bound-text {{ fill: #ff7a66 }}
{dark}
}}
</style>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><line y2="6" class="grid" stroke-width="3"/></pattern></defs>
<rect class="page" width="{width}" height="{height}"/>"""


def _by_start(plan: MemoryPlan | Packing) -> list[Placement]:
    some = [placed for placed in plan.placements if placed.buffer.size]
    return sorted(some, key=lambda p: (p.buffer.start, p.offset, p.buffer.name))


def _axes(plan: MemoryPlan | Packing, scale: _Scale) -> list[str]:
    wide, tall = scale.right - scale.left, scale.bottom - scale.top
    lines = [
        f'<rect class="room" x="{scale.left}" y="{scale.top}" width="{wide}" height="{tall}"/>'
    ]
    for address in _ticks(plan.arena_bytes, 8, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), 1024):
        y = scale.y(address)
        lines.append(
            f'<line class="grid" x1="{scale.left}" x2="{scale.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{scale.left - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{size_text(address)}</text>"
        )
    for step in _ticks(scale.last - scale.first, 12, (1, 2, 5), 10):
        x = scale.x(scale.first + step)
        lines.append(
            f'<text class="tick" x="{x:.1f}" y="{scale.bottom + 17}" text-anchor="middle">'
            f"{scale.first + step}</text>"
        )
    middle = (scale.left + scale.right) / 2
    lines.append(
        f'<text class="note" x="{middle}" y="{scale.bottom + 38}" text-anchor="middle">step</text>'
    )
    return lines


def _ticks(span: int, most: int, mantissas: Sequence[int], base: int) -> list[int]:
    """Round numbers from 0 to the span, at most about `most`."""
    power = 1
    while True:
        for mantissa in mantissas:
            if span <= mantissa * power * most:
                return list(range(0, span + 1, mantissa * power))
        power *= base


def _rectangle(placed: Placement, index: int, scale: _Scale, labels: Mapping[str, str]) -> str:
    buffer = placed.buffer
    x, y, wide, tall = scale.box(placed)
    about = (
        f"{labels.get(buffer.name, buffer.name)}: {size_text(buffer.size)} at {placed.offset}, "
        f"steps {buffer.start} to {buffer.end - 1}"
    )
    box = f'x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{tall:.2f}" rx="1.5"'
    lines = f'<g><title>{escape(about)}</title><rect class="h{index % len(_HUES)}" {box}/>'
    if buffer.name.endswith("(scratch)"):
        lines += f'<rect fill="url(#hatch)" pointer-events="none" {box}/>'
    return lines + "</g>"


def _label(placed: Placement, scale: _Scale, labels: Mapping[str, str]) -> str:
    """The name, and the size where there is room, along the longer side; nothing when too small."""
    x, y, wide, tall = scale.box(placed)
    name = labels.get(placed.buffer.name, placed.buffer.name)
    size = size_text(placed.buffer.size)
    upright = wide < 34 and tall > 2 * wide
    along, across = (tall, wide) if upright else (wide, tall)
    room = int((along - 8) / _CHARACTER)
    if across < 12 or room < min(len(name), 3):
        return ""
    text = _shortened(name, room)
    beneath = not upright and tall > 32 and len(size) <= room
    if not beneath and len(name) + len(size) + 1 <= room:
        text = f"{name} {size}"
    if upright:
        cx, cy = x + wide / 2 + 4, y + tall - 5
        turn = f'transform="rotate(-90 {cx:.1f} {cy:.1f})" x="{cx:.1f}" y="{cy:.1f}"'
        return f'<text class="name" {turn}>{escape(text)}</text>'
    at, down = x + 5, y + min(tall / 2 + 4, 15)
    line = f'<text class="name" x="{at:.1f}" y="{down:.1f}">{escape(text)}'
    if beneath:
        line += f'<tspan class="tick" x="{at:.1f}" dy="14">{size}</tspan>'
    return line + "</text>"


def _live(plan: MemoryPlan | Packing, scale: _Scale) -> list[str]:
    """The bytes alive over time as one line, and the bound."""
    unit = grain([placed.buffer for placed in plan.placements])
    change: dict[int, int] = {}
    for placed in plan.placements:
        size = round_up(placed.buffer.size, unit)
        change[placed.buffer.start] = change.get(placed.buffer.start, 0) + size
        change[placed.buffer.end] = change.get(placed.buffer.end, 0) - size
    total, path = 0, ""
    for step, following in pairwise(sorted(change)):
        total += change[step]
        path += f"{'L' if path else 'M'}{scale.x(step):.1f} {scale.y(total):.1f}"
        path += f"H{scale.x(following):.1f}"
    y = scale.y(plan.lower_bound)
    return [
        f'<path class="live" d="{path}"/>' if path else "",
        f'<line class="bound" x1="{scale.left}" x2="{scale.right}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<text class="bound-text" x="{scale.right + 6}" y="{y - 1:.1f}">lower bound</text>',
        f'<text class="bound-text" x="{scale.right + 6}" y="{y + 12:.1f}">'
        f"{size_text(plan.lower_bound)}</text>",
    ]
