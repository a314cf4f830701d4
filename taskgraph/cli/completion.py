"""``taskgraph completion``: the script that teaches a shell to complete our commands."""

from __future__ import annotations

import click

from taskgraph.cli.group import COMPLETE


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: taskgraph completion bash > ~/.local/share/bash-completion/completions/taskgraph
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is not None:
        script = found(ctx.find_root().command, {}, "taskgraph", COMPLETE)
        click.echo(script.source_template % script.source_vars())
