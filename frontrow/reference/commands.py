"""The page of the command line, from the commands themselves."""

from collections.abc import Iterator

import click

from frontrow.cli import main

_HEAD = """\
# Command line

`frontrow COMMAND --help` shows the same. All commands read the [settings](../settings.md); options override
them.
"""


def command_page() -> str:
    """Return the page's Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for names, command in commands(main):
        yield from _described(names, command)


def commands(group: click.Group, before: str = "frontrow") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with its name as one types it.

    Args:
        group: the commands.
        before: what is typed before their names.
    """
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def _described(names: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=names)
    yield from (f"## `{names}`", "", "```text", command.get_usage(context).removeprefix("Usage: "), "```", "")
    yield from (click.style(command.help or "", reset=False), "")
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    yield from ("| option | meaning |", "| --- | --- |")
    for option in options:
        written, meaning = option.get_help_record(context) or ("", "")
        yield f"| `{written}` | {meaning.replace('|', chr(92) + '|')} |"
    yield ""
