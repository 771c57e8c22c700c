"""The ZIP of an artifact: written reproducibly, read only if `write` could have made it."""

from __future__ import annotations

import random
import struct
import zipfile
from pathlib import Path

import pytest

from whet.artifact.file import MAX_ENTRIES, PAGE, read, write
from whet.errors import ArtifactError

ENTRIES = {"manifest.json": b"{}", "weights.bin": bytes(range(256)) * 40, "extra/empty": b""}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "m.whet"
    write(made, ENTRIES)
    return made


def refused(path: Path, match: str) -> None:
    with pytest.raises(ArtifactError, match=match) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def directory(data: bytes) -> int:
    """Where the central directory starts."""
    (at,) = struct.unpack("<I", data[data.rindex(b"PK\5\6") :][16:20])
    return int(at)


def patched(path: Path, at: int, data: bytes) -> None:
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)


def test_entries_come_back(path: Path) -> None:
    assert {name: bytes(data) for name, data in read(path).items()} == ENTRIES


def test_any_unzip_reads_it(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {i.filename: archive.read(i) for i in archive.infolist()} == ENTRIES


def test_entries_start_on_pages_and_files_are_reproducible(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    assert data.index(ENTRIES["weights.bin"]) % PAGE == 0
    again = tmp_path / "again.whet"
    write(again, ENTRIES)
    assert again.read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.whet", "m.whet"]


def test_a_folder_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot be written: .*No such file") as caught:
        write(tmp_path / "absent" / "m.whet", ENTRIES)
    assert ".whet-" not in str(caught.value)


def test_duplicate_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.whet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("manifest.json", "{}")
    refused(path, "too many or duplicate entries")


def test_too_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.whet"
    write(path, {str(i): b"" for i in range(MAX_ENTRIES + 1)})
    refused(path, "too many or duplicate entries")


def test_compressed_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.whet"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", "{" + " " * 9000 + "}")
    refused(path, "compressed or encrypted")


def test_misaligned_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.whet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
    refused(path, "not where it should be")


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "extra/../../out", "a\\b", "", "extra/"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.whet"
    write(path, {"manifest.json": b"{}", name: b"data"})
    refused(path, "a name that no artifact has")


def test_overlapping_entries(path: Path) -> None:
    data = path.read_bytes()
    first = directory(data)
    second = data.index(b"PK\1\2", first + 4)
    sizes = struct.pack("<II", 3 * PAGE, 3 * PAGE)
    assert data[first : first + 4] == b"PK\1\2"
    assert second > first
    patched(path, first + 20, sizes)
    refused(path, "overlap|not where it should be")


def test_an_entry_that_reaches_into_the_directory(path: Path) -> None:
    data = path.read_bytes()
    last = data.rindex(b"PK\1\2")
    patched(path, last + 20, struct.pack("<II", 50, 50))
    refused(path, "overlap|not where it should be")


def test_an_entry_that_reaches_outside(path: Path) -> None:
    at = directory(path.read_bytes())
    patched(path, at + 20, struct.pack("<II", 1 << 30, 1 << 30))
    refused(path, "not where it should be|overlap")


def test_not_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "m.whet"
    refused(path, "No such file")
    path.write_bytes(b"")
    refused(path, "empty")
    path.write_bytes(b"PK\3\4" + bytes(5000))
    refused(path, "not a .whet artifact")
    path.unlink()
    path.mkdir()
    refused(path, "not a .whet artifact")


def test_a_truncated_file(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), 509):
        path.write_bytes(data[:length])
        refused(path, "artifact")


def test_damage_is_an_artifact_error_or_harmless(path: Path) -> None:
    data = path.read_bytes()
    generator = random.Random(1)
    sizes = {b"PK\3\4": 30, b"PK\1\2": 46, b"PK\5\6": 22}
    starts = [(i, sizes[data[i : i + 4]]) for i in range(len(data)) if data[i : i + 4] in sizes]
    headers = [at + n for at, size in starts for n in range(size)]
    messages = []
    for _ in range(400):
        at = generator.choice(headers)
        path.write_bytes(data[:at] + bytes([generator.randrange(256)]) + data[at + 1 :])
        try:
            entries = read(path)
        except ArtifactError as error:
            messages.append(str(error))
        else:
            assert all(len(view) <= len(data) for view in entries.values())
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)
