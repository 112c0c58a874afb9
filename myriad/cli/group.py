"""How every command is found and how it fails: imported when called, one line when wrong."""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

import click

from myriad.errors import ConfigError, MyriadError, RateLimited, RequestError, Unavailable

DONE, FAILED, MISUSED, AWAY, INTERRUPTED = 0, 1, 2, 3, 130


class LazyGroup(click.Group):
    """Commands by name, each "module:attribute", imported only when asked for.

    Whatever goes wrong ends as one line, `error: …`, and an exit code: 2 for
    what the caller can mend in the command or its settings, 3 if the farm does
    not answer or cannot take it now, 130 after Ctrl-C, 1 for all else.
    """

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._places = places or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def main(self, *args: Any, **options: Any) -> Any:
        """Run and leave the process with the right exit code."""
        try:
            code = super().main(*args, **(options | {"standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else "", err=True)
            code = MISUSED
        except click.ClickException as error:
            code = say(error.format_message(), error.exit_code)
        except MyriadError as error:
            code = say_error(error)
        except OSError as error:
            code = say(system_words(error), FAILED)
        except (click.Abort, KeyboardInterrupt):
            code = say("interrupted", INTERRUPTED)
        except Exception as error:
            code = say(_of_ours(error), FAILED)
        sys.exit(code)


def say_error(error: MyriadError) -> int:
    """Tell the error on stderr; the exit code it stands for."""
    culprit = f"{error.field}: " if error.field else ""
    return say(f"{culprit}{error.message}", _code(error))


def say(message: str, code: int) -> int:
    """Tell what is wrong on stderr; gives `code` back."""
    click.echo(f"error: {message}", err=True)
    return code


def _code(error: MyriadError) -> int:
    if isinstance(error, Unavailable | RateLimited):
        return AWAY
    return MISUSED if isinstance(error, RequestError | ConfigError) else FAILED


def system_words(error: OSError) -> str:
    """What the operating system has against it, and which file it is about."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said


def _of_ours(error: Exception) -> str:
    """A fault of this program, in one line that tells where to look for it."""
    place = extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"this is a bug of myriad: {type(error).__name__} at {where}: {error}"
