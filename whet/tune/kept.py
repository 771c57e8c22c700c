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
from whet.compiler.build import cache_folder, compiler, compiler_version
from whet.emit import headers
from whet.emit.headers import INCLUDE
from whet.kernels.kernel import Choice
from whet.targets.processor import cpu_model
from whet.targets.target import Target

LIMIT = 64 << 20
EMIT = Path(headers.__file__).parent


@dataclass(frozen=True, slots=True)
class Record:
    """What a race of a call's candidates gave: the winner, None for the default, and seconds."""

    choice: Choice | None
    seconds: float
    default_seconds: float


# By `record_key` in the file, by `call_key` for one model.
Records = dict[str, Record]


def record_key(call: str, cold: bool) -> str:
    """What a race is known by: the call, and whether its weights came from beyond the cache."""
    return f"{call} {'cold' if cold else 'warm'}"


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
    """A digest of the kernels: their C, and the Python that fills it in and emits the rest."""
    digest = hashlib.blake2b(digest_size=8)
    written = [*INCLUDE.glob("*.h"), *INCLUDE.parent.glob("*.py"), *EMIT.glob("*.py")]
    for path in sorted(written):
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
    seconds, default = data["seconds"], data["default_seconds"]
    choice = None if data["choice"] is None else read_choice(data["choice"])
    if not isinstance(seconds, float) or not isinstance(default, float):
        raise TypeError
    if data["choice"] is not None and choice is None:
        raise TypeError
    return Record(choice, seconds, default)


def keep_records(target: Target, measured: Mapping[str, Record]) -> None:
    """Add to the file what was measured; a cache that cannot be written is no failure."""
    path = record_path(target)
    calls = {key: _json(r) for key, r in sorted({**read_records(target)[0], **measured}.items())}
    document = {"format": FORMAT, "for": identity(target), "calls": calls}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps(document, indent=1))
    except OSError:
        return


def _write(path: Path, text: str) -> None:
    """Put a whole file in place, or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(handle, "w") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _json(record: Record) -> dict[str, Json]:
    return {
        "choice": None if record.choice is None else choice_json(record.choice),
        "seconds": record.seconds,
        "default_seconds": record.default_seconds,
    }
