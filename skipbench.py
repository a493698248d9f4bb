"""Skipbench as an installed program: `skipbench depth=20` is `python run.py depth=20`."""

from __future__ import annotations


def command_line() -> None:
    """Do what was typed. The import waits until then."""
    from sweeps.cli.program import command_line

    command_line()
