"""`frontrow verify`: does the event log rebuild what the tables have, screening by screening?

Reads the database, beside a running server or without one. docs/operations.md says what the findings mean.
"""

import json
import sys
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import click

from frontrow.case_steps import shown
from frontrow.command_tools import data_dir_option, on_database, short_errors
from frontrow.settings import Settings, load_settings
from frontrow.signing import aliases_of
from persistence.connector import Connector
from persistence.replay import Difference, Place
from persistence.verification import Verified, verified

PROGRESS_SECONDS = 10.0
"""Time between two lines that say how far the work has come."""


class Counts:
    """The findings so far."""

    def __init__(self) -> None:
        self.screenings = self.events = self.hashes = self.wrong = self.unlogged = 0
        self._told_at = monotonic()

    def add(self, one: Verified) -> None:
        self.screenings += 1
        self.events += one.event_count
        self.hashes += one.hash_count
        self.wrong += one.difference is not None
        self.unlogged += not one.logged

    def tell_progress(self) -> None:
        """Print the progress, every `PROGRESS_SECONDS` at most, if standard error is a terminal."""
        if sys.stderr.isatty() and monotonic() >= self._told_at + PROGRESS_SECONDS:
            self._told_at = monotonic()
            click.echo(f"{self.screenings} screenings, {self.events} events so far", err=True)

    @property
    def line(self) -> str:
        """The last line."""
        unlogged = f", {self.unlogged} not judged: the log has nothing of them" if self.unlogged else ""
        return (
            f"{self.screenings} screenings verified by {self.events} events and {self.hashes} stored hashes: "
            f"{self.wrong} wrong{unlogged}"
        )


@click.command()
@click.option(
    "--database-url",
    metavar="URL",
    help="The database. [FRONTROW_DATABASE_URL, which other users of the machine cannot see]",
)
@click.option(
    "--screening",
    "screening_ids",
    type=click.IntRange(1, 2**63 - 1),
    multiple=True,
    help="Verify only this screening or event; may be repeated.",
)
@click.option(
    "--trimmed",
    is_flag=True,
    help="Accept that the beginning of the log is missing: seats are judged from their first event on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, an object for each that is wrong.")
@data_dir_option
def verify(
    database_url: str | None,
    screening_ids: tuple[int, ...],
    trimmed: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Rebuild every screening from the event log and compare it with the tables.

    Prints the first difference of each screening that is wrong, and nothing about the others; counts are
    printed on standard error. Exit status 1 if a screening is wrong. Reads one snapshot and changes nothing,
    so a running server is no obstacle.
    """
    with short_errors():
        settings = load_settings(database_url=database_url, data_dir=data_dir)
        output = (_JsonPrinter if as_json else _Printer)(settings)
        work = partial(_verify, output, screening_ids or None, trimmed)
        counts: Counts = on_database(settings, work)
    click.echo(counts.line, err=True)
    if counts.wrong:
        sys.exit(1)


async def _verify(
    output: "_Printer", screening_ids: tuple[int, ...] | None, trimmed: bool, connector: Connector
) -> Counts:
    counts = Counts()
    async for one in verified(connector, screening_ids, trimmed=trimmed):
        counts.add(one)
        if one.difference is not None:
            output.tell(one, one.difference)
        counts.tell_progress()
    output.end()
    return counts


class _Printer:
    """Prints a line for each screening that is wrong."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def tell(self, one: Verified, difference: Difference) -> None:
        click.echo(f"screening {one.screening_id}: {self._sentence(one, difference)}")

    def end(self) -> None:
        """Complete the output; lines need nothing more."""

    def _sentence(self, one: Verified, difference: Difference) -> str:
        source, place, after, seat_id, found, expected, found_holder, expected_holder = difference
        if seat_id is None:
            return (
                f"after event {_named(place)} the owner had {found} in memory, and the log has {expected}; "
                "they differ there, or since the hash before"
            )
        found, expected = self._state(found, found_holder), self._state(expected, expected_holder)
        since = f"after event {_named(after)}" if after else "in the log, which has no event of it"
        if source == "tables":
            return f"{_seat(one, seat_id)} is {found} in the tables and {expected} {since}"
        return f"event {_named(place)} finds {_seat(one, seat_id)} {found}, but it is {expected} {since}"

    def _state(self, status: str, holder: str | None) -> str:
        return status if holder is None else f"{status} by {self._shown(holder)}"

    def _shown(self, holder: str | None) -> str | None:
        return shown(holder, aliases_of(self._settings))


class _JsonPrinter(_Printer):
    """Prints a JSON array, an element at a time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._separator = "["

    def tell(self, one: Verified, difference: Difference) -> None:
        document: dict[str, Any] = {
            "screening_id": one.screening_id,
            "difference": self._sentence(one, difference),
            **difference._asdict(),
            "place": _named(difference.place),
            "after": _named(difference.after),
            "seat": one.seat,
            "found_holder": self._shown(difference.found_holder),
            "expected_holder": self._shown(difference.expected_holder),
        }
        click.echo(self._separator + json.dumps(document), nl=False)
        self._separator = ",\n"

    def end(self) -> None:
        click.echo("[]" if self._separator == "[" else "]")


def _seat(one: Verified, seat_id: int) -> str:
    if one.seat is not None:
        return f"seat {one.seat}"
    return f"{'seat' if seat_id > 0 else 'place'} {seat_id}"


def _named(place: Place | None) -> str | None:
    return None if place is None else f"{place[0]}/{place[1]}"
