"""Whet: a trained model in, one small proven artifact out."""

import typing

from whet.api import compile, load
from whet.errors import WhetError as Error
from whet.importers import import_model

if typing.TYPE_CHECKING:
    from whet.ops.evaluate import evaluate

__all__ = ["Error", "compile", "evaluate", "import_model", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # What every op means is imported when it is asked for: running an artifact needs none of it.
    if name != "evaluate":
        raise AttributeError(f"module 'whet' has no attribute {name!r}")
    from whet.ops.evaluate import evaluate

    return evaluate
