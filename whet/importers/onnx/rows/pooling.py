"""Window pooling."""

from __future__ import annotations

from math import prod

from whet.importers.onnx.layer import Layer, Result, row, scalar
from whet.importers.onnx.rows.activation import scaled
from whet.importers.onnx.rows.convolution import channels_first, channels_last, window
from whet.ir.dim import static_size
from whet.ir.node import Value
from whet.ir.type import size_product
from whet.ops import elementwise as e
from whet.ops.gather import scatter_elements
from whet.ops.movement import broadcast, pad, reshape
from whet.ops.pooling import average_pool, max_pool, max_pool_indices
from whet.ops.reduction import reduce_sum


@row("MaxPool")
def maximum(layer: Layer) -> Result:
    kernel, attrs = _window(layer)
    x = channels_last(layer[0])
    attrs.pop("extra")
    if len(layer.proto.output) == 1:
        return channels_first(max_pool(x, kernel=kernel, **attrs))
    column_major = bool(layer.integer("storage_order"))
    y, indices = max_pool_indices.many(x, kernel=kernel, column_major=column_major, **attrs)
    return channels_first(y), channels_first(indices)


@row("AveragePool")
def average(layer: Layer) -> Value:
    kernel, attrs = _window(layer)
    count = bool(layer.integer("count_include_pad"))
    x = channels_last(layer[0])
    return channels_first(average_pool(x, kernel=kernel, count_pad=count, **attrs))


@row("LpPool")
def norm(layer: Layer) -> Value:
    """(sum |x|^p)^(1/p): the sum is the average over all taps, padding too, times their number."""
    kernel, attrs = _window(layer)
    attrs.pop("extra")
    x, p = channels_last(layer[0]), layer.integer("p", 2)
    mean = average_pool(_power(x, p), kernel=kernel, count_pad=True, **attrs)
    return channels_first(_root(scaled(mean, prod(kernel)), p))


@row("GlobalLpPool")
def global_norm(layer: Layer) -> Value:
    x, p = layer[0], layer.integer("p", 2)
    total = reduce_sum(_power(x, p), axes=tuple(range(2, len(x.shape))), keep=True)
    return _root(total, p)


def _power(x: Value, p: int) -> Value:
    size = e.absolute(x)
    return size if p == 1 else e.mul(x, x) if p == 2 else e.pow(size, scalar(p, x))


def _root(x: Value, p: int) -> Value:
    return x if p == 1 else e.sqrt(x) if p == 2 else e.pow(x, scalar(1 / p, x))


@row("MaxUnpool")
def unpool(layer: Layer) -> Value:
    """Elements put back where the indices, counted in the unpadded shape, say; zeros elsewhere."""
    x, indices = layer[0], layer[1]
    kernel, rank = layer.integers("kernel_shape"), len(layer[0].shape)
    stride = layer.integers("strides", (1,) * len(kernel))
    pads = layer.integers("pads", (0,) * (2 * len(kernel)))
    spatial = tuple(
        (d - 1) * s + k - low - high
        for d, s, k, low, high in zip(
            x.shape[2:], stride, kernel, pads[: len(kernel)], pads[len(kernel) :], strict=True
        )
    )
    shape = (*x.shape[:2], *spatial)
    count = x.tensor.elements
    zeros = broadcast(scalar(0, x), shape=(size_product(shape),))
    flat = (reshape(v, shape=(count,)) for v in (indices, x))
    y = reshape(scatter_elements(zeros, *flat, axis=0, combine="none"), shape=shape)
    given, declared = layer.sizes(2), layer.declared()
    wanted = given or (declared.shape if declared and layer.optional(2) is not None else shape)
    high = tuple(b - a for a, b in zip(shape, wanted, strict=True))
    return pad(y, scalar(0, x), low=(0,) * rank, high=high) if any(high) else y


def _window(layer: Layer) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """The kernel and the window's attributes, ceil_mode resolved."""
    kernel = layer.integers("kernel_shape")
    attrs = window(layer, kernel)
    high = attrs["high"]
    if layer.integer("ceil_mode"):
        attrs["high"] = _ceiled(layer, kernel, attrs)
    attrs["extra"] = tuple(a - b for a, b in zip(attrs["high"], high, strict=True))
    return kernel, attrs


def _ceiled(
    layer: Layer, kernel: tuple[int, ...], attrs: dict[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Trailing pads that let the last, partial window in; one that starts in them is left out."""
    pads = []
    sizes = zip(
        layer[0].shape[2:], kernel, attrs["stride"], attrs["dilation"], attrs["low"], attrs["high"],
        strict=True,
    )  # fmt: skip
    for d, k, s, dl, low, high in sizes:
        size = static_size(d)
        span = dl * (k - 1) + 1
        count = -(-(size + low + high - span) // s) + 1
        if (count - 1) * s >= size + low:
            count -= 1
        pads.append(max(high, (count - 1) * s + span - size - low))
    return tuple(pads)
