"""What the figures are held to: the goals, the floor, and the figures of an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measure import Record
from whet.bench.engine import LEVELS

# Whet's median over the best peer's, for one and for two threads.
RATIOS = {
    ("mobilenet_v2", "f32"): 0.80,
    ("mobilenet_v2", "int8"): 0.60,
    ("efficientnet_lite0", "f32"): 0.80,
    ("efficientnet_lite0", "int8"): 0.60,
    ("mobilenet_v3_large", "f32"): 0.75,
    ("mobilenet_v3_large", "int8"): 0.60,
    ("resnet50", "f32"): 0.80,
    ("resnet50", "int8"): 0.90,
    ("vit_tiny", "f32"): 0.88,
    ("vit_tiny", "int8"): 0.35,
    ("bert_6x384", "f32"): 0.88,
    ("bert_6x384", "int8"): 0.40,
    ("kws", "int8"): 0.60,
    ("vww", "int8"): 0.60,
    ("resnet8", "int8"): 0.60,
    ("lstm", "f32"): 0.50,
    ("lstm", "int8"): 0.50,
    ("conformer_block", "f32"): 0.50,
    ("conformer_block", "int8"): 0.50,
}
BF16 = ("mobilenet_v2", "resnet50", "vit_tiny")
THREAD_GAIN = 1.8
LOAD_MS = {"mobilenet_v2": 5.0}
PYTHON_MB = 40.0
LEVEL_GAP = 0.10
# The floor under one thread, beside ONNX Runtime.
FLOOR_MODELS = ("mobilenet_v2", "resnet50")
FLOOR_RATIO, FLOOR_LOAD = 1.25, 0.25
# How much a ratio may grow over the kept one: paired medians on a shared machine move by a tenth.
TOLERANCE = 1.15


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal. found is None where nothing was measured for it."""

    name: str
    wanted: float
    found: float | None
    note: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.found is None:
            return None
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted


Key = tuple[str, str, int]


def races(records: Iterable[Record]) -> dict[Key, dict[str, Record]]:
    """Records by (model, precision, threads) and engine."""
    found: dict[Key, dict[str, Record]] = {}
    for r in records:
        found.setdefault((r.model, r.precision, r.threads), {})[r.engine] = r
    return found


def goals(records: Sequence[Record]) -> list[Goal]:
    """Every goal beside what was measured for it."""
    by = races(records)
    found: list[Goal] = []
    for (model, precision), wanted in RATIOS.items():
        for threads in (1, 2):
            raced = by.get((model, precision, threads), {})
            peers = [r for e, r in raced.items() if e != "whet" and e not in LEVELS]
            best = min(peers, key=lambda r: r.median_ms, default=None)
            name = f"{model} {precision}, {threads} thread(s): time over the best peer's"
            ratio, note = (best.ratio, best.engine) if best else (None, "")
            found.append(Goal(name, wanted, ratio, note))
    for model in BF16:
        for threads in (1, 2):
            peer = by.get((model, "bf16", threads), {}).get("openvino_bf16")
            name = f"{model} bf16, {threads} thread(s): time over OpenVINO's in bf16"
            found.append(Goal(name, 0.80, peer.ratio if peer else None))
    whet = {key: engines["whet"] for key, engines in by.items() if "whet" in engines}
    for (model, precision, threads), r in whet.items():
        if threads == 1:
            found += _alone(r, whet.get((model, precision, 2)), whet.get((model, "f32", 1)))
            raced = by[model, precision, threads]
            found += [_beside(r, raced[level]) for level in LEVELS if level in raced]
    return found


def _beside(r: Record, level: Record) -> Goal:
    """How much less of its own peak a build for a lower level reaches."""
    name = f"{r.model} {r.precision}: share of peak above {level.engine}'s"
    return Goal(name, LEVEL_GAP, r.share_of_peak - level.share_of_peak)


def _alone(one: Record, two: Record | None, f32: Record | None) -> list[Goal]:
    """Goals of Whet without a peer."""
    name = f"{one.model} {one.precision}"
    memory = one.budget_mb + PYTHON_MB
    found = [Goal(f"{name}: memory, MB", round(memory, 1), one.rss_mb)]
    if two:
        gain = one.median_ms / two.median_ms
        found.append(Goal(f"{name}: two threads over one", THREAD_GAIN, gain, at_least=True))
    if one.model in LOAD_MS:
        found.append(Goal(f"{name}: load to first result, ms", LOAD_MS[one.model], one.load_ms))
    if f32 and one.precision in ("int8", "bf16"):
        found.append(Goal(f"{name}: time over f32's", 1.0, one.median_ms / f32.median_ms))
    return found


def floor(records: Sequence[Record]) -> list[Goal]:
    """The floor that `--assert` holds: time and load beside ONNX Runtime, one thread."""
    found: list[Goal] = []
    for (model, precision, threads), engines in races(records).items():
        peer, whet = engines.get("onnxruntime"), engines.get("whet")
        if model not in FLOOR_MODELS or threads != 1 or peer is None or whet is None:
            continue
        name = f"{model} {precision}"
        load = whet.load_ms / peer.load_ms
        found.append(Goal(f"{name}: time over ONNX Runtime's", FLOOR_RATIO, peer.ratio))
        found.append(Goal(f"{name}: load over ONNX Runtime's", FLOOR_LOAD, load))
    return found


def regressions(records: Sequence[Record], kept: Sequence[Record]) -> list[Goal]:
    """Each ratio beside the kept one times TOLERANCE."""
    before = {(r.model, r.precision, r.threads, r.engine): r.ratio for r in kept}
    found: list[Goal] = []
    for r in records:
        old = before.get((r.model, r.precision, r.threads, r.engine))
        if old is not None and r.engine != "whet":
            name = f"{r.model} {r.precision}, {r.threads} thread(s): time over {r.engine}'s"
            found.append(Goal(name, TOLERANCE * old, r.ratio, f"was {old:.3g}"))
    return found
