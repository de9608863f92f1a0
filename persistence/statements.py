"""The SQL of the journal: a check of the epochs, and the statements that write rows.

Each connection prepares them once, so that a batch needs no planning. Their parameters are whole columns, as
array literals.

Writing is idempotent: rows have their ids, an insert that finds its row updates it or leaves it, and states
only move forward. The statements do not check what must never happen (a seat sold twice, a payment used for
two bookings, a cancelled ticket revived); the schema does.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from persistence.columns import byte_strings, flags, numbers, texts

Columns = Sequence[Sequence[Any]]

NOTHING: Mapping[str, str] = MappingProxyType({})

_ENCODERS: Mapping[str, Callable[[Sequence[Any]], str]] = {
    "bigint": numbers,
    "integer": numbers,
    "smallint": numbers,
    "float8": numbers,
    "text": texts,
    "bytea": byte_strings,
    "boolean": flags,
}


class Block:
    """A prepared statement over rows that are passed column by column, one array literal each.

    Args:
        name: its name as a prepared statement.
        sql: the statement. `{rows}` stands for the rows, `{name}` for an array of `beside` or for a clause of
            `repeats`.
        rows: types of a row's columns, by name.
        beside: element types of further arrays, which may have any length, by name.
        repeats: ON CONFLICT clauses for rows that were written before, by name. If there are any, the
            statement is prepared twice, without and with them.

    Attributes:
        preparation: the SQL that prepares it.
    """

    def __init__(
        self,
        name: str,
        sql: str,
        rows: Mapping[str, str],
        beside: Mapping[str, str] = NOTHING,
        repeats: Mapping[str, str] = NOTHING,
    ) -> None:
        types = {**rows, **beside}
        places = {column: f"${number}" for number, column in enumerate(types, 1)}
        row = f"unnest({', '.join(places[column] for column in rows)}) AS row ({', '.join(rows)})"
        arrays = {column: f"({places[column]})" for column in beside}
        signature = f"({', '.join(f'{kind}[]' for kind in types.values())})"
        literals = f"({', '.join(['%s'] * len(types))});"

        def prepared(name: str, clauses: Mapping[str, str]) -> str:
            return f"PREPARE {name} {signature} AS{sql.format(rows=row, **arrays, **clauses)};"

        self.preparation = prepared(name, dict.fromkeys(repeats, ""))
        self._execution = self._repetition = f"EXECUTE {name} {literals}"
        if repeats:
            self.preparation += prepared(f"{name}_again", repeats)
            self._repetition = f"EXECUTE {name}_again {literals}"
        self._encoders = tuple(_ENCODERS[kind] for kind in types.values())

    def execution(self, *, again: bool) -> str:
        """Return the SQL that runs it, with a `%s` for each literal.

        Args:
            again: rows may have been written before.
        """
        return self._repetition if again else self._execution

    def literals(self, columns: Columns) -> list[str]:
        """Return the columns of the rows and the further arrays as array literals."""
        return [
            # `unnest` pads shorter columns with NULL.
            "{}" if column and column[0] is None and column.count(None) == len(column) else encode(column)
            for encode, column in zip(self._encoders, columns, strict=True)
        ]


OWNED = Block(
    "owned",
    # Without a function in the schema, SQL has no other way to raise an error.
    """
    SELECT 1 / (count(*) = cardinality($1))::integer
    FROM (
        SELECT FROM screening_epochs JOIN {rows} USING (screening_id, epoch)
        ORDER BY screening_epochs.screening_id FOR SHARE OF screening_epochs
    ) AS owned
    """,
    {"screening_id": "bigint", "epoch": "bigint"},
)
"""Locks the epochs of screenings, in one order for all writers. Divides by zero if one is not current."""

NOT_OWNED = "22012"
"""SQLSTATE of a division by zero. Only `OWNED` can raise it."""

UNIQUE_VIOLATION = "23505"
"""SQLSTATE of an insert whose key exists: the row was written before, or breaks a rule of the schema."""

PAYMENTS = Block(
    "payments",
    """
    INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at, vouched_by)
    SELECT payment_id, holder, booking_id, screening_id, to_timestamp(created_at), vouched_by
    FROM {rows}
    ON CONFLICT (payment_id) DO UPDATE SET vouched_by = excluded.vouched_by
    WHERE payments.vouched_by IS NULL AND excluded.vouched_by IS NOT NULL
      AND payments.booking_id = excluded.booking_id
    """,
    {
        "payment_id": "text",
        "holder": "text",
        "booking_id": "bigint",
        "screening_id": "bigint",
        "created_at": "float8",
        "vouched_by": "text",
    },
)

TICKETS = Block(
    "tickets",
    """
    INSERT INTO tickets AS stored (
        id, booking_id, screening_id, seat_id, holder, price, status,
        booked_at, confirmed_at, cancelled_at, payment_id, payment_deadline, code, paper, held_at, sold_by,
        free_because, request_id
    )
    SELECT id, booking_id, screening_id, seat_id, holder, price_cents * 0.01, status,
           to_timestamp(booked_at), to_timestamp(confirmed_at), to_timestamp(cancelled_at), payment_id,
           to_timestamp(payment_deadline), code, paper, to_timestamp(held_at), sold_by, free_because,
           request_id
    FROM {rows}
    ON CONFLICT (id, screening_id) DO UPDATE SET
        status = excluded.status, confirmed_at = excluded.confirmed_at, cancelled_at = excluded.cancelled_at,
        payment_id = excluded.payment_id, payment_deadline = excluded.payment_deadline,
        sold_by = excluded.sold_by, request_id = excluded.request_id
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
        "held_at": "float8",
        "sold_by": "text",
        "free_because": "text",
        "request_id": "text",
    },
)

GIVEN_BACK = Block(
    "given_back",
    """
    SELECT refuse_admitted(array_agg(id)) FROM {rows}
    """,
    {"id": "bigint"},
)
"""Refuses cancellations by holders, which `TICKETS` has just written, if one of the tickets was admitted."""

MOVES = Block(
    "moves",
    """
    INSERT INTO ticket_moves (
        ticket_id, screening_id, epoch, seq, at, actor, booking_id, seat_id, price, paid,
        from_screening_id, from_seat_id, from_price, from_revision, payment_id, owed, request_id, by_hand
    )
    SELECT ticket_id, screening_id, epoch, seq, to_timestamp(at), actor, booking_id, seat_id,
           price_cents * 0.01, paid::jsonb, from_screening_id, from_seat_id, from_price_cents * 0.01,
           CASE WHEN from_screening_id = screening_id THEN 0 ELSE
               coalesce((SELECT revision FROM screenings WHERE screenings.id = from_screening_id), 0)
           END,
           payment_id, owed::jsonb, request_id, by_hand
    FROM {rows}
    ON CONFLICT (ticket_id, screening_id, epoch, seq) DO NOTHING
    """,
    {
        "ticket_id": "bigint",
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "actor": "text",
        "booking_id": "bigint",
        "seat_id": "bigint",
        "price_cents": "bigint",
        "paid": "text",
        "from_screening_id": "bigint",
        "from_seat_id": "bigint",
        "from_price_cents": "bigint",
        "payment_id": "text",
        "owed": "text",
        "request_id": "text",
        "by_hand": "boolean",
    },
)
"""Writes moves of tickets. Triggers change the tickets, record what is owed (v0025_ticket_moves), and refuse
moves of tickets that were admitted (v0038_admitted_or_moved)."""

HOLDS = Block(
    "holds",
    """
    INSERT INTO holds AS stored (
        id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions, note,
        price, status, closed_at
    )
    SELECT id, reservation_id, screening_id, seat_id, holder, to_timestamp(reserved_at),
           to_timestamp(expires_at), extensions, note, price_cents * 0.01, status, to_timestamp(closed_at)
    FROM {rows}
    ON CONFLICT (holder, id, screening_id) DO UPDATE SET
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
        "price_cents": "bigint",
        "status": "text",
        "closed_at": "float8",
    },
)

ANNOUNCED = """INSERT INTO webhook_causes (
        screening_id, epoch, seq, at, kind, ids, seat_ids, to_status, request_id, trace
    )
    SELECT screening_id, epoch, seq, to_timestamp(at), {kind}, {{ids}}[first_seat:last_seat],
           {{seat_ids}}[first_seat:last_seat], to_status, request_id, trace
    FROM logged JOIN {events} USING (screening_id, epoch, seq)
    WHERE {wanted}"""
"""Part of a statement that tells `persistence.webhook_feed` of events, if there are webhooks.

It reads from `logged`, so an event that was written before is not announced again.
"""

ANNOUNCED_KINDS = """
    starts_with(kind, 'tickets_') AND EXISTS (SELECT FROM webhooks)
    OR kind = 'holds_expired' AND EXISTS (SELECT FROM webhooks WHERE 'hold.expired' = ANY (webhooks.events))
"""

LOGGED = {"event_written": "ON CONFLICT (screening_id, epoch, seq) DO NOTHING"}

HELD = Block(
    "held",
    """
    WITH held AS MATERIALIZED (SELECT * FROM {rows}),
    logged AS (
        INSERT INTO screening_events (
            screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status, request_id
        )
        SELECT screening_id, epoch, seq, to_timestamp(at), 'seats_held', holder,
               {seat_ids}[first_seat:last_seat],
               array_fill('available'::text, ARRAY[last_seat - first_seat + 1]), 'held', request_id
        FROM held
        {event_written}
    )
    INSERT INTO holds (
        id, reservation_id, screening_id, seat_id, holder, reserved_at, expires_at, extensions, note, status,
        price
    )
    SELECT reservation_id + place - first_seat, reservation_id, screening_id, {seat_ids}[place], holder,
           to_timestamp(at), to_timestamp(expires_at), 0, note, 'active', {prices_cents}[place] * 0.01
    FROM (SELECT *, generate_series(first_seat, last_seat) AS place FROM held) AS hold
    {hold_written}
    """,
    {
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "holder": "text",
        "reservation_id": "bigint",
        "expires_at": "float8",
        "note": "text",
        "request_id": "text",
        "first_seat": "integer",
        "last_seat": "integer",
    },
    {"seat_ids": "bigint", "prices_cents": "bigint"},
    {**LOGGED, "hold_written": "ON CONFLICT (holder, id, screening_id) DO NOTHING"},
)
"""Writes new holds of seats and their log entries, from one row per event.

Two arrays have the seats and prices of all holds.
"""

SALES = Block(
    "sales",
    """
    WITH sale AS MATERIALIZED (SELECT * FROM {rows}),
    paid AS (
        INSERT INTO payments (payment_id, holder, booking_id, screening_id, created_at, vouched_by)
        SELECT payment_id, holder, booking_id, screening_id, to_timestamp(at), vouched_by
        FROM sale
        WHERE payment_id IS NOT NULL
        ORDER BY payment_id
        {payment_written}
    ),
    logged AS (
        INSERT INTO screening_events (
            screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status, holder, request_id
        )
        SELECT screening_id, epoch, seq, to_timestamp(at), 'tickets_issued', actor,
               {seat_ids}[first_seat:last_seat], from_statuses::text[], to_status, nullif(holder, actor),
               request_id
        FROM sale
        {event_written}
        RETURNING screening_id, epoch, seq
    ),
    announced AS (
        """  # noqa: S608 - constants
    + ANNOUNCED.format(kind="'tickets_issued'", events="sale", wanted="EXISTS (SELECT FROM webhooks)")
    + """
    )
    INSERT INTO tickets (
        id, booking_id, screening_id, seat_id, holder, price, status, booked_at, confirmed_at, payment_id,
        payment_deadline, held_at, sold_by, free_because, request_id
    )
    SELECT {ids}[place], booking_id, screening_id, {seat_ids}[place], holder, {prices_cents}[place] * 0.01,
           status, to_timestamp(booked_at), to_timestamp(confirmed_at), payment_id,
           to_timestamp(payment_deadline), to_timestamp(held_at), sold_by, free_because, request_id
    FROM (SELECT *, generate_series(first_seat, last_seat) AS place FROM sale) AS ticket
    {ticket_written}
    """,
    {
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "actor": "text",
        "from_statuses": "text",
        "to_status": "text",
        "booking_id": "bigint",
        "holder": "text",
        "status": "text",
        "booked_at": "float8",
        "confirmed_at": "float8",
        "payment_id": "text",
        "payment_deadline": "float8",
        "held_at": "float8",
        "sold_by": "text",
        "free_because": "text",
        "vouched_by": "text",
        "request_id": "text",
        "trace": "text",
        "first_seat": "integer",
        "last_seat": "integer",
    },
    {"seat_ids": "bigint", "ids": "bigint", "prices_cents": "bigint"},
    {
        **LOGGED,
        "payment_written": "ON CONFLICT (payment_id) DO NOTHING",
        "ticket_written": "ON CONFLICT (id, screening_id) DO NOTHING",
    },
)
"""Writes new bookings without papers, their payments and log entries, from one row per booking.

Three arrays have the seats, ids and prices of all tickets. Payments are inserted in sorted order, so that two
writers cannot wait for each other.
"""

ANSWERS = Block(
    "answers",
    """
    INSERT INTO idempotency_keys (scope, key, fingerprint, status, body)
    SELECT * FROM {rows}
    ON CONFLICT (scope, key) DO NOTHING
    """,
    {"scope": "text", "key": "text", "fingerprint": "bytea", "status": "smallint", "body": "bytea"},
)

RECEIPTS = Block(
    "receipts",
    """
    INSERT INTO idempotency_keys (scope, key, fingerprint, status, body)
    SELECT scope, key, fingerprint, status, body FROM {rows} {unwritten}
    """,
    {
        "scope": "text",
        "key": "text",
        "fingerprint": "bytea",
        "status": "smallint",
        "body": "bytea",
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
    },
    repeats={
        # A correlated count is never planned as a join, so it stays a look into the index for each row.
        "unwritten": """
    WHERE (
        SELECT count(*) FROM screening_events AS written
        WHERE written.screening_id = "row".screening_id AND written.epoch = "row".epoch
          AND written.seq = "row".seq
    ) = 0
    """,
    },
)
"""The answers to entries with events, each with the key of the first event.

If a key has an answer, the insert fails, and with it the transaction: another attempt at the same request was
answered. The answer that the same entry has stored in an earlier transaction is left as it is.
"""

EVENTS = Block(
    "events",
    """
    WITH event AS MATERIALIZED (SELECT * FROM {rows}),
    logged AS (
        INSERT INTO screening_events (
            screening_id, epoch, seq, at, kind, actor, seat_ids, from_statuses, to_status, holder, request_id,
            block_id, block_seat_ids
        )
        SELECT screening_id, epoch, seq, to_timestamp(at), kind, actor,
               {seat_ids}[first_seat:last_seat], from_statuses::text[], to_status, holder, request_id,
               block_id, block_seat_ids::bigint[]
        FROM event
        {event_written}
        RETURNING screening_id, epoch, seq
    )
    """  # noqa: S608 - constants
    + ANNOUNCED.format(kind="kind", events="event", wanted=ANNOUNCED_KINDS),
    {
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "actor": "text",
        "kind": "text",
        "from_statuses": "text",
        "to_status": "text",
        "holder": "text",
        "request_id": "text",
        "trace": "text",
        "block_id": "bigint",
        "block_seat_ids": "text",
        "first_seat": "integer",
        "last_seat": "integer",
    },
    {"seat_ids": "bigint", "ids": "bigint"},
    LOGGED,
)
"""Writes the log entries of all other events. Two arrays have the seats, and the ids of holds or tickets."""

BLOCKS = Block(
    "blocks",
    """
    INSERT INTO blocks AS stored (
        id, screening_id, label, kind, created_at, created_by, channel, release_at, seat_ids, released_at,
        released_by
    )
    SELECT id, screening_id, label, kind, to_timestamp(created_at), created_by, channel,
           to_timestamp(release_at), {seat_ids}[first_seat:last_seat], to_timestamp(released_at), released_by
    FROM {rows}
    ON CONFLICT (id) DO UPDATE SET
        released_at = excluded.released_at, released_by = excluded.released_by,
        seat_ids = CASE WHEN excluded.released_at IS NULL THEN excluded.seat_ids ELSE stored.seat_ids END
    WHERE stored.released_at IS NULL
    """,
    {
        "id": "bigint",
        "screening_id": "bigint",
        "label": "text",
        "kind": "text",
        "created_at": "float8",
        "created_by": "text",
        "channel": "text",
        "release_at": "float8",
        "released_at": "float8",
        "released_by": "text",
        "first_seat": "integer",
        "last_seat": "integer",
    },
    {"seat_ids": "bigint"},
)
"""Writes blocks as they are from now on. An array has the seats of all."""

WAITLIST = Block(
    "waitlist",
    """
    WITH entry AS MATERIALIZED (SELECT * FROM {rows}),
    written AS (
        INSERT INTO waitlist AS stored (
            id, screening_id, holder, quantity, joined_at, joined_epoch, joined_seq, ticket_type_id, seat_id,
            together, mail, status, reservation_id, seat_ids, expires_at, epoch, seq, changed_at
        )
        SELECT id, screening_id, holder, quantity, to_timestamp(joined_at), joined_epoch, joined_seq,
               ticket_type_id, seat_id, together, mail, status, reservation_id, seat_ids::bigint[],
               to_timestamp(expires_at), epoch, seq, to_timestamp(changed_at)
        FROM entry
        ON CONFLICT (id) DO UPDATE SET
            status = excluded.status, reservation_id = excluded.reservation_id, seat_ids = excluded.seat_ids,
            expires_at = excluded.expires_at, epoch = excluded.epoch, seq = excluded.seq,
            changed_at = excluded.changed_at
        WHERE (stored.epoch, stored.seq) < (excluded.epoch, excluded.seq)
        RETURNING stored.*
    ),
    told AS MATERIALIZED (
        SELECT written.*, request_id, trace FROM written JOIN entry USING (id) WHERE news
    ),
    mailed AS (
        INSERT INTO outbox (kind, subject, payload, unique_key)
        SELECT 'mail', 'waiting list of screening ' || screening_id,
               jsonb_strip_nulls(jsonb_build_object(
                   'cause', 'waitlist_' || status, 'entry_id', id, 'request_id', request_id
               )),
               'waitlist_' || status || ':' || id
        FROM told
        WHERE mail AND has_mail_address(holder)
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
    )
    INSERT INTO webhook_causes (screening_id, epoch, seq, at, kind, ids, seat_ids, payload, request_id, trace)
    SELECT screening_id, epoch, seq, changed_at, 'waitlist_offered', ARRAY[id], seat_ids,
           jsonb_build_object('reservation_id', reservation_id, 'expires_at', expires_at), request_id, trace
    FROM told
    WHERE status = 'offered' AND EXISTS (SELECT FROM webhooks)
    """,
    {
        "id": "bigint",
        "screening_id": "bigint",
        "holder": "text",
        "quantity": "integer",
        "joined_at": "float8",
        "joined_epoch": "bigint",
        "joined_seq": "bigint",
        "ticket_type_id": "bigint",
        "seat_id": "bigint",
        "together": "boolean",
        "mail": "boolean",
        "status": "text",
        "reservation_id": "bigint",
        "seat_ids": "text",
        "expires_at": "float8",
        "epoch": "bigint",
        "seq": "bigint",
        "changed_at": "float8",
        "news": "boolean",
        "request_id": "text",
        "trace": "text",
    },
)
"""Writes entries of waiting lists, each in its last state, and tells the outbox and webhooks of news."""

STATE_HASHES = Block(
    "state_hashes",
    """
    INSERT INTO state_hashes (screening_id, epoch, seq, at, seats, hash)
    SELECT screening_id, epoch, seq, to_timestamp(at), seats, hash FROM {rows}
    ON CONFLICT (screening_id, epoch, seq) DO NOTHING
    """,
    {
        "screening_id": "bigint",
        "epoch": "bigint",
        "seq": "bigint",
        "at": "float8",
        "seats": "integer",
        "hash": "bigint",
    },
)

PREPARATIONS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;" + "".join(
    block.preparation
    for block in (
        *(OWNED, PAYMENTS, TICKETS, GIVEN_BACK, MOVES, SALES, HOLDS, HELD, BLOCKS, WAITLIST, STATE_HASHES),
        *(ANSWERS, RECEIPTS, EVENTS),
    )
)
"""Statements that a new connection runs.

One plan fits arrays of any content, so it is made once. It must not depend on the present size of the tables:
without `enable_seqscan = off`, plans made for almost empty tables would read them sequentially forever.
"""
