"""Known devices as data, and a roofline measured on this machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from whet.devices import device, devices, measure, roofline
from whet.devices.device import KINDS, parse_device
from whet.errors import InputError
from whet.targets.processor import cache_bytes

TEXT = (files("whet.devices") / "known" / "pi5.toml").read_text()


@pytest.mark.parametrize("name", devices())
def test_every_device_is_plausible(name: str) -> None:
    known = device(name)
    assert known.title
    assert known.source
    assert known.kind in KINDS
    assert 1 <= known.cores <= 1024
    assert 16 <= known.clock_mhz <= 6000
    assert known.int8_gop_s > known.f32_gflop_s
    assert known.bandwidth_gb_s > 0
    assert list(known.cache_kib) == sorted(known.cache_kib)
    assert len(known.power_w) in (0, 2)
    assert (known.flash_kib > 0) == (known.kind == "microcontroller")


def test_peaks_follow_from_clock_and_cores() -> None:
    pi5 = device("pi5")
    assert pi5.f32_gflop_s == pytest.approx(4 * 2.4 * 16)
    assert pi5.int8_gop_s == pytest.approx(4 * 2.4 * 64)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cores = 4", "cores = 4.0", "pi5 cores"),
        ("cores = 4", "", "'cores' is extra or missing"),
        ("cores = 4", "cores = 4\ncolour = 1", "'colour' is extra or missing"),
        ("cores = 4", "cores = ", "cannot read the device"),
        ('kind = "board"', 'kind = "toaster"', "unknown kind"),
        ("[64, 512, 2048]", '["64"]', "pi5 cache_kib"),
    ],
)
def test_bad_device_files_are_one_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=message) as caught:
        parse_device("pi5", TEXT.replace(old, new))
    assert "\n" not in str(caught.value)


def test_unknown_devices_have_a_near_match() -> None:
    with pytest.raises(InputError, match="try: pi5"):
        device("p5")


def test_the_measured_roofline_is_consistent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    steps: list[str] = []
    machine = measure(1, steps.append)
    assert steps[0] == "clock"
    assert len(steps) == 3 + len(machine.levels) == 4 + len(cache_bytes())
    assert 0.3 < machine.clock_ghz < 8
    # One core does between 1 and 256 operations a cycle, and reads at most 256 bytes.
    for peak in (machine.f32_gflop_s, machine.int8_gop_s):
        assert 1 < peak / machine.clock_ghz < 1100
    assert all(0.1 < level.read_gb_s / machine.clock_ghz < 256 for level in machine.levels)
    assert machine.levels[0].read_gb_s > machine.levels[-1].read_gb_s
    assert roofline(1) == machine
