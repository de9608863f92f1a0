"""Publishes changes of screenings as events for webhooks.

Transactions write causes (`persistence.statements`, and triggers) when they commit a booking, a cancellation
or a change of a screening. `WebhookFeed.publish` turns them into events. An advisory lock lets one server
publish at a time, until it has committed. So positions become visible in ascending order, although causes do
not, and whoever has read the events up to a position has missed none.

The events of a screening are published in the order of (epoch, seq): its owner commits in that order, and a
new epoch ends all commits of the earlier one. So a snapshot always shows the first causes of a screening.
Causes outside the engine, such as a settled refund, come after everything that the snapshot shows.

A screening is sold out when the last of its seats gets a ticket. The tickets of the snapshot are counted, and
the changes are counted back from there. So each time is found once, even if a ticket was cancelled since.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from engine.events import (
    HoldsExpired,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsIssued,
    TicketsLapsed,
    TicketsLeft,
    TicketsMoved,
)
from engine.places import ticket_type_of
from engine.vouching import providers_id
from persistence.columns import numbers, texts
from persistence.connector import Connector

BATCH_LIMIT = 500
"""Causes that choose the screenings of one publication; all causes of these screenings are published."""

_PUBLISHING = 7_466_281_956
"""The advisory lock."""

LOCK = "SELECT pg_try_advisory_xact_lock(%s)"

# One statement, and so one snapshot: the counts and places fit the causes.
GATHER = """
WITH chosen AS MATERIALIZED (
    SELECT DISTINCT screening_id
    FROM (SELECT screening_id FROM webhook_causes ORDER BY id LIMIT %(limit)s) AS oldest
),
cause AS MATERIALIZED (
    SELECT webhook_causes.* FROM webhook_causes JOIN chosen USING (screening_id)
),
screening AS MATERIALIZED (
    SELECT screening_id,
           EXISTS (SELECT FROM free_rooms WHERE id = screening_id) AS free_room,
           (SELECT count(*) FROM tickets
            WHERE tickets.screening_id = chosen.screening_id AND status IN ('pending', 'confirmed')) AS sold,
           (SELECT count(*) FROM seats JOIN screenings USING (room_id)
            WHERE screenings.id = screening_id AND removed_at IS NULL)
           + (SELECT coalesce(sum(capacity), 0) FROM ticket_types WHERE event_id = screening_id) AS capacity,
           greatest(
               ARRAY[0, 0]::bigint[],
               (SELECT ARRAY[epoch, seq] FROM screening_events AS logged
                WHERE logged.screening_id = chosen.screening_id ORDER BY epoch DESC, seq DESC LIMIT 1),
               (SELECT ARRAY[epoch, 0] FROM screening_epochs AS owned
                WHERE owned.screening_id = chosen.screening_id),
               (SELECT ARRAY[epoch, seq] FROM webhook_events AS published
                WHERE published.screening_id = chosen.screening_id ORDER BY position DESC LIMIT 1)
           ) AS last
    FROM chosen
)
SELECT id, screening_id, epoch, seq, at, kind, ids, seat_ids, to_status, payload, request_id, trace,
       free_room, sold, capacity::bigint, last[1], last[2]
FROM cause JOIN screening USING (screening_id)
"""

TICKETS = """
SELECT tickets.id, tickets.booking_id, seat_id, price, payment_id, vouched_by
FROM tickets LEFT JOIN payments USING (payment_id)
WHERE tickets.id = ANY (%s::bigint[]) ORDER BY tickets.id
"""

# A webhook that is being deleted is waited for, and then gets nothing.
PUBLISH = """
WITH published AS (
    INSERT INTO webhook_events (screening_id, epoch, seq, type, body, trace)
    SELECT screening_id, epoch, seq, type, body, trace
    FROM unnest(
        %(screening_ids)s::bigint[], %(epochs)s::bigint[], %(seqs)s::bigint[], %(types)s::text[],
        %(bodies)s::text[], %(traces)s::text[]
    ) WITH ORDINALITY AS event (screening_id, epoch, seq, type, body, trace, number)
    ORDER BY number
    RETURNING position, screening_id, type, published_at
),
present AS (
    SELECT id, events FROM webhooks ORDER BY id FOR KEY SHARE
),
waiting AS (
    INSERT INTO webhook_lanes (webhook_id, screening_id, position, last_position, waiting_since)
    SELECT present.id, screening_id, min(position) - 1, max(position), min(published_at)
    FROM published JOIN present ON published.type = ANY (present.events)
    GROUP BY present.id, screening_id
    ORDER BY present.id, screening_id
    ON CONFLICT (webhook_id, screening_id) DO UPDATE SET last_position = excluded.last_position
)
DELETE FROM webhook_causes WHERE id = ANY (%(causes)s::bigint[])
"""

TICKET_TYPES = {
    TicketsIssued.kind: "booking.created",
    TicketsConfirmed.kind: "booking.confirmed",
    TicketsCancelled.kind: "booking.cancelled",
    TicketsLapsed.kind: "booking.cancelled",
    TicketsLeft.kind: "booking.moved",
    TicketsMoved.kind: "booking.moved",
    "ticket_transferred": "ticket.transferred",
}
TICKET_STATUSES = {
    TicketsConfirmed.kind: "confirmed",
    TicketsCancelled.kind: "cancelled",
    TicketsLapsed.kind: "lapsed",
    TicketsLeft.kind: "left",
}


class _Cause(NamedTuple):
    id: int
    screening_id: int
    epoch: int | None
    seq: int | None
    at: datetime
    kind: str
    ids: Sequence[int]
    seat_ids: Sequence[int]
    to_status: str
    payload: Mapping[str, Any]
    request_id: str | None
    trace: str | None
    free_room: bool
    sold: int
    capacity: int
    last_epoch: int
    last_seq: int

    def is_in_order(self, left: Collection[object]) -> bool:
        """Return whether the cause has a place among its screening's events.

        Tickets that arrive from another screening are committed by the owner of that one, perhaps after later
        events. If they have left a seat of the same screening, that is its event before.

        Args:
            left: epoch, number and tickets of the events about seats of the screening that were left.
        """
        if self.seq is None or self.kind != TicketsMoved.kind:
            return self.seq is not None
        return (self.epoch, self.seq - 1, tuple(self.ids)) in left

    @property
    def sold_change(self) -> int:
        """Number of seats that got tickets; negative if tickets ended."""
        if self.kind in (TicketsIssued.kind, TicketsMoved.kind):
            return len(self.ids)
        ended = (TicketsCancelled.kind, TicketsLapsed.kind, TicketsLeft.kind)
        return -len(self.ids) if self.kind in ended else 0


class _Ticket(NamedTuple):
    id: int
    booking_id: int
    seat_id: int
    price: Any
    payment_id: str | None
    vouched_by: str | None


class Event(NamedTuple):
    """An event to publish.

    Attributes:
        type: e.g. "booking.created".
        body: what webhooks send, as JSON.
        trace: W3C traceparent of the request that has caused it, if that is traced.
    """

    screening_id: int
    epoch: int
    seq: int
    type: str
    body: str
    trace: str | None


class WebhookFeed:
    """Publishes events."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def publish(self) -> int:
        """Publish the events of all causes so far, unless another server is doing that.

        Returns:
            Number of causes; if it is not 0, there may be more.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.transaction() as connection:
            ((locked,),) = await connection.run(LOCK, (_PUBLISHING,))
            if not locked:
                return 0
            rows = await connection.run(GATHER, {"limit": BATCH_LIMIT})
            causes = [_Cause(*row) for row in rows]
            if not causes:
                return 0
            sold = [one for cause in causes if cause.kind in TICKET_TYPES for one in cause.ids]
            tickets = (
                [_Ticket(*row) for row in await connection.run(TICKETS, (numbers(sold),))] if sold else []
            )
            events = list(_events(causes, {ticket.id: ticket for ticket in tickets}))
            bound = {
                "screening_ids": numbers([event.screening_id for event in events]),
                "epochs": numbers([event.epoch for event in events]),
                "seqs": numbers([event.seq for event in events]),
                "types": texts([event.type for event in events]) if events else "{}",
                "bodies": texts([event.body for event in events]) if events else "{}",
                "traces": texts([event.trace for event in events]) if events else "{}",
                "causes": numbers([cause.id for cause in causes]),
            }
            await connection.run(PUBLISH, bound)
        return len(causes)


def _events(causes: Sequence[_Cause], tickets: Mapping[int, _Ticket]) -> Iterator[Event]:
    by_screening: dict[int, list[_Cause]] = defaultdict(list)
    for cause in causes:
        if not cause.free_room:
            by_screening[cause.screening_id].append(cause)
    for of_one in by_screening.values():
        left = {(c.epoch, c.seq, tuple(c.ids)) for c in of_one if c.kind == TicketsLeft.kind}
        in_order = [c for c in of_one if c.is_in_order(left)]
        placed = [((c.epoch or 0, c.seq or 0, c.id), c) for c in in_order]
        placed.sort()
        first = of_one[0]
        epoch, seq = max([(first.last_epoch, first.last_seq), *(place[:2] for place, _ in placed[-1:])])
        placed += [((epoch, seq, c.id), c) for c in of_one if not c.is_in_order(left)]
        sold = first.sold - sum(cause.sold_change for cause in of_one)
        for (epoch, seq, _), cause in placed:
            place = {"screening_id": cause.screening_id, "epoch": epoch, "seq": seq}
            for kind, details in _described(cause, tickets):
                yield _event(kind, cause, {**place, **details})
            sold += cause.sold_change
            if cause.sold_change > 0 and sold == cause.capacity:
                yield _event("screening.sold_out", cause, {**place, "capacity": cause.capacity})


def _event(kind: str, cause: _Cause, data: dict[str, Any]) -> Event:
    message = {"type": kind, "timestamp": _in_utc(cause.at), "data": data, "request_id": cause.request_id}
    body = orjson.dumps(message, default=float).decode()
    return Event(data["screening_id"], data["epoch"], data["seq"], kind, body, cause.trace)


def _described(cause: _Cause, tickets: Mapping[int, _Ticket]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the types of the events of a cause, and what their data has besides the place."""
    if cause.kind in TICKET_TYPES:
        status = TICKET_STATUSES.get(cause.kind) or (
            "pending" if cause.to_status == "pending" else "confirmed"
        )
        bookings: dict[int, list[_Ticket]] = defaultdict(list)
        for ticket_id, seat_id in zip(cause.ids, cause.seat_ids, strict=True):
            if (ticket := tickets.get(ticket_id)) is not None:
                # It may have another seat by now.
                bookings[ticket.booking_id].append(ticket._replace(seat_id=seat_id))
        for booking_id, of_booking in bookings.items():
            yield TICKET_TYPES[cause.kind], {**_booking(booking_id, status, of_booking), **cause.payload}
    elif cause.kind == HoldsExpired.kind:
        seats = [seat_id for seat_id in cause.seat_ids if seat_id > 0]
        yield (
            "hold.expired",
            {
                "seat_ids": seats,
                "reservation_ids": list(cause.ids) if seats else [],
                "ticket_types": _quantities(cause.seat_ids),
            },
        )
    elif cause.kind == "screening_changed":
        yield "screening.changed", _shown(cause.payload)
    elif cause.kind == "screening_cancelled":
        yield "screening.cancelled", _shown(cause.payload)
    elif cause.kind == "waitlist_offered":
        yield (
            "waitlist.offered",
            {
                "waitlist_id": cause.ids[0],
                **_shown(cause.payload),
                "seat_ids": [seat_id for seat_id in cause.seat_ids if seat_id > 0],
                "ticket_types": _quantities(cause.seat_ids),
            },
        )
    elif cause.kind in ("refund_owed", "refund_settled"):
        payment_id = providers_id(cause.payload["payment_id"])
        yield cause.kind.replace("_", "."), {**cause.payload, "payment_id": payment_id}


def _booking(booking_id: int, status: str, tickets: Sequence[_Ticket]) -> dict[str, Any]:
    return {
        "booking_id": booking_id,
        "status": status,
        "payment_id": tickets[0].payment_id and providers_id(tickets[0].payment_id),
        "vouched_by": tickets[0].vouched_by,
        "amount": sum(ticket.price for ticket in tickets),
        "ticket_ids": [ticket.id for ticket in tickets],
        "seat_ids": [ticket.seat_id for ticket in tickets if ticket.seat_id > 0],
        "ticket_types": _quantities([ticket.seat_id for ticket in tickets]),
    }


def _shown(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns with their timestamps in UTC, whatever the time zone of the session that wrote them."""
    return {
        name: _in_utc(datetime.fromisoformat(value)) if name.endswith("_at") and value else value
        for name, value in columns.items()
    }


def _in_utc(at: datetime) -> str:
    """Return a timestamp in UTC, with milliseconds as everywhere in the API."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _quantities(seat_ids: Sequence[int]) -> list[dict[str, int]]:
    """Return the numbers of places among some seats, by ticket type."""
    counts: dict[int, int] = defaultdict(int)
    for seat_id in seat_ids:
        if seat_id < 0:
            counts[ticket_type_of(seat_id)] += 1
    return [{"ticket_type_id": one, "quantity": number} for one, number in sorted(counts.items())]
