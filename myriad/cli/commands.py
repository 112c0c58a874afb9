"""The list of commands."""

import click

from myriad import __version__
from myriad.cli.group import LazyGroup

PLACES = {
    "up": "myriad.cli.up:up",
    "generate": "myriad.cli.generate:generate",
    "batch": "myriad.cli.batch:batch",
    "jobs": "myriad.cli.jobs:jobs",
    "job": "myriad.cli.jobs:job",
    "cancel": "myriad.cli.jobs:cancel",
    "delete": "myriad.cli.jobs:delete",
    "models": "myriad.cli.models:models",
    "doctor": "myriad.cli.doctor:doctor",
    "web": "myriad.cli.serve:web",
    "worker": "myriad.cli.serve:worker",
    "janitor": "myriad.cli.serve:janitor",
    "sender": "myriad.cli.serve:sender",
    "migrate": "myriad.cli.database:migrate",
    "keys": "myriad.cli.keys:keys",
    "completion": "myriad.cli.completion:completion",
}


@click.group(cls=LazyGroup, places=PLACES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="myriad")
def commands() -> None:
    """A self-hosted farm that turns prompts into images and video.

    Settings come from MYRIAD_* in the environment; docs/settings.md lists them.
    """
