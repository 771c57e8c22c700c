"""A roofline as a picture: every step of a model under the roof of the machine it ran on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from whet.cli.roofline import place
from whet.devices import Roofline
from whet.session.profile import StepTime

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 40, 46
# Okabe and Ito's colours, which the colour-blind tell apart, and four more.
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#8c6bb1", "#999933", "#882255", "#777777"),
)
STYLE = """<style>
svg { background: #fff; font: 12px system-ui, sans-serif; fill: #333 }
.grid { stroke: #e4e4e4 } .roof { stroke: #555; stroke-width: 1.5; fill: none }
.level { stroke: #999; stroke-dasharray: 5 3; fill: none } .title { font-size: 15px }
.faint { fill: #777; font-size: 11px }
@media (prefers-color-scheme: dark) {
svg { background: #17191c; fill: #ddd } .grid { stroke: #2b2e33 } .roof { stroke: #bbb }
.level { stroke: #777 } .faint { fill: #999 } }
</style>"""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Numbers from low to high on a logarithmic scale between two pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        kept = min(max(value, self.low), self.high)
        share = log10(kept / self.low) / log10(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> list[float]:
        first, last = round(log10(self.low)), round(log10(self.high))
        return [10.0**e for e in range(first, last + 1)]


def draw_roofline(
    steps: Sequence[StepTime], machine: Roofline, integer: bool, title: str = ""
) -> str:
    """The steps as an SVG picture: operations a byte to the right, 10^9 operations a second up.

    Both axes are logarithmic. A disk's area is the step's share of the time, its colour the kernel;
    what touches the roof of the memory level that holds its data, or of arithmetic, is as fast as
    it can be.
    """
    peak = machine.peak_gop_s(integer)
    top = 10.0 ** -(-int(log10(peak * 1.5) * 1000) // 1000)
    x = _Axis(0.1, 1000.0, LEFT, WIDTH - RIGHT)
    y = _Axis(top / 1e4, top, HEIGHT - BOTTOM, TOP)
    lines = [*_axes(x, y), *_roofs(machine, peak, x, y), *_disks(steps, machine, integer, x, y)]
    head = f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>'
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', STYLE, head, *lines, "</svg>", ""]
    )


def _axes(x: _Axis, y: _Axis) -> list[str]:
    lines = []
    for value in x.decades():
        lines.append(_line("grid", x(value), y.start, x(value), y.end))
        lines.append(_text(x(value), y.start + 18, f"{value:g}", "middle"))
    for value in y.decades():
        lines.append(_line("grid", x.start, y(value), x.end, y(value)))
        lines.append(_text(x.start - 8, y(value) + 4, f"{value:g}", "end"))
    middle = (x.start + x.end) / 2
    lines.append(_text(middle, HEIGHT - 8, "operations a byte", "middle"))
    lines.append(_text(x.start - 8, TOP - 10, "Gop/s", "end"))
    return lines


def _roofs(machine: Roofline, peak: float, x: _Axis, y: _Axis) -> list[str]:
    """The arithmetic peak, and each memory level's slope up to it."""
    lines = [_line("roof", x.start, y(peak), x.end, y(peak))]
    lines.append(_text(x.end, y(peak) - 6, f"{peak:.0f} Gop/s", "end"))
    lowest = 0.0
    for level in machine.levels:
        speed = level.read_gb_s
        low, high = max(x.low, y.low / speed), min(x.high, peak / speed)
        lines.append(_line("level", x(low), y(low * speed), x(high), y(high * speed)))
        lowest = max(y(low * speed), lowest + 14)
        lines.append(_text(x(low) + 8, lowest + 4, f"{level.name} {speed:.0f} GB/s"))
    return lines


def _disks(
    steps: Sequence[StepTime], machine: Roofline, integer: bool, x: _Axis, y: _Axis
) -> list[str]:
    """A disk for each step, the longest first, and the kernels with their shares of the time."""
    total = sum(step.seconds for step in steps) or 1e-9
    spent: dict[str, float] = {}
    for step in steps:
        spent[step.kernel] = spent.get(step.kernel, 0.0) + step.seconds
    kernels = sorted(spent, key=lambda k: -spent[k])
    colours = {kernel: COLOURS[min(i, len(COLOURS) - 1)] for i, kernel in enumerate(kernels)}
    lines = []
    for step in sorted(steps, key=lambda step: -step.seconds):
        at = place(step, machine, integer)
        if not at.gop_s or not at.intensity:
            continue
        radius = max(2.5, 28 * (step.seconds / total) ** 0.5)
        told = f"{step.layer}: {step.kernel}, {1e6 * step.seconds:.1f} us, {at.of_roof:.0%} of roof"
        lines.append(
            f'<circle cx="{x(at.intensity)}" cy="{y(at.gop_s)}" r="{radius:.1f}" '
            f'fill="{colours[step.kernel]}" fill-opacity="0.4" stroke="{colours[step.kernel]}">'
            f"<title>{escape(told)}</title></circle>"
        )
    for i, kernel in enumerate(kernels[:14]):
        row = TOP + 40 + 18 * i
        lines.append(f'<circle cx="{x.end + 14}" cy="{row - 4}" r="5" fill="{colours[kernel]}"/>')
        share = f"{spent[kernel] / total:.0%} {kernel or 'nest'}"
        lines.append(_text(x.end + 24, row, share))
    return lines


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="faint" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
