"""`deephar completion`: prints what a shell needs to complete the commands, options and files of `deephar`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_DEEPHAR_COMPLETE"  # click's, of a program with this name


@click.command(
    epilog="""\b
bash:  eval "$(deephar completion bash)"     in ~/.bashrc
zsh:   eval "$(deephar completion zsh)"      in ~/.zshrc, after compinit
fish:  deephar completion fish | source     in ~/.config/fish/config.fish
"""
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Prints the script that completes commands, options and files in a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "deephar", VARIABLE).source())
