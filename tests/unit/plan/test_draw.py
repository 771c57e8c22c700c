"""Pictures of memory plans: every buffer is in them, where the plan says."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import assume, given, settings

from tests.unit.plan.programs import Program, programs
from whet.plan import Buffer, Step, draw_svg, pack

SVG = "{http://www.w3.org/2000/svg}"

STEPS = [
    Step("conv", ("x",), ("a",)),
    Step("relu", ("a",), ("b",), inplace=(("b", "a"),)),
    Step("pool", ("b",), ("c",)),
]
SMALL = Program(STEPS, {"x": 64, "a": 192, "b": 192, "c": 64}, outputs=("c",))


def test_no_memory_is_said_in_one_line() -> None:
    assert ElementTree.fromstring(draw_svg(Program().plan())).tag == f"{SVG}svg"


def test_names_and_titles_cannot_break_the_document() -> None:
    packing = pack([Buffer('<script>"&', 1 << 20, 0, 3)])
    document = ElementTree.fromstring(draw_svg(packing, title="<&>", labels={"b": "<"}))
    assert not document.findall(f".//{SVG}script")
    assert '<script>"&' in {text.text for text in document.iter(f"{SVG}text")}


def test_the_caption_compares_with_the_bound() -> None:
    buffers = [Buffer(n, s * 64, a, b) for n, s, a, b in [("p", 2, 0, 2), ("q", 1, 1, 3)]]
    assert "lower bound 192 B: least possible" in draw_svg(pack(buffers))


@settings(max_examples=50, deadline=None)
@given(programs())
def test_every_buffer_is_drawn_where_the_plan_says(program: Program) -> None:
    assume(not program.states_swap())
    plan = program.plan(effort=0)
    document = ElementTree.fromstring(draw_svg(plan, width=1000, height=560))
    drawn = {}
    for group in document.iter(f"{SVG}g"):
        about, box = group[0].text or "", group[1].attrib
        drawn[about.split(": ")[0]] = [float(box[k]) for k in ("x", "y", "width", "height")]
    some = [placed for placed in plan.placements if placed.buffer.size]
    assert set(drawn) == {placed.buffer.name for placed in some}
    for one in some:
        x, y, width, height = drawn[one.buffer.name]
        for other in some:
            x2, y2, width2, height2 = drawn[other.buffer.name]
            apart = (
                x + width <= x2 + 0.02
                or x2 + width2 <= x + 0.02
                or y + height <= y2 + 0.02
                or y2 + height2 <= y + 0.02
            )
            assert one is other or apart
