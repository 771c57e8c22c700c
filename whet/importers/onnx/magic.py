"""Other formats, recognised by their first bytes, and what to do with each."""

from __future__ import annotations

from typing import NamedTuple

from whet.errors import ModelError


class Format(NamedTuple):
    """A format that is not ONNX: `magic` at byte `offset`, its name, and what to try."""

    offset: int
    magic: bytes
    name: str
    hint: str


_EXPORT = "export the model to ONNX, e.g. torch.onnx.export"
_PICKLE = "a pickle runs code when loaded: " + _EXPORT

FORMATS = (
    Format(0, b"PK\x03\x04", "a ZIP archive (.pt, .keras, .npz, .whet)", _EXPORT),
    Format(0, b"PK\x05\x06", "an empty ZIP archive", "fetch the file again"),
    Format(0, b"\x80\x02", "a Python pickle", _PICKLE),
    Format(0, b"\x80\x03", "a Python pickle", _PICKLE),
    Format(0, b"\x80\x04", "a Python pickle", _PICKLE),
    Format(0, b"\x80\x05", "a Python pickle", _PICKLE),
    Format(0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5)", "export the model to ONNX with tf2onnx"),
    Format(4, b"TFL3", "a TensorFlow Lite model", "name it .tflite"),
    Format(0, b"GGUF", "a GGUF language model", "whet chat or whet serve"),
    Format(0, b"\x93NUMPY", "a NumPy array", "give the model here and the array as input"),
    Format(0, b"\x1f\x8b", "a gzip file", "unpack it first"),
    Format(0, b"BZh", "a bzip2 file", "unpack it first"),
    Format(0, b"\xfd7zXZ\0", "an xz file", "unpack it first"),
    Format(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    Format(0, b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first"),
    Format(257, b"ustar", "a tar archive", "unpack it first"),
    Format(0, b"\x7fELF", "an ELF program or library", "give a model file"),
    Format(0, b"MZ", "a Windows program", "give a model file"),
    Format(0, b"version https://git-lfs", "a Git LFS pointer", "git lfs pull"),
    Format(0, b"<!DOCTYPE", "a web page", "download the file itself"),
    Format(0, b"<html", "a web page", "download the file itself"),
    Format(0, b"<?xml", "an XML file (OpenVINO?)", "give the ONNX model it was made from"),
    Format(0, b"ir_version:", "ONNX in text form", "convert it with onnx.parser or protoc"),
    Format(0, b"{", "a JSON file", "give the .onnx file"),
    Format(8, b"{", "a safetensors file", "weights without a graph: " + _EXPORT),
    Format(0, b"\x89PNG", "an image", "give the model here and the image as input"),
    Format(0, b"\xff\xd8\xff", "an image", "give the model here and the image as input"),
    Format(0, b"\x17\0\0\0\0\0\0\0serialization::archive", "a TorchScript archive", _EXPORT),
)


def refuse_other_formats(data: memoryview, where: str) -> None:
    """Raise ModelError if the first bytes are those of a known format that is not ONNX."""
    for known in FORMATS:
        end = known.offset + len(known.magic)
        if bytes(data[known.offset : end]) != known.magic:
            continue
        # A model may hold any byte at 8; safetensors starts with its header's length.
        if known.offset == 8 and int.from_bytes(data[:8], "little") > len(data) - 8:
            continue
        raise ModelError("not an ONNX model", where, f"this is {known.name}", known.hint)
