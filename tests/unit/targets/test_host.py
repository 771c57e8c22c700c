"""The host's target follows from the instruction sets that Linux reports."""

from __future__ import annotations

import pytest

from whet.errors import CompileError
from whet.targets import host as module
from whet.targets.host import features, host, levels

PLAIN = {"sse2"}
HASWELL = PLAIN | {"avx2", "fma", "f16c"}
ALDER_LAKE = HASWELL | {"avx_vnni"}
SKYLAKE_X = HASWELL | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
ICE_LAKE = SKYLAKE_X | {"avx512_vnni"}
# Of these, some that a level needs are missing: code for all of them would have wider vectors.
UNEVEN = (SKYLAKE_X - {"avx512bw"}, HASWELL - {"f16c"})
# flags, levels from the widest, lanes and kind of integer product of `native`
MACHINES = [
    (PLAIN, ("x86-64",), (4, 0, False)),
    (HASWELL, ("x86-64-v3", "x86-64"), (8, 0, True)),
    (ALDER_LAKE, ("x86-64-v3-vnni", "x86-64-v3", "x86-64"), (8, 128, False)),
    (SKYLAKE_X, ("x86-64-v3", "x86-64"), (16, 0, True)),
    (UNEVEN[0], ("x86-64-v3", "x86-64"), (8, 0, True)),
    (UNEVEN[1], ("x86-64",), (4, 0, False)),
    (ICE_LAKE, ("x86-64-v4", "x86-64-v3", "x86-64"), (16, 128, False)),
]


def pretend(patch: pytest.MonkeyPatch, flags: set[str]) -> None:
    patch.setattr(module, "cpu_flags", lambda: frozenset(flags))
    patch.setattr(module, "machine", lambda: "x86_64")


@pytest.mark.parametrize(("flags", "known", "native"), MACHINES)
def test_levels_are_those_the_machine_runs(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], known: tuple[str, ...], native: object
) -> None:
    pretend(monkeypatch, flags)
    target = host()
    assert levels() == known
    assert (target.lanes, target.dot8_shift, target.dot8_pairs) == native
    assert (target.cpu == "native") == (flags not in UNEVEN)
    assert all(set(features(host(name)).split()) <= flags for name in known)


def test_a_level_beyond_the_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, SKYLAKE_X)
    with pytest.raises(CompileError, match=r"cannot run x86-64-v4.*--cpu x86-64-v3"):
        host("x86-64-v4")
