"""tree_ensemble.h, classic_ml.h and tfidf.h against onnx.reference and ONNX Runtime."""

from __future__ import annotations

import ctypes

import numpy as np
import onnx
import pytest

from tests.kernels.longtail_library import call, library
from tests.kernels.longtail_oracle import DTYPES, close, evaluate, evaluate_with_runtime

RNG = np.random.default_rng(31)
I32 = np.int32
ML = "ai.onnx.ml"


def _pointer(array: np.ndarray | None) -> int:
    return array.ctypes.data if array is not None else 0


def _trees(count: int, depth: int, features: int) -> dict[str, list[float]]:
    """Random complete trees as the attributes of TreeEnsemble-5, with every comparison mode."""
    table: dict[str, list[float]] = {
        key: []
        for key in (
            "nodes_splits",
            "nodes_featureids",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_trueleafs",
            "nodes_falseleafs",
            "nodes_missing_value_tracks_true",
            "leaf_targetids",
            "leaf_weights",
            "tree_roots",
            "membership_values",
        )
    }

    def grow(level: int) -> tuple[int, int]:
        if level == depth:
            table["leaf_targetids"].append(int(RNG.integers(0, 3)))
            table["leaf_weights"].append(float(np.float32(RNG.standard_normal())))
            return len(table["leaf_weights"]) - 1, 1
        node, mode = len(table["nodes_splits"]), int(RNG.integers(0, 7))
        table["nodes_splits"].append(float(RNG.integers(-2, 3)))
        table["nodes_featureids"].append(int(RNG.integers(0, features)))
        table["nodes_modes"].append(mode)
        table["nodes_missing_value_tracks_true"].append(int(RNG.integers(0, 2)))
        if mode == 6:
            table["membership_values"] += [-2.0, 1.0, float("nan")]
        for key in ("truenodeids", "falsenodeids", "trueleafs", "falseleafs"):
            table[f"nodes_{key}"].append(0)
        for side in ("true", "false"):
            child, leaf = grow(level + 1)
            table[f"nodes_{side}nodeids"][node] = child
            table[f"nodes_{side}leafs"][node] = leaf
        return node, 0

    for _ in range(count):
        table["tree_roots"].append(grow(0)[0])
    return table


def _columns(trees: dict[str, list[float]]) -> list[np.ndarray]:
    """The integer columns of tree_ensemble.h, in its order."""
    member = np.array(trees["nodes_modes"]) == 6
    starts = np.where(member, 3 * (np.cumsum(member) - 1), 0)
    children = [
        np.where(
            trees[f"nodes_{side}leafs"],
            ~np.array(trees[f"nodes_{side}nodeids"]),
            trees[f"nodes_{side}nodeids"],
        )
        for side in ("true", "false")
    ]
    leaves = len(trees["leaf_weights"])
    columns = [np.array(column, np.int32) for column in (trees["nodes_featureids"], *children)]
    columns += [
        np.array(trees[key], np.uint8) for key in ("nodes_modes", "nodes_missing_value_tracks_true")
    ]
    return columns + [
        np.array(column, np.int32)
        for column in (starts, range(leaves + 1), trees["leaf_targetids"], trees["tree_roots"])
    ]


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("aggregate", [0, 1, 2, 3])
def test_tree_ensemble(aggregate: int, kind: str) -> None:
    dtype, trees = DTYPES[kind], _trees(7, 3, 4)
    x = RNG.integers(-3, 4, (20, 4)).astype(dtype)
    x[RNG.random(x.shape) < 0.2] = np.nan
    tensors = ("nodes_splits", "leaf_weights", "membership_values")
    attributes: dict[str, object] = {
        key: onnx.numpy_helper.from_array(np.array(value, dtype)) if key in tensors else value
        for key, value in trees.items()
    }
    attributes["nodes_modes"] = onnx.numpy_helper.from_array(
        np.array(trees["nodes_modes"], np.uint8)
    )
    node = onnx.helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain=ML,
        n_targets=3,
        aggregate_function=aggregate,
        **attributes,
    )
    want = evaluate(node, {"x": x}, 5)[0]

    columns = _columns(trees)
    table = np.array([_pointer(column) for column in columns], np.uintp)
    y, base = np.empty((20, 3), dtype), np.array([1, 2, 3], dtype)
    values, weights, members = (
        np.array(trees[key], dtype) for key in ("nodes_splits", "leaf_weights", "membership_values")
    )
    call(
        getattr(library("tree_ensemble.h"), f"tree_ensemble_{kind}"),
        x,
        y,
        table,
        values,
        members,
        weights,
        base,
        20,
        4,
        3,
        7,
        I32(aggregate),
    )
    voted = np.abs(want) < 1e30  # a target without votes keeps the aggregate's identity
    close(np.where(voted, y - base, 0), np.where(voted, want, 0), kind, scale=3)
    assert voted.mean() > 0.5


@pytest.mark.parametrize("kind", ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"])
def test_linear_model_and_post_transforms(kind: str) -> None:
    x, w = RNG.standard_normal((5, 19)).astype(np.float32), RNG.standard_normal((3, 19))
    w, bias = w.astype(np.float32), RNG.standard_normal(3).astype(np.float32)
    if kind == "PROBIT":  # a quantile takes probabilities
        x, w, bias = np.abs(x) / 10, np.abs(w) / 19, bias * 0
    y = np.empty((5, 3), np.float32)
    call(library("classic_ml.h").linear_model_f32, x, w, bias, y, 5, 19, 3)
    close(y, x @ w.T + bias, "f32", scale=5)
    number = I32(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"].index(kind))
    call(library("classic_ml.h").ml_post_transform_f32, y, 5, 3, number)
    node = onnx.helper.make_node(
        "LinearClassifier",
        ["x"],
        ["l", "y"],
        domain=ML,
        coefficients=w.ravel().tolist(),
        intercepts=bias.tolist(),
        post_transform=kind,
        classlabels_ints=[0, 1, 2],
    )
    close(y, evaluate(node, {"x": x}, 1)[1], "f32", scale=10)


class Svm(ctypes.Structure):
    """The C struct svm_model_f32."""

    _fields_ = [
        ("kernel", ctypes.c_int),
        *((n, ctypes.c_float) for n in ("gamma", "coef0", "degree")),
        ("supports", ctypes.c_long),
        ("features", ctypes.c_long),
        *((n, ctypes.c_void_p) for n in ("vectors", "coefficients", "rho", "starts")),
    ]


KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("one_class", [0, 1])
def test_svm_regressor(one_class: int, kernel: str) -> None:
    x, vectors = (RNG.standard_normal(s).astype(np.float32) for s in ((6, 5), (4, 5)))
    weights, rho = RNG.standard_normal(4).astype(np.float32), np.array([0.1], np.float32)
    node = onnx.helper.make_node(
        "SVMRegressor",
        ["x"],
        ["y"],
        domain=ML,
        coefficients=weights.tolist(),
        n_supports=4,
        kernel_type=kernel,
        kernel_params=[0.3, 0.5, 3.0],
        rho=rho.tolist(),
        one_class=one_class,
        support_vectors=vectors.ravel().tolist(),
    )
    want = evaluate(node, {"x": x}, 1)[0]
    model = Svm(
        KERNELS.index(kernel),
        0.3,
        0.5,
        3.0,
        4,
        5,
        _pointer(vectors),
        _pointer(weights),
        _pointer(rho),
        None,
    )
    y = np.empty((6, 1), np.float32)
    call(
        library("classic_ml.h").svm_regressor_f32,
        x,
        y,
        np.frombuffer(model, np.uint8),
        6,
        I32(one_class),
    )
    close(y, want, "f32", scale=5)


@pytest.mark.parametrize("probabilities", [0, 1])
@pytest.mark.parametrize("kernel", KERNELS)
def test_svm_classifier(kernel: str, probabilities: int) -> None:
    per_class, features = [3, 2, 4], 5
    x, vectors = (RNG.standard_normal(s).astype(np.float32) for s in ((8, 5), (9, 5)))
    weights, rho, a, b = (RNG.standard_normal(s).astype(np.float32) for s in ((2, 9), 3, 3, 3))
    extra = {"prob_a": a.tolist(), "prob_b": b.tolist()} if probabilities else {}
    node = onnx.helper.make_node(
        "SVMClassifier",
        ["x"],
        ["l", "y"],
        domain=ML,
        coefficients=weights.ravel().tolist(),
        kernel_type=kernel,
        kernel_params=[0.3, 0.5, 2.0],
        rho=rho.tolist(),
        support_vectors=vectors.ravel().tolist(),
        vectors_per_class=per_class,
        classlabels_ints=[0, 1, 2],
        **extra,
    )
    types = (onnx.TensorProto.INT64, onnx.TensorProto.FLOAT)
    labels, want = evaluate_with_runtime(node, {"x": x}, 1, types)
    starts = np.array([0, 3, 5, 9], np.int32)
    model = Svm(
        KERNELS.index(kernel),
        0.3,
        0.5,
        2.0,
        9,
        features,
        _pointer(vectors),
        _pointer(weights),
        _pointer(rho),
        _pointer(starts),
    )
    scores, votes = np.empty((8, 3), np.float32), np.empty((8, 3), np.float32)
    lib = library("classic_ml.h")
    call(lib.svm_classifier_f32, x, scores, votes, np.frombuffer(model, np.uint8), 8, 3)
    if probabilities:
        y, scratch = np.empty((8, 3), np.float32), np.empty(21, np.float32)
        call(lib.svm_probabilities_f32, scores, a, b, y, scratch, 8, 3)
        close(y, want, "f32", scale=30)
    else:
        close(scores, want, "f32", scale=10)
    np.testing.assert_array_equal(np.argmax(votes, axis=1), labels)


def test_scaler_normalizer_imputer() -> None:
    lib, x = library("classic_ml.h"), RNG.standard_normal((4, 6)).astype(np.float32)
    offset, scale = (RNG.standard_normal(6).astype(np.float32) for _ in range(2))
    y = np.empty_like(x)
    call(lib.scaler_f32, x, offset, scale, y, 4, 6, 1)
    close(y, (x - offset) * scale, "f32")
    call(lib.scaler_f32, x, offset, scale, y, 4, 6, 0)
    close(y, (x - offset[0]) * scale[0], "f32")
    for number, norm in enumerate(["MAX", "L1", "L2"]):
        node = onnx.helper.make_node("Normalizer", ["x"], ["y"], domain=ML, norm=norm)
        call(lib.normalizer_f32, x, y, 4, 6, I32(number))
        close(y, evaluate(node, {"x": x}, 1)[0], "f32")
    for missing in (np.nan, 7.0):
        gaps = x.copy()
        gaps[::2, 1:3] = missing
        node = onnx.helper.make_node(
            "Imputer",
            ["x"],
            ["y"],
            domain=ML,
            imputed_value_floats=offset.tolist(),
            replaced_value_float=missing,
        )
        call(lib.imputer_f32, gaps, offset, y, 4, 6, 1, np.float32(missing))
        np.testing.assert_array_equal(y, evaluate(node, {"x": gaps}, 1)[0])


def test_label_encode() -> None:
    keys, values = np.array([3, 1, 7, 2]), np.array([0.5, 1.5, 2.5, 3.5], np.float32)
    x, y = RNG.integers(0, 9, (3, 5)), np.empty((3, 5), np.float32)
    call(
        library("classic_ml.h").label_encode,
        keys,
        values,
        np.array([-1], np.float32),
        x,
        y,
        15,
        4,
        8,
        4,
    )
    node = onnx.helper.make_node(
        "LabelEncoder",
        ["x"],
        ["y"],
        domain=ML,
        default_float=-1.0,
        keys_int64s=keys.tolist(),
        values_floats=values.tolist(),
    )
    np.testing.assert_array_equal(y, evaluate(node, {"x": x}, 2)[0])


class Tfidf(ctypes.Structure):
    """The C struct tfidf_table."""

    _fields_ = [
        *((n, ctypes.c_void_p) for n in ("pool", "counts", "columns", "weights")),
        *(
            (n, ctypes.c_long)
            for n in ("pool_size", "sizes", "min_length", "max_length", "max_skip", "outputs")
        ),
        ("mode", ctypes.c_int),
    ]


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize(
    ("low", "high", "skip"), [(1, 1, 0), (2, 2, 0), (2, 2, 5), (1, 2, 3), (1, 3, 1), (3, 3, 0)]
)
def test_tfidf(low: int, high: int, skip: int, mode: str) -> None:
    pool = np.array([2, 3, 5, 4, 5, 6, 7, 8, 6, 7, 1, 2, 3, 5, 6, 7])
    counts, columns = np.array([0, 4, 10]), np.array([0, 1, 2, 3, 4, 5, 6, 8, 7])
    weights = RNG.uniform(0.5, 2, 9).astype(np.float32)
    x, y = RNG.integers(1, 9, (5, 14)), np.empty((5, 9), np.float32)
    x[0, :3], x[1, 4:7] = [5, 6, 7], [1, 2, 3]
    node = onnx.helper.make_node(
        "TfIdfVectorizer",
        ["x"],
        ["y"],
        mode=mode,
        min_gram_length=low,
        max_gram_length=high,
        max_skip_count=skip,
        ngram_counts=counts.tolist(),
        ngram_indexes=columns.tolist(),
        pool_int64s=pool.tolist(),
        weights=weights.tolist(),
    )
    table = Tfidf(
        _pointer(pool),
        _pointer(counts),
        _pointer(columns),
        _pointer(weights),
        pool.size,
        3,
        low,
        high,
        skip,
        9,
        ["TF", "IDF", "TFIDF"].index(mode),
    )
    call(library("tfidf.h").tfidf, x, y, np.frombuffer(table, np.uint8), 5, 14)
    want = evaluate(node, {"x": x}, 9)[0]
    close(y, want, "f32")
    assert want.any()
