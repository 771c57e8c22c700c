"""Whet: a trained model in, one small proven artifact out."""

from whet.api import compile, load
from whet.errors import WhetError as Error
from whet.importers import import_model
from whet.ops.evaluate import evaluate

__all__ = ["Error", "compile", "evaluate", "import_model", "load"]
__version__ = "0.1.0"
