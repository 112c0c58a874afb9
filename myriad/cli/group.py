"""How every command is found and how it fails: imported when called, one line when wrong."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from myriad.errors import ConfigError, MyriadError, RequestError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class LazyGroup(click.Group):
    """Commands by name, each "module:attribute", imported only when asked for.

    Every MyriadError and every misuse ends as one line, `error: …`, and an exit
    code: 2 for what the caller can mend in the command or its settings, 1 for
    all else.
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
            code = _fail(error.format_message(), error.exit_code)
        except MyriadError as error:
            is_misuse = isinstance(error, RequestError | ConfigError)
            code = _fail(_with_field(error), MISUSED if is_misuse else FAILED)
        except OSError as error:
            code = _fail(f"{error.filename}: {error.strerror}", FAILED)
        except (click.Abort, KeyboardInterrupt):
            code = _fail("interrupted", INTERRUPTED)
        sys.exit(code)


def _with_field(error: MyriadError) -> str:
    return f"{error.field}: {error.message}" if error.field else error.message


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code
