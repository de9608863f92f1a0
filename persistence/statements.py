"""What the journal's connection runs: a check of the epochs, and one statement per table.

A connection prepares them when it begins, so that a batch costs the server neither parsing nor planning. Each
takes whole columns, an array literal per parameter.

Every statement may run twice: rows carry their ids, an insert that finds its row there brings it up to date
or leaves it, and states only move forward. What must never happen (a seat sold twice, a payment used twice,
a cancelled ticket revived) is not checked here: the schema refuses it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from persistence.columns import numbers, octets, texts

Columns = Sequence[Collection[Any]]

NO_COLUMNS: Mapping[str, str] = MappingProxyType({})

_ENCODERS: Mapping[str, Callable[[Collection[Any]], str]] = {
    "bigint": numbers,
    "integer": numbers,
    "smallint": numbers,
    "float8": numbers,
    "text": texts,
    "bytea": octets,
}


class Block:
    """A statement about rows that come as columns.

    Args:
        name: under which a connection prepares it.
        sql: the statement; `{rows}` stands for the rows, `{name}` for an array that is beside them.
        rows: types of the columns of a row, by name.
        beside: types of the elements of arrays of any length, by name.

    Attributes:
        preparation: the SQL that prepares it.
        execution: the SQL that runs it, with a `%s` for each literal.
    """

    def __init__(
        self, name: str, sql: str, rows: Mapping[str, str], beside: Mapping[str, str] = NO_COLUMNS
    ) -> None:
        types = {**rows, **beside}
        places = {column: f"${number}" for number, column in enumerate(types, 1)}
        row = f"unnest({', '.join(places[column] for column in rows)}) AS row ({', '.join(rows)})"
        statement = sql.format(rows=row, **{column: f"({places[column]})" for column in beside})
        self.preparation = (
            f"PREPARE {name} ({', '.join(f'{kind}[]' for kind in types.values())}) AS{statement};"
        )
        self.execution = f"EXECUTE {name} ({', '.join(['%s'] * len(types))});"
        self._encoders = tuple(_ENCODERS[kind] for kind in types.values())

    def literals(self, columns: Columns) -> list[str]:
        """The columns, and then what is beside them, as array literals."""
        return [encode(column) for encode, column in zip(self._encoders, columns, strict=True)]


OWNED = Block(
    "owned",
    # SQL has no other way to refuse that needs nothing in the schema.
    """
    SELECT 1 / (count(*) = cardinality($1))::integer
    FROM (
        SELECT FROM screening_epochs JOIN {rows} USING (screening_id, epoch)
        ORDER BY screening_epochs.screening_id FOR SHARE OF screening_epochs
    ) AS owned
    """,
    {"screening_id": "bigint", "epoch": "bigint"},
)
"""Locks the epochs of screenings, in one order for all writers, and divides by zero if one is another."""

NOT_OWNED = "22012"
"""SQLSTATE of a division by zero: of all statements here only `OWNED` can raise it."""

PAYMENTS = Block(
    "payments",
    """
    INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at)
    SELECT payment_id, holder, booking_id, screening_id, to_timestamp(created_at)
    FROM {rows}
    ON CONFLICT (payment_id) DO NOTHING
    """,
    {
        "payment_id": "text",
        "holder": "text",
        "booking_id": "bigint",
        "screening_id": "bigint",
        "created_at": "float8",
    },
)

TICKETS = Block(
    "tickets",
    """
    INSERT INTO tickets AS stored (
        id, booking_id, screening_id, seat_id, holder, price, status,
        booked_at, confirmed_at, cancelled_at, payment_id, payment_deadline, code, paper
    )
    SELECT id, booking_id, screening_id, seat_id, holder, price_cents / 100.0, status,
           to_timestamp(booked_at), to_timestamp(confirmed_at), to_timestamp(cancelled_at), payment_id,
           to_timestamp(payment_deadline), code, paper
    FROM {rows}
    ON CONFLICT (screening_id, id) DO UPDATE SET
        status = excluded.status, confirmed_at = excluded.confirmed_at, cancelled_at = excluded.cancelled_at,
        payment_id = excluded.payment_id, payment_deadline = excluded.payment_deadline
    WHERE stored.status <> excluded.status
    """,
    {
        "id": "bigint",
        "booking_id": "bigint",
        "screening_id": "bigint",
        "seat_id": "bigint",
        "holder": "text",
        "price_cents": "bigint",
        "status": "text",
        "booked_at": "float8",
        "confirmed_at": "float8",
        "cancelled_at": "float8",
        "payment_id": "text",
        "payment_deadline": "float8",
        "code": "text",
        "paper": "bytea",
    },
)

HOLDS = Block(
    "holds",
    """
    INSERT INTO holds AS stored (
        id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions, note,
        status, closed_at
    )
    SELECT id, reservation_id, screening_id, seat_id, holder, to_timestamp(reserved_at),
           to_timestamp(expires_at), extensions, note, status, to_timestamp(closed_at)
    FROM {rows}
    ON CONFLICT (screening_id, id) DO UPDATE SET
        expires_at = excluded.expires_at, extensions = excluded.extensions,
        status = excluded.status, closed_at = excluded.closed_at
    WHERE stored.status = 'active' AND stored.extensions <= excluded.extensions
    """,
    {
        "id": "bigint",
        "reservation_id": "bigint",
        "screening_id": "bigint",
        "seat_id": "bigint",
        "holder": "text",
        "reserved_at": "float8",
        "expires_at": "float8",
        "extensions": "smallint",
        "note": "text",
        "status": "text",
        "closed_at": "float8",
    },
)

ANSWERS = Block(
    "answers",
    """
    INSERT INTO idempotency_keys (scope, key, fingerprint, status, body)
    SELECT * FROM {rows}
    ON CONFLICT (scope, key) DO NOTHING
    """,
    {"scope": "text", "key": "text", "fingerprint": "bytea", "status": "smallint", "body": "bytea"},
)

EVENTS = Block(
    "events",
    """
    INSERT INTO screening_events (
        screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status
    )
    SELECT screening_id, epoch, seq, to_timestamp(at), kind, actor,
           {seat_ids}[first_seat:last_seat], from_statuses::text[], to_status
    FROM {rows}
    ON CONFLICT (screening_id, epoch, seq) DO NOTHING
    """,
    {
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "actor": "text",
        "kind": "text",
        "from_statuses": "text",
        "to_status": "text",
        "first_seat": "integer",
        "last_seat": "integer",
    },
    {"seat_ids": "bigint"},
)
"""The seats of all events stand in one array, of which each has a part."""

PREPARATIONS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;" + "".join(
    block.preparation for block in (OWNED, PAYMENTS, TICKETS, HOLDS, ANSWERS, EVENTS)
)
"""How a connection begins.

One plan is the best for arrays of any content. It outlives the table's size of that moment, when reading all
of an almost empty table would have been cheapest; so rows are found by their keys from the beginning.
"""
