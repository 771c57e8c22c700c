"""The linear models and the pre-processing of ai.onnx.ml."""

from __future__ import annotations

import numpy as np

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.trees import ML, transformed
from whet.ir.element import F32
from whet.ir.leaf import constant
from whet.ir.node import Array, Value
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.convert import convert
from whet.ops.gather import gather
from whet.ops.matmul import matmul
from whet.ops.movement import concat, reshape


def _floats(values: tuple[float, ...]) -> Value:
    return constant(np.array(values, np.float32))


@row("ArrayFeatureExtractor", domain=ML)
def extract(layer: Layer) -> Value:
    x, index = layer[0], layer[1]
    flat = reshape(index, shape=(index.tensor.elements,))
    rows = x if len(x.shape) > 1 else reshape(x, shape=(1, *x.shape))
    return gather(rows, flat, axis=len(rows.shape) - 1)


@row("Binarizer", domain=ML)
def binarize(layer: Layer) -> Value:
    x = layer[0]
    return convert(e.less(scalar(layer.real("threshold"), x), x), to=x.tensor.element)


@row("Scaler", domain=ML)
def scale(layer: Layer) -> Value:
    x = convert(layer[0], to=F32)
    return e.mul(e.sub(x, _floats(layer.reals("offset"))), _floats(layer.reals("scale")))


@row("Normalizer", domain=ML)
def normalize(layer: Layer) -> Value:
    """x over its norm along the last axis; a zero norm divides by one."""
    x, kind = convert(layer[0], to=F32), layer.text("norm", "MAX")
    axes = (len(x.shape) - 1,)
    if kind == "L2":
        norm = e.sqrt(r.reduce_sum(e.mul(x, x), axes=axes, keep=True))
    else:
        op = r.reduce_max if kind == "MAX" else r.reduce_sum
        norm = op(e.absolute(x), axes=axes, keep=True)
    return e.div(x, e.select(e.equal(norm, scalar(0, norm)), scalar(1, norm), norm))


@row("Imputer", domain=ML)
def impute(layer: Layer) -> Value:
    x, whole = layer[0], layer.integers("imputed_value_int64s")
    values = np.array(whole or layer.reals("imputed_value_floats"), x.tensor.element.dtype)
    gone = layer.integer("replaced_value_int64") if whole else layer.real("replaced_value_float")
    missing = e.is_nan(x) if np.isnan(gone) else e.equal(x, scalar(gone, x))
    return e.select(missing, constant(values), x)


@row("FeatureVectorizer", domain=ML)
def vectorize(layer: Layer) -> Value:
    parts = [convert(layer[i], to=F32) for i in range(len(layer.inputs))]
    return concat(*parts, axis=1)


def _linear(layer: Layer, outputs: int) -> Value:
    x = convert(layer[0], to=F32)
    weights = np.array(layer.reals("coefficients"), np.float32).reshape(outputs, -1)
    y = matmul(x if len(x.shape) > 1 else reshape(x, shape=(1, *x.shape)), constant(weights.T))
    return e.add(y, _floats(layer.reals("intercepts"))) if layer.reals("intercepts") else y


@row("LinearRegressor", domain=ML)
def regressor(layer: Layer) -> Value:
    y = _linear(layer, layer.integer("targets", 1))
    return transformed(layer, y, layer.text("post_transform", "NONE"))


@row("LinearClassifier", domain=ML)
def classifier(layer: Layer) -> Result:
    """A single score stands for both classes of two: the second where it is above zero."""
    labels: Array = np.array(layer.integers("classlabels_ints"), np.int64)
    if not labels.size:
        labels = np.array(layer.texts("classlabels_strings"), object)
    count = max(1, len(layer.reals("intercepts")) or len(labels))
    scores, kind = _linear(layer, count), layer.text("post_transform", "NONE")
    if count == 1:
        scores = concat(e.neg(scores), scores, axis=1)
    best = r.argmax(scores, axis=1, keep=False)
    return gather(constant(labels), best, axis=0), transformed(layer, scores, kind)
