"""External data reaches only plain files below the model's directory, and only whole ranges."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from whet.errors import ModelError
from whet.importers.onnx.external import ExternalFiles
from whet.importers.onnx.tensors import tensor_from_proto

VALUES = np.arange(8, dtype=np.float32)


def external(location: str = "w.bin", elements: int = 8, **entries: object) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[elements])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "model"
    (base / "sub").mkdir(parents=True)
    for path in (base / "w.bin", base / "sub" / "w.bin", tmp_path / "secret.bin"):
        path.write_bytes(VALUES.tobytes())
    return base


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "sub/w.bin"])
def test_plain_files_are_viewed_without_a_copy(base: Path, location: str) -> None:
    array = tensor_from_proto(external(location), ExternalFiles(base))
    np.testing.assert_array_equal(array, VALUES)
    assert not array.flags.writeable
    assert not array.flags.owndata


def test_a_part_of_a_file(base: Path) -> None:
    array = tensor_from_proto(external(elements=2, offset=8, length=8), ExternalFiles(base))
    np.testing.assert_array_equal(array, VALUES[2:4])


UNSAFE = [
    "../secret.bin",
    "sub/../../secret.bin",
    "/etc/passwd",
    "//etc/passwd",
    "",
    ".",
    "sub//w.bin",
    "..\\secret.bin",
    "C:w.bin",
    "w.bin\0",
]


@pytest.mark.parametrize("location", UNSAFE)
def test_unsafe_locations(base: Path, location: str) -> None:
    with pytest.raises(ModelError, match="unsafe location"):
        tensor_from_proto(external(location), ExternalFiles(base))


def test_links_in_any_component(base: Path) -> None:
    (base / "link.bin").symlink_to(base / "w.bin")
    (base / "linked").symlink_to(base / "sub")
    for location in ("link.bin", "linked/w.bin"):
        with pytest.raises(ModelError, match="cannot be opened"):
            tensor_from_proto(external(location), ExternalFiles(base))


def test_hard_links(base: Path) -> None:
    os.link(base.parent / "secret.bin", base / "hard.bin")
    with pytest.raises(ModelError, match="more than one name"):
        tensor_from_proto(external("hard.bin"), ExternalFiles(base))


def test_what_is_not_a_file(base: Path) -> None:
    os.mkfifo(base / "pipe")
    for location in ("pipe", "sub"):
        with pytest.raises(ModelError, match="not a regular file"):
            tensor_from_proto(external(location), ExternalFiles(base))
    with pytest.raises(ModelError, match="No such file"):
        tensor_from_proto(external("absent.bin"), ExternalFiles(base))


def test_devices() -> None:
    with pytest.raises(ModelError, match="not a regular file"):
        tensor_from_proto(external("zero"), ExternalFiles("/dev"))


def test_no_directory() -> None:
    with pytest.raises(ModelError, match="without a directory"):
        ExternalFiles("")
    with pytest.raises(ModelError, match="without a directory"):
        tensor_from_proto(external(), None)


BAD_RANGES = [
    ({"offset": 4}, "beyond the end"),
    ({"offset": 2**62}, "malformed offset|beyond the end"),
    ({"offset": "9" * 30}, "malformed offset"),
    ({"offset": -4}, "malformed offset"),
    ({"offset": "0x10"}, "malformed offset"),
    ({"length": 28}, "wrong size"),
    ({"length": 2**40}, "wrong size"),
    ({"shape": "4"}, "unknown key"),
    ({"checksum": "0" * 40}, "checksum"),
]


@pytest.mark.parametrize(("entries", "message"), BAD_RANGES)
def test_bad_ranges(base: Path, entries: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        tensor_from_proto(external(**entries), ExternalFiles(base))


def test_repeated_keys(base: Path) -> None:
    tensor = external()
    tensor.external_data.add(key="location", value="sub/w.bin")
    with pytest.raises(ModelError, match="repeated key"):
        tensor_from_proto(tensor, ExternalFiles(base))


def test_checksum_that_matches(base: Path) -> None:
    digest = hashlib.sha1(VALUES.tobytes()).hexdigest()
    array = tensor_from_proto(external(checksum=digest), ExternalFiles(base))
    np.testing.assert_array_equal(array, VALUES)


def test_ranges_may_be_shared_but_not_cut(base: Path) -> None:
    files = ExternalFiles(base)
    tensor_from_proto(external(elements=4, offset=8), files)
    tensor_from_proto(external("./w.bin", elements=4, offset=8), files)
    tensor_from_proto(external(elements=2, offset=0), files)
    for offset, elements in ((0, 4), (12, 1), (16, 4), (0, 8)):
        with pytest.raises(ModelError, match="overlaps"):
            tensor_from_proto(external(elements=elements, offset=offset), files)
