"""Converts records to SQL values, and rows to records.

Many rows are sent as one array literal per column. The driver would send lists as `ARRAY[…]`, where the
server parses an expression per element; a literal is ten times cheaper for both sides.
Times are float seconds since the epoch in Python and timestamptz in SQL, exact to the microsecond. Money is
integer cents in Python and numeric(10, 2) in SQL.
"""

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from engine.records import Block, Hold, Ticket, TicketStatus
from engine.waitlist_records import WaitlistEntry, WaitStatus
from persistence.connector import Row

IDS = range(1, 2**63)
"""The ids that a bigint column can have."""


def numbers(values: Sequence[float | None]) -> str:
    """Return an array literal of integers of at most 64 bits, or of finite floats."""
    # A JSON array of numbers differs only in its brackets.
    return "{" + orjson.dumps(values).decode()[1:-1] + "}"


def texts(values: Collection[str | None]) -> str:
    """Return an array literal of texts."""
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
    except TypeError:  # there are NULLs among them
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"
    # Most columns need no escaping, and one check of the joined text is enough to know.
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        return "{" + ",".join(map(_quoted, values)) + "}"  # type: ignore[arg-type]
    return '{"' + joined + '"}'


def flags(values: Collection[bool]) -> str:
    """Return an array literal of booleans."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def byte_strings(values: Collection[bytes | None]) -> str:
    """Return an array literal of byte strings."""
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


HOLDS = """
SELECT id, reservation_id, screening_id, seat_id, holder,
       extract(epoch FROM reserved_at)::float8, extract(epoch FROM expires_at)::float8, extensions, note,
       (price * 100)::bigint, status
FROM holds
"""

TICKETS = """
SELECT id, booking_id, screening_id, seat_id, holder, (price * 100)::bigint, status,
       extract(epoch FROM booked_at)::float8, extract(epoch FROM confirmed_at)::float8,
       extract(epoch FROM cancelled_at)::float8, payment_id, extract(epoch FROM payment_deadline)::float8,
       code, paper, extract(epoch FROM held_at)::float8, sold_by, free_because, paid
FROM tickets
"""


BLOCKS = """
SELECT id, screening_id, label, kind, seat_ids, extract(epoch FROM created_at)::float8, created_by, channel,
       extract(epoch FROM release_at)::float8
FROM blocks
"""


def block_of(row: Row) -> Block:
    """Return the block in a row of `BLOCKS`."""
    values: list[Any] = list(row)
    values[4] = tuple(values[4])
    return Block(*values)


WAITLIST = """
SELECT id, screening_id, holder, quantity, extract(epoch FROM joined_at)::float8, joined_epoch, joined_seq,
       ticket_type_id, seat_id, together, mail, status, reservation_id, seat_ids,
       extract(epoch FROM expires_at)::float8
FROM waitlist
"""


def entry_of(row: Row) -> WaitlistEntry:
    """Return the entry in a row of `WAITLIST`."""
    entry = WaitlistEntry(*row)
    return entry._replace(status=WaitStatus(entry.status), seat_ids=tuple(entry.seat_ids))


def hold_of(row: Row) -> Hold:
    """Return the hold in a row of `HOLDS`, whose last column, the status, is left out."""
    return Hold(*row[:-1])


def ticket_of(row: Row) -> Ticket:
    """Return the ticket in a row of `TICKETS`."""
    values: list[Any] = list(row)
    values[6] = TicketStatus(values[6])
    paper = values[13]
    values[13] = None if paper is None else bytes(paper)
    if (paid := values[17]) is not None:
        values[17] = tuple((name, cents) for name, cents in paid)
    return Ticket(*values)
