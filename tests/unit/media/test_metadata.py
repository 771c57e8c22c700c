"""TFLite metadata, in a model built here with the flatbuffers library, and then damaged."""

from __future__ import annotations

import io
import time
import zipfile

import flatbuffers
import numpy as np
import pytest

from whet.errors import ModelError, WhetError
from whet.media import TensorSpec, metadata_config, read_metadata
from whet.media.array_steps import Normalise
from whet.media.image_steps import Grayscale, Resize
from whet.media.views import Classes

Builder = flatbuffers.Builder


def table(builder: Builder, fields: dict[int, tuple[str, int]]) -> int:
    builder.StartObject(8)
    for slot, (kind, value) in fields.items():
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        elif kind == "byte":
            builder.PrependUint8Slot(slot, value, 0)
        else:
            builder.PrependUint32Slot(slot, value, 0)
    return builder.EndObject()


def vector(builder: Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def floats(builder: Builder, values: list[float]) -> int:
    return builder.CreateNumpyVector(np.array(values, np.float32))


def metadata(color: int) -> bytes:
    b = Builder(256)
    options = table(b, {0: ("offset", floats(b, [10.0])), 1: ("offset", floats(b, [5.0]))})
    unit = table(b, {0: ("byte", 1), 1: ("offset", options)})
    image = table(b, {0: ("byte", color)})
    content = table(b, {0: ("byte", 2), 1: ("offset", image)})
    name = b.CreateString("image")
    units = vector(b, [unit])
    first = table(b, {0: ("offset", name), 3: ("offset", content), 4: ("offset", units)})
    label_name = b.CreateString("labels.txt")
    labels = table(b, {0: ("offset", label_name), 2: ("byte", 2)})
    files = vector(b, [labels])
    score = b.CreateString("probability")
    second = table(b, {0: ("offset", score), 6: ("offset", files)})
    inputs, outputs = vector(b, [first]), vector(b, [second])
    graphs = vector(b, [table(b, {2: ("offset", inputs), 3: ("offset", outputs)})])
    title = b.CreateString("tiny")
    b.Finish(table(b, {0: ("offset", title), 3: ("offset", graphs)}), b"M001")
    return bytes(b.Output())


def model(labels: bytes = b"cat\ndog\n", color: int = 2) -> bytes:
    b = Builder(1024)
    payload = b.CreateByteVector(metadata(color))
    buffers = vector(b, [table(b, {}), table(b, {0: ("offset", payload)})])
    name = b.CreateString("TFLITE_METADATA")
    entries = vector(b, [table(b, {0: ("offset", name), 1: ("int", 1)})])
    b.Finish(table(b, {4: ("offset", buffers), 6: ("offset", entries)}), b"TFL3")
    stream = io.BytesIO(bytes(b.Output()))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", labels)
    return stream.getvalue()


IMAGE = TensorSpec.of("in", (1, 8, 9, 1), np.int8, 0.5, 0)
SCORES = TensorSpec.of("out", (1, 2), np.float32)


def test_metadata_becomes_steps_and_views() -> None:
    found = read_metadata(model(), "m.tflite")
    assert found is not None
    assert found.name == "tiny"
    config = metadata_config(model(), "m.tflite", [IMAGE], [SCORES])
    assert config is not None
    assert dict(config.inputs)["in"].steps == (
        Resize(height=8, width=9),
        Grayscale(),
        Normalise((10.0,), (5.0,)),
    )
    assert config.views == (Classes("out", ("cat", "dog")),)


def test_byte_pictures_are_not_normalised() -> None:
    spec = TensorSpec.of("in", (1, 8, 9, 3), np.uint8)
    config = metadata_config(model(color=1), "m", [spec], [SCORES])
    assert config is not None
    assert dict(config.inputs)["in"].steps == (Resize(height=8, width=9),)


def test_other_files_have_no_metadata() -> None:
    assert read_metadata(b"", "m") is None
    assert read_metadata(b"\x08\x00\x00\x00ONNX" + bytes(50), "m") is None


def test_label_bombs_are_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", bytes(9 << 20))
    core = model()[: model().index(b"PK\x03\x04")]
    with pytest.raises(ModelError, match="too large"):
        read_metadata(core + bomb.getvalue(), "m")


def test_damage_is_an_error_in_bounded_time() -> None:
    data = model()
    random, messages = np.random.default_rng(0), list[str]()
    start = time.monotonic()
    for _ in range(3000):
        hurt = bytearray(data)
        for at in random.integers(8, len(data), random.integers(1, 6)):
            hurt[at] = random.integers(0, 256)
        size = len(hurt) if random.random() < 0.7 else int(random.integers(8, len(hurt)))
        try:
            metadata_config(bytes(hurt[:size]), "m.tflite", [IMAGE], [SCORES])
        except WhetError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)
    assert time.monotonic() - start < 10.0
