"""Media: pictures, sound and arrays from files into a model's inputs, and its outputs into tables.

pipeline = load_pipeline("net.tflite", inputs, outputs)
presentation = pipeline.present(run(pipeline.read(["cat.jpg"])))
"""

from whet.media.config import Config, InputConfig, parse_config, read_config, render_config
from whet.media.pipeline import Pipeline, load_pipeline, make_pipeline, parse_pipeline
from whet.media.tensor import TensorSpec, dequantise, quantise
from whet.media.tflite_metadata import ModelMetadata, metadata_config, read_metadata
from whet.media.views import Presentation, Table

__all__ = [
    "Config",
    "InputConfig",
    "ModelMetadata",
    "Pipeline",
    "Presentation",
    "Table",
    "TensorSpec",
    "dequantise",
    "load_pipeline",
    "make_pipeline",
    "metadata_config",
    "parse_config",
    "parse_pipeline",
    "quantise",
    "read_config",
    "read_metadata",
    "render_config",
]
