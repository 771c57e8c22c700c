"""Reading the map of options that a TFLite custom operator carries, without trusting it.

Source: the FlexBuffers internals document. Offsets point backwards from where they stand, so no
value can contain itself; every access is checked against the bytes.
"""

from __future__ import annotations

import struct

from whet.errors import ModelError

MAX_ENTRIES = 256
INT, UINT, FLOAT, INDIRECT_INT, INDIRECT_UINT, INDIRECT_FLOAT, MAP, BOOL = 1, 2, 3, 6, 7, 8, 9, 26
FORMS = {
    INT: {1: "b", 2: "h", 4: "i", 8: "q"},
    UINT: {1: "B", 2: "H", 4: "I", 8: "Q"},
    FLOAT: {2: "e", 4: "f", 8: "d"},
}
INDIRECT = {INDIRECT_INT: INT, INDIRECT_UINT: UINT, INDIRECT_FLOAT: FLOAT}


def read_options(data: bytes, where: str) -> dict[str, int | float]:
    """The numbers and flags of a map, by name; values of other kinds are left out.

    Raises:
        ModelError: the bytes are malformed.
    """
    if len(data) < 3:
        return {}
    try:
        return _map(data, where)
    except (struct.error, IndexError) as error:
        raise ModelError("malformed options", where, str(error)) from None


def _map(data: bytes, where: str) -> dict[str, int | float]:
    kind, width = data[-2], data[-1]
    root = len(data) - 2 - width
    if kind >> 2 != MAP:
        return {}
    values = _offset(data, root, width)
    width = 1 << (kind & 3)
    count = _number(data, values - width, UINT, width)
    if count > MAX_ENTRIES:
        raise ModelError(f"{count} options", where, "too many")
    keys = _offset(data, values - 3 * width, width)
    key_width = int(_number(data, values - 2 * width, UINT, width))
    found: dict[str, int | float] = {}
    for i in range(int(count)):
        name = _text(data, _offset(data, keys + i * key_width, key_width))
        packed = data[values + int(count) * width + i]
        value = _value(data, values + i * width, packed, width)
        if value is not None:
            found[name] = value
    return found


def _value(data: bytes, at: int, packed: int, width: int) -> int | float | None:
    kind = packed >> 2
    if kind in INDIRECT:
        return _number(data, _offset(data, at, width), INDIRECT[kind], 1 << (packed & 3))
    if kind == BOOL:
        return _number(data, at, UINT, width)
    return _number(data, at, kind, width) if kind in FORMS else None


def _number(data: bytes, at: int, kind: int, width: int) -> int | float:
    form = FORMS[kind].get(width)
    if form is None or at < 0:
        raise struct.error(f"a value of {width} bytes at {at}")
    value: int | float = struct.unpack_from("<" + form, data, at)[0]
    return value


def _offset(data: bytes, at: int, width: int) -> int:
    target = at - int(_number(data, at, UINT, width))
    if target < 0:
        raise struct.error(f"an offset at {at} leaves the bytes")
    return target


def _text(data: bytes, at: int) -> str:
    end = data.index(b"\0", at) if b"\0" in data[at:] else len(data)
    return data[at:end].decode("utf-8", errors="replace")
