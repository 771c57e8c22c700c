"""What a row sees of one TFLite operator, and the table of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from whet.errors import ModelError
from whet.importers.tflite.schema import Operator
from whet.importers.tflite.variables import Variables
from whet.ir.dim import static_size
from whet.ir.element import I8, U8, Element, Quant
from whet.ir.graph import State
from whet.ir.leaf import known
from whet.ir.node import Array, Attr, Value
from whet.ops.affine import affine
from whet.ops.convert import convert
from whet.ops.integer.quantization import Activation, activation_range, same_padding

Result = Value | tuple[Value, ...]
Row = Callable[["Layer"], Result]

ROWS: dict[str, Row] = {}
ACTIVATIONS = {
    0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6,
}  # fmt: skip


def row(*names: str) -> Callable[[Row], Row]:
    """Register how operators, builtin or custom, become nodes of the graph."""

    def register(function: Row) -> Row:
        for name in names:
            ROWS[name] = function
        return function

    return register


def as_element(x: Value, element: Element) -> Value:
    """The value in another representation, untouched where it has it already."""
    return x if x.tensor.element == element else convert(x, to=element)


def unsigned(element: Element) -> Element:
    """A re-based uint8 representation as the file has it."""
    if not isinstance(element, Quant) or element.store != I8:
        return element
    return replace(element, store=U8, zero=tuple(z + 128 for z in element.zero))


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator with its operands translated.

    elements: how each output is represented, as the file says. legacy: tensors are uint8, which
    TensorFlow Lite Micro does not run; their bits are those of TensorFlow Lite's reference kernels.
    kept: states that rows made. variables: the file's resource variables at this point.
    """

    operator: Operator
    inputs: tuple[Value | None, ...]
    elements: tuple[Element, ...]
    shapes: tuple[tuple[int, ...], ...]
    name: str
    legacy: bool = False
    kept: list[State] = field(default_factory=list)
    variables: Variables = field(default_factory=Variables)

    def keep(self, value: Value, following: Value, initial: Array) -> None:
        """Hold a state made by a row: its value, the next one, and where it starts."""
        self.kept.append(State(str(value.node["name"]), value, following, initial))

    def __getitem__(self, index: int) -> Value:
        """Input `index`, which must be there."""
        value = self.optional(index)
        if value is None:
            raise ModelError(f"input {index} is missing", where=self.name)
        return value

    def optional(self, index: int) -> Value | None:
        """Input `index`, or None where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> Array:
        """The array of an input that must be constant."""
        array = known(self.optional(index))
        if array is None:
            raise ModelError(f"input {index} must be constant", where=self.name)
        return array

    def ints(self, index: int) -> tuple[int, ...]:
        """A constant input as whole numbers."""
        return tuple(int(v) for v in self.constant(index).reshape(-1))

    def option(self, index: int, form: str = "i", default: int = 0) -> int:
        """A whole-number field of the operator's options."""
        options = self.operator.options
        return default if options is None else options.integer(index, form, default)

    def real(self, index: int, default: float = 0.0) -> float:
        """A float field of the operator's options."""
        options = self.operator.options
        return default if options is None else options.real(index, default)

    def own(self, element: Element) -> Element:
        """The representation whose codes the layer's arithmetic is defined on."""
        return unsigned(element) if self.legacy else element

    def on_own_codes(
        self, compute: Callable[[Value, dict[str, Attr]], Value],
        activation: Activation = Activation.NONE,
    ) -> Value:  # fmt: skip
        """compute(first input, attributes) where re-based codes would round otherwise."""
        if not self.quantized:
            return compute(self[0], {})
        x = as_element(self[0], self.own(self[0].tensor.element))
        y = compute(x, integer_attributes(self.own(self.elements[0]), activation))
        return as_element(y, self.elements[0])

    @property
    def quantized(self) -> bool:
        """Whether the first output is quantised."""
        return bool(self.elements) and isinstance(self.elements[0], Quant)

    def activation(self, index: int) -> Activation:
        """The fused activation in field `index` of the options."""
        code = self.option(index, "b")
        if code not in ACTIVATIONS:
            raise ModelError(f"fused activation {code}", where=self.name, why="not known")
        return ACTIVATIONS[code]

    def integer_attributes(self, activation: Activation = Activation.NONE) -> dict[str, Attr]:
        """`element` and `clamp` of a quantised node; none for floats."""
        return integer_attributes(self.elements[0], activation)

    def window(
        self, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
    ) -> dict[str, tuple[int, int]]:
        """stride, dilation, low and high of a window over the first input [N, H, W, C]."""
        if min(*stride, *dilation, *kernel) < 1:
            raise ModelError("a window with a stride or size below one", where=self.name)
        sizes = [static_size(d) for d in self[0].shape[1:3]]
        pads = [(0, 0), (0, 0)]
        if self.option(0, "b") == 0:
            pads = [same_padding(*a) for a in zip(sizes, kernel, stride, dilation, strict=True)]
        low, high = (pads[0][0], pads[1][0]), (pads[0][1], pads[1][1])
        return {"stride": stride, "dilation": dilation, "low": low, "high": high}


def integer_attributes(element: Element, activation: Activation) -> dict[str, Attr]:
    """`element` and `clamp` of a node with this result; none for floats."""
    if not isinstance(element, Quant):
        return {}
    attrs: dict[str, Attr] = {"element": element}
    if activation is not Activation.NONE:
        attrs["clamp"] = activation_range(affine(element), activation)
    return attrs
