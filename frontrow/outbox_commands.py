"""`frontrow outbox`: lists and retries messages in the database, beside a running server or without one."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from frontrow.command_tools import data_dir_option, on_database, short_errors
from frontrow.lines import aligned
from frontrow.settings import load_settings
from persistence.catalogue.messages import MESSAGES, Messages
from persistence.connector import Connector

_HEADINGS = ("ID", "KIND", "STATUS", "ATTEMPTS", "CREATED", "NEXT ATTEMPT OR END", "SUBJECT", "ERROR")

_TIMES = ("created_at", "due_at", "finished_at")

Message = dict[str, Any]


@click.group()
def outbox() -> None:
    """List mails and other messages that leave the server, and retry those that could not be delivered.

    docs/outbox.md says how they are delivered.
    """


@outbox.command("list")
@click.option(
    "--status",
    type=click.Choice(["waiting", "delivered", "dead"]),
    help="List only those that wait, have been delivered, or are dead letters.",
)
@click.option("--kind", help="List only those of one kind, e.g. mail.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=100,
    show_default=True,
    help="How many to list at most; the newest ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per message.")
@data_dir_option
def list_outbox(
    status: str | None, kind: str | None, limit: int, as_json: bool, data_dir: Path | None
) -> None:
    """List messages, newest first. Times are UTC."""
    with short_errors():
        messages = on_database(
            load_settings(data_dir=data_dir),
            partial(_found, status=status, kind=kind, limit=limit),
        )
    if as_json:
        click.echo(json.dumps([_json(message) for message in messages]))
    else:
        click.echo("\n".join(aligned([_HEADINGS, *map(_cells, messages)])))


@outbox.command("retry")
@click.argument("ids", nargs=-1, type=click.IntRange(1, 2**63 - 1))
@click.option("--all", "all_dead", is_flag=True, help="Retry all dead letters.")
@click.option("--kind", help="With --all: only those of one kind, e.g. mail.")
@data_dir_option
def retry_outbox(ids: tuple[int, ...], all_dead: bool, kind: str | None, data_dir: Path | None) -> None:
    """Deliver dead letters after all: those with these IDS, or all of them.

    All attempts begin anew; a running server makes the first one at once. Messages that wait are left as
    they are.
    """
    if bool(ids) == all_dead or (kind and not all_dead):
        raise click.UsageError("name the ids of dead letters, or use --all, with or without --kind")
    with short_errors():
        settings = load_settings(data_dir=data_dir)
        if all_dead:
            number = on_database(settings, partial(_retry_all, kind=kind))
        else:
            on_database(settings, partial(_retry, message_ids=ids))
            number = len(ids)
    click.echo(f"{number} to be delivered")


async def _found(connector: Connector, *, status: str | None, kind: str | None, limit: int) -> list[Message]:
    wanted = {name: value for name, value in (("status", status), ("kind", kind)) if value is not None}
    messages, _ = await Messages(connector, MESSAGES).page(wanted, limit=limit, offset=0)
    return messages


async def _retry(connector: Connector, message_ids: Sequence[int]) -> None:
    messages = Messages(connector, MESSAGES)
    for message_id in message_ids:
        await messages.retry(message_id)


async def _retry_all(connector: Connector, kind: str | None) -> int:
    return await Messages(connector, MESSAGES).retry_all(kind)


def _json(message: Message) -> Message:
    times = {name: message[name] and message[name].isoformat() for name in _TIMES}
    return {**message, **times}


def _cells(message: Mapping[str, Any]) -> tuple[str, ...]:
    next_or_end = message["due_at"] or message["finished_at"]
    return (
        *(str(message[name]) for name in ("id", "kind", "status", "attempts")),
        f"{message['created_at']:%Y-%m-%d %H:%M:%S}",
        f"{next_or_end:%Y-%m-%d %H:%M:%S}",
        message["subject"],
        " ".join((message["error"] or "").split()),
    )
