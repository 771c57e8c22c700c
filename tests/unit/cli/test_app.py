"""The command line: help, tables, JSON, and what failures look like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from whet.cli import app, main
from whet.cli.show import cell_text
from whet.errors import InputError
from whet.plan.draw import size_text


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in app.COMMANDS)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["devises"], "no such command: devises; try: inspect, compile"),
        (["devices", "--treads", "2"], "--treads"),
        (["devices", "--threads", "many"], "not a valid integer"),
        (["devices", "--threads", "0"], "1 to 1024"),
    ],
)
def test_mistakes_are_one_line_and_two(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("whet: ")
    assert err.count("\n") == 1


def failing(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("bad\nthing", "a\x1b[31mb"), 2, r"whet: bad\nthing: a\x1b[31mb"),
        (KeyError("x"), 1, "whet: internal error: KeyError: 'x'"),
        (KeyboardInterrupt(), 130, "whet: interrupted"),
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_failures(
    error: BaseException,
    code: int,
    line: str,
    debug: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WHET_DEBUG", debug)
    monkeypatch.setattr(app.LazyGroup, "get_command", lambda *_: failing(error))
    assert main(["devices"]) == code
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith(line)
    assert ("Traceback" in err) == bool(debug)


def test_devices_as_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    assert "pi5" in capsys.readouterr().out
    assert main(["devices", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {d["name"] for d in document["devices"]} >= {"pi5", "pi4", "nucleo-l4r5zi"}
    assert document["this_machine"] is None


def test_measured_devices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    assert main(["devices", "--measure", "--json"]) == 0
    machine = json.loads(capsys.readouterr().out)["this_machine"]
    assert machine["levels"][-1]["name"] == "memory"
    assert main(["devices", "--measure"]) == 0
    assert "op/cycle" in capsys.readouterr().out


def test_the_module_runs_and_survives_a_closed_pipe() -> None:
    command = [sys.executable, "-m", "whet", "devices", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_numbers_and_sizes_read_well() -> None:
    assert [cell_text(c) for c in (1234567, 0.12345, 12345.6, "a")] == [
        "1,234,567", "0.1235", "12,346", "a",
    ]  # fmt: skip
    assert [size_text(n) for n in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5 GiB"]
