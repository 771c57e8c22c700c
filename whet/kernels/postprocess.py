"""Detections: postprocess.h."""

from __future__ import annotations

import numpy as np

from whet.emit.lowered import Argument, Call, In, Lowered, Out, Record, Scratch, Weight
from whet.ir.dim import static_size
from whet.ir.node import Node
from whet.kernels.kernel import kernel
from whet.kernels.scratch import whole_lines
from whet.ops.postprocess import detection_postprocess, settings
from whet.targets.target import Target


@kernel("detection_postprocess", detection_postprocess)
def lower(node: Node, target: Target) -> Lowered | None:
    s = settings(node)
    boxes, scores = (v.shape for v in node.inputs[:2] if v is not None)
    n, width, columns = (static_size(d) for d in (boxes[1], boxes[2], scores[2]))
    rows, most = static_size(node.outputs[1].shape[1]), max(s.detections, s.per_class)
    shape = Record(
        "detection_shape",
        (
            ("n", n), ("width", width), ("columns", columns), ("classes", s.classes),
            ("detections", s.detections), ("categories", s.categories),
            ("per_class", s.per_class), ("regular", int(s.regular)),
        ),
    )  # fmt: skip
    work = 20 * n + 4 * most + 8 * rows + n
    head: tuple[Argument, ...] = (shape, rows, most, Weight(0), s.least_score, s.most_overlap)
    call = Call(
        "detection_postprocess",
        (*head, In(0), In(1), In(2), Scratch(), Out(0), Out(1), Out(2), Out(3)),
    )
    scales = np.array(s.scales, np.float32)
    return Lowered((call,), ("postprocess.h",), (scales,), scratch=whole_lines(work))
