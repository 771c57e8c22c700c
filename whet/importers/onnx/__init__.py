"""ONNX -> Graph."""

from whet.importers.onnx.translate import load_graph

__all__ = ["load_graph"]
