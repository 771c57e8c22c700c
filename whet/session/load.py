"""From a file to a session."""

from __future__ import annotations

from pathlib import Path

from whet.artifact.artifact import open_artifact
from whet.errors import ArtifactError
from whet.session.session import Session
from whet.targets.host import missing_features


def load(path: str | Path, threads: int = 1) -> Session:
    """Map an artifact and make it ready to run in this process.

    threads: how many threads a call uses, the caller's included.

    Raises:
        ArtifactError: not an artifact, altered, or built for another machine. Weights,
            graph and source are not read whole here: `verify` checks them.
    """
    artifact = open_artifact(path)
    if artifact.target.get("name") != "host":
        raise ArtifactError(
            f"built for {artifact.target.get('name')}", str(path), "it cannot run in this process",
            "whet compile --target host",
        )  # fmt: skip
    missing = missing_features(artifact.target.get("features", ""))
    if missing:
        why = f"this processor has no {', '.join(missing)}"
        raise ArtifactError(
            "built for another processor", str(path), why, "compile it here, or with --cpu x86-64"
        )
    return Session(artifact.interface, artifact.code, artifact.weights, threads)
