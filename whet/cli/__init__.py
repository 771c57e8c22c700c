"""The `whet` command: one file a verb, each with a table for people and `--json` for programs."""

from whet.cli.app import main

__all__ = ["main"]
