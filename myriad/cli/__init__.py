"""The `myriad` command."""

from myriad.cli.commands import commands

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    commands(prog_name="myriad")  # also as `python -m myriad`
