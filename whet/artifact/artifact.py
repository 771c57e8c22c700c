"""Artifact: a compiled model with its evidence, in memory or mapped from a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from whet.artifact import file
from whet.artifact.file import GRAPH_ARRAYS, GRAPH_TEXT
from whet.artifact.interface import Interface, Json, from_json, to_json
from whet.errors import ArtifactError

SCHEMA = 2
NOT_CHECKED = (
    "weights.bin", "model.c", "model.h", f"extra/{GRAPH_TEXT}", f"extra/{GRAPH_ARRAYS}",
)  # fmt: skip
"""What a run does not read, or not whole."""
MANIFEST_LIMIT = 16 << 20
REQUIRED = ("manifest.json", "model.c", "model.h", "weights.bin")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is in a `.whet` file.

    target: name, triple and cpu it was built for. code: the built code (a shared object, an ELF
    or a wasm module). card: evidence, measured figures with the commands that made them. extras:
    labels, the TOML of the pre- and post-processing, and the like.
    """

    interface: Interface
    target: Mapping[str, str]
    source: bytes | memoryview = field(repr=False)
    header: bytes | memoryview = field(repr=False)
    code: bytes | memoryview = field(repr=False)
    weights: bytes | memoryview = field(repr=False)
    card: Mapping[str, Json] = field(default_factory=dict)
    extras: Mapping[str, bytes | memoryview] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Write the file atomically and return its path."""
        entries = {
            "model.c": bytes(self.source), "model.h": bytes(self.header),
            "model.bin": bytes(self.code), "weights.bin": bytes(self.weights),
            "card.json": _dump(dict(self.card)),
        }  # fmt: skip
        entries |= {f"extra/{name}": bytes(data) for name, data in self.extras.items()}
        manifest: dict[str, Json] = {
            "schema": SCHEMA,
            "target": dict(self.target),
            "interface": to_json(self.interface),
            "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in entries.items()},
        }
        where = Path(path)
        file.write(where, {"manifest.json": _dump(manifest), **entries})
        return where


def open_artifact(path: str | Path, check_all: bool = False) -> Artifact:
    """Map an artifact and check its entries against their digests.

    check_all: also the weights, the graph and the source, which a run does not read whole.

    Raises:
        ArtifactError: not an artifact, altered, or of a newer schema.
    """
    where = str(path)
    entries = file.read(Path(path))
    missing = [n for n in (*REQUIRED, "model.bin", "card.json") if n not in entries]
    if missing:
        raise ArtifactError("not a .whet artifact", where, f"{', '.join(missing)} missing")
    manifest = _load(entries["manifest.json"], where)
    if manifest.get("schema") != SCHEMA:
        raise ArtifactError(
            f"artifact schema {manifest.get('schema')}", where, f"this Whet reads {SCHEMA}",
            "compile the model again",
        )  # fmt: skip
    digests, target = manifest.get("sha256"), manifest.get("target")
    interface = manifest.get("interface")
    if not all(isinstance(part, dict) for part in (digests, target, interface)):
        raise ArtifactError("the manifest is malformed", where)
    assert isinstance(digests, dict)
    assert isinstance(target, dict)
    assert isinstance(interface, dict)
    for name, data in entries.items():
        skip = name == "manifest.json" or (name in NOT_CHECKED and not check_all)
        if not skip and hashlib.sha256(data).hexdigest() != digests.get(name):
            raise ArtifactError("an entry was altered", where, name)
    found = from_json(interface)
    if found.weight_bytes != len(entries["weights.bin"]):
        raise ArtifactError("weights.bin has the wrong size", where)
    extras = {n[6:]: d for n, d in entries.items() if n.startswith("extra/")}
    return Artifact(
        found, {k: str(v) for k, v in target.items()}, entries["model.c"], entries["model.h"],
        entries["model.bin"], entries["weights.bin"], _load(entries["card.json"], where), extras,
    )  # fmt: skip


def _dump(data: dict[str, Json]) -> bytes:
    return json.dumps(data, indent=1, sort_keys=True).encode()


def _load(data: memoryview, where: str) -> dict[str, Json]:
    if len(data) > MANIFEST_LIMIT:
        raise ArtifactError("a manifest of that size", where)
    try:
        loaded = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise ArtifactError("a JSON entry is malformed", where) from None
    if not isinstance(loaded, dict):
        raise ArtifactError("a JSON entry is malformed", where)
    return loaded
