"""`myriad completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that teaches SHELL to complete our commands, models and job ids.

    \b
    bash, in ~/.bashrc:                  eval "$(myriad completion bash)"
    zsh, in ~/.zshrc:                    eval "$(myriad completion zsh)"
    fish, in ~/.config/fish/config.fish: myriad completion fish | source
    """
    script = get_completion_class(shell)
    assert script is not None
    commands = context.find_root().command
    click.echo(script(commands, {}, "myriad", "_MYRIAD_COMPLETE").source())
