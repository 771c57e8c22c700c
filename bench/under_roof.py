"""Where a model's time goes: its steps under the roof of this machine, as a picture and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whet.cli.roofline import place
from whet.cli.roofline_picture import draw_roofline
from whet.compiler.pipeline import Compiled
from whet.devices import roofline
from whet.ops.cost import integer_graph
from whet.session.profile import StepTime, profile
from whet.session.samples import random_inputs

SHOWN = 6  # kernels of a model, those that take most


@dataclass(frozen=True, slots=True)
class UnderRoof:
    """The steps of a model on one thread, which lie under the roof of this machine. name: model and
    precision. integer: whether most of its products are of integer codes.
    """

    name: str
    steps: tuple[StepTime, ...]
    integer: bool

    def kernels(self) -> list[tuple[str, float, float, float]]:
        """Each kernel's microseconds, its share of all, and how near it comes to the roof."""
        machine = roofline(1)
        total = sum(step.seconds for step in self.steps) or 1e-9
        found = []
        for kernel in {step.kernel for step in self.steps}:
            own = [step for step in self.steps if step.kernel == kernel]
            seconds = sum(step.seconds for step in own) or 1e-9  # less than a clock can tell
            best = sum(place(step, machine, self.integer).of_roof * step.seconds for step in own)
            found.append((kernel or "nest", 1e6 * seconds, seconds / total, best / seconds))
        return sorted(found, key=lambda row: -row[1])


def under_roof(name: str, compiled: Compiled) -> UnderRoof:
    """Time the steps of a model in its run."""
    ports = compiled.artifact().interface.inputs
    inputs = dict(zip([p.name for p in ports], random_inputs(ports, seed=0), strict=True))
    return UnderRoof(name, profile(compiled, inputs).steps, integer_graph(compiled.graph))


def draw(models: Sequence[UnderRoof], folder: Path) -> None:
    """One SVG picture a model under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in models:
        title = f"{model.name}, one thread"
        picture = draw_roofline(model.steps, roofline(1), model.integer, title)
        (folder / f"{model.name.replace(' ', '_')}.svg").write_text(picture)


def section(models: Sequence[UnderRoof], folder: str) -> list[str]:
    """Lines of the page: each model's kernels by time, and its picture."""
    if not models:
        return []
    lines = ["", "## Where Whet's time goes", ""]
    lines += [
        "One thread, each step in its run: share of the time, and how near the kernel comes to the"
    ]
    lines += ["roof over each step (arithmetic, or reading the memory level that holds its data)."]
    lines += ["", "| model | kernels | picture |", "| --- | --- | --- |"]
    for model in models:
        told = [f"{kernel} {s:.0%} ({roof:.0%} of roof)" for kernel, _, s, roof in model.kernels()]
        picture = f"[roofline]({folder}/{model.name.replace(' ', '_')}.svg)"
        lines.append(f"| {model.name} | {', '.join(told[:SHOWN])} | {picture} |")
    return lines
