"""`load`: an artifact opened and ready to be called."""

from __future__ import annotations

from pathlib import Path

from whet.artifact.artifact import open_artifact
from whet.errors import ArtifactError
from whet.session.session import Session


def load(path: str | Path, threads: int = 1) -> Session:
    """A `.whet` artifact that was built for this machine, as a function of NumPy arrays.

        outputs = whet.load("net.whet")({"image": array})

    Weights are used where the file is mapped; nothing is unpacked.

    Raises:
        ArtifactError: it is malformed, altered, or made for another target.
    """
    artifact = open_artifact(path)
    if artifact.target.get("name") != "host":
        target = artifact.target.get("name", "?")
        raise ArtifactError("the artifact is for another target", str(path), target)
    return Session(artifact.interface, artifact.code, artifact.weights, threads)
