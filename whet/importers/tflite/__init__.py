"""TFLite -> Graph."""

from whet.importers.tflite.translate import load_graph

__all__ = ["load_graph"]
