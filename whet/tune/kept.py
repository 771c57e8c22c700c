"""What was measured on this machine, kept as JSON in the cache folder.

A file holds the calls of one processor, compiler and state of the kernels: where one of them
changes, a new file begins.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from whet.artifact.choices import FORMAT, choice_json, read_choice
from whet.artifact.interface import Json
from whet.compile.build import cache_folder, compiler, compiler_version
from whet.emit.headers import INCLUDE
from whet.kernels.kernel import Choice
from whet.targets.host import cpu_model
from whet.targets.target import Target

LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """What a race of a call's candidates gave: the winner, None for the default, and seconds.

    cold: whether the weights came from beyond the cache.
    """

    choice: Choice | None
    seconds: float
    default_seconds: float
    cold: bool


Records = dict[str, Record]


def identity(target: Target) -> dict[str, str]:
    """What a measurement holds for."""
    machine = " ".join([target.triple, target.cpu, *target.flags, f"{target.threads} threads"])
    return {
        "cpu": cpu_model(),
        "target": machine,
        "compiler": f"{' '.join(compiler()[-2:])} {compiler_version()}",
        "kernels": kernels_digest(),
    }


@cache
def kernels_digest() -> str:
    """A digest of the kernels: of their C, and of the Python that fills in its arguments."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted([*INCLUDE.glob("*.h"), *INCLUDE.parent.glob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def record_path(target: Target) -> Path:
    """The file for this machine and target."""
    named = json.dumps(identity(target), sort_keys=True).encode()
    return cache_folder() / "choices" / f"{hashlib.blake2b(named, digest_size=8).hexdigest()}.json"


def read_records(target: Target) -> tuple[Records, tuple[str, ...]]:
    """What is known, and notes on what could not be used."""
    path = record_path(target)
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT or document["for"] != identity(target):
            raise ValueError
        return {key: _record(data) for key, data in document["calls"].items()}, ()
    except FileNotFoundError:
        return {}, ()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}, (f"{path}: left out, it is damaged or of another machine; measured again",)


def _record(data: dict[str, Json]) -> Record:
    seconds, default, cold = data["seconds"], data["default_seconds"], data["cold"]
    choice = None if data["choice"] is None else read_choice(data["choice"])
    if not isinstance(seconds, float) or not isinstance(default, float):
        raise TypeError
    if not isinstance(cold, bool) or (data["choice"] is not None and choice is None):
        raise TypeError
    return Record(choice, seconds, default, cold)


def keep_records(target: Target, measured: Mapping[str, Record]) -> None:
    """Add to the file what was measured; a cache that cannot be written is no failure."""
    path = record_path(target)
    calls = {key: _json(r) for key, r in sorted({**read_records(target)[0], **measured}.items())}
    document = {"format": FORMAT, "for": identity(target), "calls": calls}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(document, file, indent=1)
        os.replace(file.name, path)
    except OSError:
        return


def _json(record: Record) -> dict[str, Json]:
    return {
        "choice": None if record.choice is None else choice_json(record.choice),
        "seconds": record.seconds,
        "default_seconds": record.default_seconds,
        "cold": record.cold,
    }
