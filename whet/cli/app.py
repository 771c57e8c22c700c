"""The command group, and what every failure looks like.

Exit codes: 0 done; 1 a defect of Whet itself; 2 the model, the input or the options are at fault;
130 interrupted. A traceback is printed only with WHET_DEBUG=1 or more.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from whet import __version__
from whet.errors import InputError, WhetError, printable

# Loaded when asked for: a command's imports are paid by that command only.
COMMANDS = {
    "inspect": "whet.cli.inspect",
    "compile": "whet.cli.compile",
    "run": "whet.cli.run",
    "bench": "whet.cli.bench",
    "verify": "whet.cli.verify",
    "demo": "whet.cli.demo",
    "devices": "whet.cli.devices",
}


class LazyGroup(click.Group):
    """A group whose commands are modules, each with a click command named `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise InputError("no such command", cmd_name, hint=", ".join(COMMANDS))
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whet", message="%(prog)s %(version)s")
def whet() -> None:
    """A trained model in, one small proven artifact out."""


def debug_level() -> int:
    """WHET_DEBUG as a number; 0 where it is absent or no number."""
    value = os.environ.get("WHET_DEBUG", "")
    return int(value) if value.isdecimal() else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; failures become one line on stderr and an exit code."""
    try:
        result = whet.main(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name="whet",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except WhetError as error:
        return _fail(str(error), 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except (BrokenPipeError, SystemExit):
        # The reader went away, as `| head` does (click raises SystemExit for it when it notices
        # first); nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        name = type(error).__name__
        text = f"internal error: {name}: {error}; this is a defect of Whet: please report it"
        return _fail(text + ("" if debug_level() else " (WHET_DEBUG=1 shows where)"), 1)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    if debug_level() >= 1:
        traceback.print_exc()
    print(f"whet: {printable(message, 1600)}", file=sys.stderr)
    return code
