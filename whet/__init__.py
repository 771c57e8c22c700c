"""Whet: a trained model in, one small proven artifact out."""

from whet.errors import WhetError as Error

__all__ = ["Error"]
__version__ = "0.1.0"
