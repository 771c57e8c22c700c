"""What Linux reports of this machine's processor: its names, instruction sets and caches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from platform import machine, processor

GUESSED_CACHES = (32 << 10, 1 << 20)


@cache
def cpu_fields() -> Mapping[str, str]:
    """The first processor's fields of /proc/cpuinfo; empty where there are none."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line.partition(":") for line in takewhile(str.strip, file)]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in lines}


def cpu_name() -> str:
    """The processor's name as the system reports it."""
    return cpu_fields().get("model name") or processor() or machine()


def cpu_vendor() -> str:
    """The processor's vendor as Linux reports it for x86; empty where it reports none."""
    return cpu_fields().get("vendor_id", "")


def cpu_model() -> str:
    """The processor's name and, where the system tells them, its family, model and stepping."""
    fields = cpu_fields()
    kinds = [f"{n} {fields[n]}" for n in ("cpu family", "model", "stepping") if n in fields]
    return ", ".join([cpu_name(), *kinds])


def cpu_flags() -> frozenset[str]:
    """The instruction-set flags Linux reports; empty where it reports none."""
    fields = cpu_fields()
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())


def is_zen4() -> bool:
    """Whether this is Zen 4, which runs an operation on 64 bytes as two."""
    family = cpu_fields().get("cpu family")
    return cpu_vendor() == "AuthenticAMD" and family == "25" and "avx512f" in cpu_flags()


def cache_bytes() -> tuple[int, ...]:
    """Sizes of the first core's data caches, first level first; a guess where unknown."""
    sizes: dict[int, int] = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind = (index / "type").read_text().strip()
            level, size = int((index / "level").read_text()), (index / "size").read_text().strip()
        except (OSError, ValueError):
            continue
        if kind in ("Data", "Unified") and size.endswith("K"):
            sizes[level] = int(size[:-1]) << 10
    return tuple(sizes[level] for level in sorted(sizes)) or GUESSED_CACHES
