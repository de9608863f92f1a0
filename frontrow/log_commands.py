"""`frontrow log`: what has happened to a seat or a booking, and because of a request.

Reads the database, beside a running server or without one. docs/questions.md says what it is good for.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from frontrow.case_steps import Step, lines_of, steps_of_booking, steps_of_request, steps_of_seat
from frontrow.command_tools import data_dir_option, on_database, short_errors
from frontrow.settings import Settings, load_settings
from frontrow.signing import aliases_of
from persistence.connector import Connector
from persistence.histories import Histories

_IDS = click.IntRange(1, 2**63 - 1)

json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON array, an object a step.")

limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many events to read at most.",
)


class NothingFound(ValueError):
    """There is nothing of that name."""


@click.group("log")
def log_group() -> None:
    """Print the life of a seat or a booking, or what a request has done.

    Times are UTC. Guests have aliases, which begin with ~, since their session ids are secrets. A node is
    named only for the present epoch of a screening. docs/questions.md has examples.
    """


@log_group.command("seat")
@click.argument("screening", type=_IDS)
@click.argument("seat")
@limit_option
@json_option
@data_dir_option
def log_seat(screening: int, seat: str, limit: int, as_json: bool, data_dir: Path | None) -> None:
    """Print the life of a SEAT of a SCREENING: who had it, when, for how long, and how that ended.

    SEAT is its row and number, such as A1 or A-1, or its id. Exit status 1 if there is no such seat.
    """
    _print(partial(_seat, screening_id=screening, name=seat, limit=limit), as_json, data_dir)


@log_group.command("booking")
@click.argument("number", type=_IDS)
@json_option
@data_dir_option
def log_booking(number: int, as_json: bool, data_dir: Path | None) -> None:
    """Print what happened to booking NUMBER: its payments, moves, mails, webhooks, refunds and scans.

    Exit status 1 if there is no such booking.
    """
    _print(partial(_booking, booking_id=number), as_json, data_dir)


@log_group.command("request")
@click.argument("request_id", metavar="ID")
@click.option("--screening", type=_IDS, help="Look only into the log of this screening, which is faster.")
@limit_option
@json_option
@data_dir_option
def log_request(
    request_id: str, screening: int | None, limit: int, as_json: bool, data_dir: Path | None
) -> None:
    """Print what the request with this X-Request-ID has changed, and which mails and webhooks it has caused.

    Reads the whole log, unless --screening is given: about a second per million events. Exit status 1 if it
    has changed nothing.
    """
    wanted = partial(_request, request_id=request_id, screening_id=screening, limit=limit)
    _print(wanted, as_json, data_dir)


def _print(read: Callable[..., Any], as_json: bool, data_dir: Path | None) -> None:
    with short_errors():
        settings = load_settings(data_dir=data_dir)
        steps: Sequence[Step] = on_database(settings, partial(read, settings=settings))
    if as_json:
        click.echo(json.dumps([step.document for step in steps]))
    else:
        click.echo("\n".join(lines_of(steps)))


async def _seat(
    connector: Connector, *, settings: Settings, screening_id: int, name: str, limit: int
) -> list[Step]:
    histories = Histories(connector)
    found = await histories.seats_named(screening_id, name)
    if not found and not await histories.is_screening(screening_id):
        raise NothingFound(f"There is no screening {screening_id}")
    if not found:
        raise NothingFound(f"Screening {screening_id} has no seat {name}; give row and number, such as A1")
    if len(found) > 1:
        ids = " or ".join(str(seat["seat_id"]) for seat in found)
        raise NothingFound(f"Screening {screening_id} has several seats {name}; give the id: {ids}")
    seat = found[0]
    events, scans = await histories.of_seat(screening_id, seat["seat_id"], limit)
    if not events:
        raise NothingFound(f"Nothing has ever happened to seat {seat['seat']} of screening {screening_id}")
    return steps_of_seat(seat["seat_id"], events, scans, aliases_of(settings))


async def _booking(connector: Connector, *, settings: Settings, booking_id: int) -> list[Step]:
    known = await Histories(connector).of_booking(booking_id)
    if not known["tickets"]:
        raise NothingFound(f"There is no booking {booking_id}")
    return steps_of_booking(known, aliases_of(settings))


async def _request(
    connector: Connector, *, settings: Settings, request_id: str, screening_id: int | None, limit: int
) -> list[Step]:
    known = await Histories(connector).of_request(request_id, screening_id, limit)
    steps = steps_of_request(known, aliases_of(settings))
    if not steps:
        raise NothingFound(f"Request {request_id} has changed nothing that the event log knows of")
    return steps
