"""NumPy and CSV files: what they hold, and everything that may not be in them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from whet.errors import InputError
from whet.media.arrays import decode_csv, decode_npy, decode_npz
from whet.media.limits import read_file


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "u1", ">i4", "i8", "?", "f2", "c8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_round_trips(dtype: str, order: str) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    assert np.array_equal(decode_npy(npy(array), "a"), array)
    assert decode_npy(npy(np.float32(3)), "a").shape == ()


def test_npy_never_unpickles() -> None:
    with pytest.raises(InputError, match="object"):
        decode_npy(npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), "a.npy")
    with pytest.raises(InputError):
        decode_npy(npy(np.array(["text"])), "a.npy")


def test_npy_headers_are_not_trusted() -> None:
    data = npy(np.zeros((4, 4), np.float32))
    for absurd in (b"(9999, 9999)", b"(4, -4)     ", b"(4, 5)", b"(" + b"1," * 40 + b")"):
        changed = data.replace(b"(4, 4)", absurd.ljust(6))
        with pytest.raises(InputError) as caught:
            decode_npy(changed, "a.npy")
        assert "\n" not in str(caught.value)
    for size in (0, 5, 9, 60, 128, len(data) - 1):
        with pytest.raises(InputError):
            decode_npy(data[:size], "a.npy")
    with pytest.raises(InputError):
        decode_npy(data + b"more", "a.npy")


def test_npz_by_name_and_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = decode_npz(npz(x=np.arange(3), y=np.zeros((2, 2))), "a.npz")
    assert arrays["x"].tolist() == [0, 1, 2]
    assert arrays["y"].shape == (2, 2)
    monkeypatch.setattr("whet.media.arrays.MAX_FILE_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to more"):
        decode_npz(npz(x=np.zeros(100_000)), "a.npz")


def test_npz_tricks_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", npy(np.zeros(2)))
        archive.writestr("x", npy(np.ones(2)))
    with pytest.raises(InputError, match="two arrays"):
        decode_npz(stream.getvalue(), "a.npz")
    data = npz(x=np.arange(1000))
    random, messages = np.random.default_rng(0), list[str]()
    for _ in range(200):
        hurt = bytearray(data)
        for at in random.integers(0, len(data), 4):
            hurt[at] = random.integers(0, 256)
        try:
            decode_npz(bytes(hurt), "a.npz")
        except InputError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def test_csv_with_and_without_header() -> None:
    expected = [[1.0, 2.5], [-3.0, 4e3]]
    assert decode_csv(b"1,2.5\n-3,4e3\n", "a").tolist() == expected
    assert decode_csv(b"\xef\xbb\xbfx;y\r\n1;2.5\r\n\r\n-3;4e3", "a").tolist() == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no numbers"),
        (b"a,b\n", "no numbers"),
        (b"1,2\n3\n", "line 2"),
        (b"1,2\n3,four\n", "line 2"),
        (b"1,nan\n", "finite"),
        (b"\xff\xfe1", "UTF-8"),
        (b'1,"2\n', "line"),
    ],
)
def test_bad_csv_names_its_line(text: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        decode_csv(text, "a.csv")


def test_files_are_bounded_and_regular(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(100))
    with pytest.raises(InputError, match="too large"):
        read_file(big, 99)
    for path in (tmp_path, tmp_path / "absent", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(InputError, match="cannot read"):
            read_file(path)
