"""What was chosen for the kernel calls of a model, as JSON: kept in an artifact, or in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from whet.artifact.artifact import open_artifact
from whet.artifact.interface import Json
from whet.errors import InputError
from whet.kernels.kernel import Choice

CHOICES_ENTRY = "choices.json"
FORMAT = 1
# Choices of the largest models are a few hundred kilobytes.
LIMIT = 16 << 20


def choice_json(choice: Choice) -> dict[str, Json]:
    """A choice as JSON values."""
    return {"kernel": choice.kernel, "numbers": list(choice.numbers)}


def read_choice(data: Json) -> Choice | None:
    """A choice back from JSON values; None where they are none."""
    if not isinstance(data, dict):
        return None
    kernel, numbers = data.get("kernel"), data.get("numbers")
    if not isinstance(kernel, str) or not isinstance(numbers, list):
        return None
    whole = [n for n in numbers if type(n) is int]
    return Choice(kernel, tuple(whole)) if len(whole) == len(numbers) else None


def write_choices(chosen: Mapping[str, Choice]) -> bytes:
    """Choices by kernel call, as `read_choices` takes them."""
    calls: dict[str, Json] = {key: choice_json(choice) for key, choice in sorted(chosen.items())}
    return json.dumps({"format": FORMAT, "calls": calls}, indent=1).encode()


def read_choices(data: bytes | memoryview, where: str) -> dict[str, Choice]:
    """Choices by kernel call.

    Raises:
        InputError: the data is not a document of choices.
    """
    try:
        document = json.loads(bytes(data)) if len(data) <= LIMIT else None
    except (ValueError, RecursionError):
        document = None
    document = document if isinstance(document, dict) else {}
    calls = document.get("calls")
    if document.get("format") != FORMAT or not isinstance(calls, dict):
        raise InputError("no choices of kernels", where, "not a file that --tune made")
    read = {key: read_choice(value) for key, value in calls.items()}
    bad = [key for key, choice in read.items() if choice is None]
    if bad:
        raise InputError("a choice is malformed", where, bad[0])
    return {key: choice for key, choice in read.items() if choice is not None}


def open_choices(path: Path) -> dict[str, Choice]:
    """The choices in a file: a document of them, or an artifact of a tuned model.

    Raises:
        InputError: there is no such file, or there are no choices in it.
        ArtifactError: it is a damaged artifact.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise InputError("cannot read choices", str(path), str(error.strerror)) from None
    if data.startswith(b"PK"):
        data = bytes(open_artifact(path).extras.get(CHOICES_ENTRY, b""))
    return read_choices(data, str(path))
