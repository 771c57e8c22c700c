"""The part of the int8 cases that each machine has leaves out no kind of them."""

from __future__ import annotations

import pytest

from tests.kernels import native_s8, test_conv_s8, test_depthwise_s8
from tests.kernels.native_s8 import PATHS, part_of


@pytest.mark.parametrize("path", PATHS)
def test_every_machine_has_weight_zero_points_and_narrow_tiles(path: tuple[str, bool]) -> None:
    conv, depthwise = (part_of(of.cases(), path) for of in (test_conv_s8, test_depthwise_s8))
    assert any(c.wz for c in conv)
    assert any(c.nv == 1 for c in conv)
    assert any(c.nv > 1 for c in conv)
    assert any(c.wz for c in depthwise)


@pytest.mark.parametrize("path", [("x86_64", False), ("x86_64_v4", False)])
def test_a_machine_has_all_cases_where_no_other_shares_them(
    path: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_s8, "PATHS", [path])
    assert part_of(range(19), path) == list(range(19))
