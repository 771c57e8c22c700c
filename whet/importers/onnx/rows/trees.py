"""Decision trees of ai.onnx.ml: version 5, and the classifier and regressor before it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from whet.errors import ModelError, UnsupportedError, UnsupportedOp
from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.ir.element import F32, F64
from whet.ir.leaf import constant
from whet.ir.node import Array, Attr, Value
from whet.ops import elementwise as e
from whet.ops import reduction as r
from whet.ops.convert import convert
from whet.ops.gather import gather
from whet.ops.movement import concat
from whet.ops.normalization import softmax
from whet.ops.tree_ensemble import Trees, tree_ensemble

ML = "ai.onnx.ml"
BRANCHES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
POST = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def transformed(layer: Layer, x: Value, kind: str) -> Value:
    """Scores after a post_transform."""
    if kind == "SOFTMAX":
        return softmax(x, axis=len(x.shape) - 1)
    if kind == "LOGISTIC":
        return e.sigmoid(x)
    if kind != "NONE":
        unknown = UnsupportedOp(layer.proto.op_type, layer.name, f"post_transform {kind}")
        raise UnsupportedError([unknown])
    return x


def _voted(x: Value, trees: Trees, targets: int, aggregate: str) -> Value:
    if x.tensor.element not in (F32, F64):
        x = convert(x, to=F32)
    tables: dict[str, Attr] = {name: np.asarray(a) for name, a in asdict(trees).items()}
    return tree_ensemble(x, targets=targets, aggregate=aggregate, **tables)


@row("TreeEnsemble", domain=ML)
def ensemble(layer: Layer) -> Value:
    modes = _tensor(layer, "nodes_modes").astype(np.uint8)
    members = layer.tensor("membership_values")
    weights, targets = _tensor(layer, "leaf_weights"), layer.integer("n_targets", 1)

    def next_of(branch: str) -> Array:
        ids = np.array(layer.integers(f"nodes_{branch}nodeids"), np.int32)
        leaf = np.array(layer.integers(f"nodes_{branch}leafs"), bool)
        return np.where(leaf, ~ids, ids)

    # Nodes that ask for members take the lists, each ended by NaN, in the order of the nodes.
    lists = np.zeros(0) if members is None else members
    starts = np.concatenate([[0], np.flatnonzero(np.isnan(lists)) + 1]).astype(np.int32)
    which = np.cumsum(modes == 6) - 1
    missing = layer.integers("nodes_missing_value_tracks_true") or (0,) * len(modes)
    trees = Trees(
        np.array(layer.integers("nodes_featureids"), np.int32), modes,
        _tensor(layer, "nodes_splits"), next_of("true"), next_of("false"),
        np.array(missing, np.uint8), np.where(modes == 6, starts[np.maximum(which, 0)], 0),
        np.append(lists, np.nan), np.arange(len(weights) + 1, dtype=np.int32),
        np.array(layer.integers("leaf_targetids"), np.int32), weights,
        np.array(layer.integers("tree_roots"), np.int32), np.zeros(targets),
    )  # fmt: skip
    aggregate = ("average", "sum", "min", "max")[layer.integer("aggregate_function", 1)]
    y = _voted(layer[0], trees, targets, aggregate)
    return transformed(layer, y, POST[layer.integer("post_transform")])


def _tensor(layer: Layer, name: str) -> Array:
    found = layer.tensor(name)
    if found is None:
        raise ModelError(f"attribute {name} is missing", where=layer.name)
    return found


def _numbers(layer: Layer, name: str) -> Array:
    """A list of floats, or the tensor that stands for it."""
    found = layer.tensor(f"{name}_as_tensor")
    return np.array(layer.reals(name), np.float32) if found is None else found


def _older(layer: Layer, votes: str, targets: int) -> Trees:
    """The trees of a classifier (votes `class`) or regressor (`target`), whose leaves are nodes."""
    keys = list(zip(layer.integers("nodes_treeids"), layer.integers("nodes_nodeids"), strict=True))
    modes, count = layer.texts("nodes_modes"), len(keys)
    leaves = {key: i for i, key in enumerate(k for k, m in zip(keys, modes, strict=True)
                                             if m == "LEAF")}  # fmt: skip
    branches = {key: i for i, key in enumerate(k for k in keys if k not in leaves)}
    inner = np.array([m != "LEAF" for m in modes], bool)

    def place(key: tuple[int, int]) -> int:
        return branches[key] if key in branches else ~leaves[key]

    def next_of(name: str) -> Array:
        ids = layer.integers(name)
        to = [place((keys[i][0], ids[i])) for i in range(count) if inner[i]]
        return np.array(to, np.int32)

    pairs: list[list[tuple[int, float]]] = [[] for _ in leaves]
    ids = (layer.integers(f"{votes}_{part}ids") for part in ("tree", "node", ""))
    for tree, at, target, weight in zip(*ids, _numbers(layer, f"{votes}_weights"), strict=True):
        pairs[leaves[tree, at]].append((target, float(weight)))
    flat = [pair for each in pairs for pair in each]
    missing = layer.integers("nodes_missing_value_tracks_true") or (0,) * count
    base = _numbers(layer, "base_values")
    roots = {tree: place((tree, at)) for tree, at in reversed(keys)}
    return Trees(
        np.array(layer.integers("nodes_featureids"), np.int32)[inner],
        np.array([BRANCHES.index(m) for m in modes if m != "LEAF"], np.uint8),
        _numbers(layer, "nodes_values")[inner], next_of("nodes_truenodeids"),
        next_of("nodes_falsenodeids"), np.array(missing, np.uint8)[inner],
        np.zeros(len(branches), np.int32), np.array([np.nan]),
        np.cumsum([0, *map(len, pairs)]).astype(np.int32),
        np.array([target for target, _ in flat], np.int32),
        np.array([weight for _, weight in flat]),
        np.array([roots[tree] for tree in sorted(roots)], np.int32),
        base if len(base) == targets else np.resize(base, targets) * (len(base) > 0),
    )  # fmt: skip


@row("TreeEnsembleRegressor", domain=ML)
def regressor(layer: Layer) -> Value:
    targets = layer.integer("n_targets", 1)
    aggregate = layer.text("aggregate_function", "SUM").lower()
    y = convert(_voted(layer[0], _older(layer, "target", targets), targets, aggregate), to=F32)
    return transformed(layer, y, layer.text("post_transform", "NONE"))


@row("TreeEnsembleClassifier", domain=ML)
def classifier(layer: Layer) -> Result:
    """A single score stands for both classes of two."""
    labels: Array = np.array(layer.integers("classlabels_int64s"), np.int64)
    if not labels.size:
        labels = np.array(layer.texts("classlabels_strings"), object)
    kind, classes = layer.text("post_transform", "NONE"), max(len(labels), 1)
    one = len(set(layer.integers("class_ids"))) == 1
    trees = _older(layer, "class", classes)
    scores = convert(_voted(layer[0], trees, classes, "sum"), to=F32)
    if one and classes == 2:
        second = r.reduce_sum(scores, axes=(1,), keep=True)
        first = (
            e.neg(second) if kind not in ("NONE", "PROBIT") else e.sub(scalar(1, second), second)
        )
        scores = concat(first, second, axis=1)
    scores = transformed(layer, scores, kind)
    best = r.argmax(scores, axis=1, keep=False)
    return gather(constant(labels), best, axis=0), scores
