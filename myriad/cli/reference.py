"""docs/cli.md, from what every command says of itself."""

from collections.abc import Iterator

import click

from myriad.cli.commands import commands

_HEAD = """\
# The command line

`generate`, `batch`, `jobs`, `job`, `cancel`, `delete` and `models` talk to a running farm; they
take its address and API key from `--url` and `--key`, or from `MYRIAD_URL` and `MYRIAD_KEY`. The
others work on this machine, with the [settings](settings.md) of a farm. Written by `make docs` from
the commands' own help.

| exit code | |
|---|---|
| 0 | done |
| 1 | the job, or one line of a batch, failed or was canceled; or anything that is not below |
| 2 | the command, its input or the settings are wrong: the message names the option or field |
| 3 | the farm does not answer, or cannot take it now: try again later |
| 130 | Ctrl-C; `generate` has canceled its job |

Every error is one line on stderr, `error: …`. Paths and `--json` go to stdout, bars and previews to
stderr. With `--json`, `generate` prints the job, as the [API](api.md#a-job) shows it, with `files`
beside it, also if it failed.

`--watch` shows the picture while it is drawn: as it is in kitty, Ghostty, iTerm2 and WezTerm, else
as half blocks in the terminal's colours. Where stderr is no terminal it prints a line whenever
something else happens to the job.

## Batches

```json
{"prompt": "a red circle", "seed": 7}
{"prompt": "a blue square", "image": "sketch.png", "strength": 0.6}
```

`myriad batch prompts.jsonl` writes `prompts/0001.png`, `prompts/0002.png` … (named by the line,
with `-1`, `-2` … where one draws several) and `prompts/manifest.jsonl`: a line for each picture,
and for each line that has none, with `line`, `job`, `status`, `seed`, `file`, `sha256` and `error`.
A line that the farm does not take has the status `refused`, and is tried in every run; one whose
job failed is left alone without `--retry-failed`. A line is known by what it says: move it, and its
picture stays; change it, and only it is drawn anew, beside what it was. `prompts/.state.jsonl`
remembers which job each line became; without it the farm itself does, for as long as it keeps
idempotency keys (`MYRIAD_IDEMPOTENCY_TTL_S`). A farm that has answered may then be away for a
minute, as while it restarts, and the batch goes on.

## Commands
"""
_WIDTH = 96


def cli_page() -> str:
    """docs/cli.md."""
    root = click.Context(commands, info_name="myriad", **commands.context_settings)
    return _HEAD + "".join(_section(*each) for each in _commands(commands, root))


def _section(name: str, text: str) -> str:
    return f"\n### {name}\n\n```\n{text.rstrip()}\n```\n"


def _commands(group: click.Group, parent: click.Context) -> Iterator[tuple[str, str]]:
    """Each command with its help, those of a group behind it."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent, name, terminal_width=_WIDTH, color=False)
        yield context.command_path, command.get_help(context)
        if isinstance(command, click.Group):
            yield from _commands(command, context)
