"""Static quantisation of LSTM layers, which the quantiser of ONNX Runtime has no rule for."""

from __future__ import annotations

from onnxruntime.quantization.operators.qdq_base_operator import QDQOperatorBase
from onnxruntime.quantization.registry import QDQRegistry


class QuantisedLstm(QDQOperatorBase):  # type: ignore[misc]
    """Codes for the sequence that goes in and the one that comes out, and for both weights, one
    scale a row of a gate; bias and states stay floats."""

    def quantize(self) -> None:
        sequence, *weights = self.node.input[:3]
        for name in (sequence, self.node.output[0]):
            self.quantizer.quantize_activation_tensor(name)
        for name in weights:
            per_channel, axis = self.quantizer.is_tensor_per_channel(
                name, default_axis=1, op_type=self.node.op_type
            )
            if per_channel:
                self.quantizer.quantize_weight_tensor_per_channel(name, axis)
            else:
                self.quantizer.quantize_weight_tensor(name)


def register() -> None:
    """Teach the quantiser."""
    QDQRegistry["LSTM"] = QuantisedLstm
