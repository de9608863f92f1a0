"""Rows and columns on the wire: how records become SQL values, and rows become records.

Sets of rows travel as one array literal per column. The driver's own form for lists, `ARRAY[…]`, makes
the server parse an expression per element; the literal is ten times cheaper for both sides.
Times are float seconds since the epoch here and timestamptz there, kept to the microsecond; money is
integer cents here and numeric(10, 2) there.
"""

from collections.abc import Collection
from typing import Any

import orjson

from engine.records import Hold, Ticket, TicketStatus
from persistence.connector import Row

IDS = range(1, 2**63)
"""Ids that a bigint column can have; anything else names nothing."""


def numbers(values: Collection[float | None]) -> str:
    """An array literal of integers of at most 64 bits, or of finite floats."""
    # In JSON an array of numbers differs by its brackets alone.
    return "{" + orjson.dumps(tuple(values)).decode()[1:-1] + "}"


def texts(values: Collection[str | None]) -> str:
    """An array literal of texts."""
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
    except TypeError:  # there are NULLs among them
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"
    # Most columns have nothing to escape, which one look at all of it together tells.
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return "{" + ",".join(map(_quoted, values)) + "}"  # type: ignore[arg-type]
    return '{"' + joined + '"}'


def octets(values: Collection[bytes | None]) -> str:
    """An array literal of byte strings."""
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


HOLDS = """
SELECT id, reservation_id, screening_id, seat_id, holder,
       extract(epoch FROM reserved_at)::float8, extract(epoch FROM expires_at)::float8, extensions, note,
       status
FROM holds
"""

TICKETS = """
SELECT id, booking_id, screening_id, seat_id, holder, (price * 100)::bigint, status,
       extract(epoch FROM booked_at)::float8, extract(epoch FROM confirmed_at)::float8,
       extract(epoch FROM cancelled_at)::float8, payment_id, extract(epoch FROM payment_deadline)::float8,
       code, paper
FROM tickets
"""


def hold_of(row: Row) -> Hold:
    """The hold in a row of `HOLDS`; its stored status is the row's last column."""
    return Hold(*row[:-1])


def ticket_of(row: Row) -> Ticket:
    """The ticket in a row of `TICKETS`."""
    values: list[Any] = list(row)
    values[6] = TicketStatus(values[6])
    values[-1] = None if values[-1] is None else bytes(values[-1])
    return Ticket(*values)
