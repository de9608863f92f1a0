"""`/api/v1/ops/screenings`: screenings as operators see them, the state of their seats, and the event log.

The log orders everything that ever happened to a screening by (epoch, seq): for each event its seats, their
states before, and the state after. So the states at any position follow from the events up to there.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from api.ops.people import people_field, people_of
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Money, RequestSchema, Timestamp, text, without
from api.rest.local_times import TimeZoneName
from api.rest.paging import Page, Window
from api.sales.holders import holder_field, shown
from api.wire import timestamp, timestamp_or_none
from engine.commands import ReadSeats
from engine.errors import NotFound
from engine.seat_states import SeatStatus
from engine.selling_errors import ScreeningNotFound
from engine.views import SeatMap, SeatView

EVENTS_PER_PAGE = 2_000
SEAT_EVENTS_LIMIT = 500
_QUERY_LIMIT = 100
_LARGEST = 2**63 - 1

history = Resource("/api/v1/ops/screenings", tag="Operations")


class Operated(Schema):
    """A screening or an event, with the counts of the database."""

    id = fields.Integer(required=True, metadata={"example": 123})
    kind = fields.String(required=True, validate=validate.OneOf(("screening", "event")))
    title = fields.String(required=True)
    place = fields.String(required=True, metadata={"example": "Rex, Great Hall"})
    room_id = fields.Integer(required=True, allow_none=True, metadata={"description": "null for an event."})
    starts_at = Timestamp(required=True)
    ends_at = Timestamp(required=True)
    time_zone = TimeZoneName(required=True)
    cancelled = fields.Boolean(required=True)
    capacity = fields.Integer(required=True)
    sold = fields.Integer(required=True, metadata={"description": "Live tickets, paid or not."})
    held = fields.Integer(required=True)


class OperatedList(Page):
    query = text(
        _QUERY_LIMIT,
        data_key="q",
        load_default="",
        metadata={"description": "Part of the title, the cinema or the room, or an id.", "example": "rex"},
    )
    past = fields.Boolean(
        load_default=False, metadata={"description": "List what is over, the latest first."}
    )


def _operated(record: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: timestamp(record[name].timestamp()) for name in ("starts_at", "ends_at")}
    return {**record, **times}


@history.get("/", access=Access.ADMIN, query=without(OperatedList, ("cursor",)), answers=Operated(many=True))
async def list_operated(call: Call, query: str, past: bool, window: Window) -> Document:
    """List screenings and events with their sales.

    Those that begin first come first. The counts are those of the database; `/ops/overview` has live ones.
    """
    records = await call.services.event_log.operated(
        query, past=past, limit=window.limit, offset=window.offset
    )
    return [_operated(record) for record in records]


class OperatedDetails(Operated):
    """A screening or an event, and how much has happened to it."""

    events = fields.Integer(required=True, metadata={"description": "Number of events in its log."})
    first_event_at = Timestamp(required=True, allow_none=True)
    last_event_at = Timestamp(required=True, allow_none=True)


async def find_operated(call: Call, screening_id: int) -> Mapping[str, Any]:
    """Return a screening or an event. Raises NotFound."""
    records = await call.services.event_log.operated(
        "", past=False, screening_id=screening_id, limit=1, offset=0
    )
    if not records:
        raise NotFound("screening", screening_id)
    return records[0]


@history.get("/{screening_id}", access=Access.ADMIN, answers=OperatedDetails, refusals=(NotFound,))
async def get_operated(call: Call, screening_id: int) -> Document:
    """Get a screening or an event, and the extent of its event log."""
    record = await find_operated(call, screening_id)
    number, first_at, last_at = await call.services.event_log.extent(screening_id)
    return {
        **_operated(record),
        "events": number,
        "first_event_at": timestamp_or_none(first_at),
        "last_event_at": timestamp_or_none(last_at),
    }


class OccupiedSeat(Schema):
    seat_id = fields.Integer(required=True, metadata={"example": 42})
    status = fields.String(
        required=True,
        validate=validate.OneOf(("held", "buying", "pending", "booked", "blocked")),
        metadata={"description": "`buying`: a sale is being written; `pending`: sold, and not paid yet."},
    )
    holder = holder_field(allow_none=True)
    since = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "When it was held or booked; null while it is being bought."},
    )
    expires_at = Timestamp(required=True, allow_none=True)
    ticket_id = fields.Integer(required=True, allow_none=True)
    price = Money(required=True, allow_none=True, metadata={"description": "Of the ticket."})


class Hall(Schema):
    screening_id = fields.Integer(required=True)
    room_id = fields.Integer(required=True)
    epoch = fields.Integer(required=True)
    seq = fields.Integer(
        required=True, metadata={"description": "The WebSocket continues from here with `since` and `epoch`."}
    )
    at = Timestamp(required=True)
    taken = fields.List(
        fields.Nested(OccupiedSeat), required=True, metadata={"description": "All other seats are free."}
    )
    people = people_field()


@history.get("/{screening_id}/hall", access=Access.ADMIN, answers=Hall, refusals=(ScreeningNotFound,))
async def get_hall(call: Call, screening_id: int) -> Document:
    """Get who has which seat of a screening, and since when.

    `/rooms/{room_id}/seats/` has the seats themselves.
    """
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    tickets = {
        ticket["seat_id"]: ticket for ticket in await call.services.event_log.live_tickets(screening_id)
    }
    taken = [view for view in seat_map.views.values() if view.status != "available"]
    return {
        "screening_id": screening_id,
        "room_id": seat_map.layout.room_id,
        "epoch": seat_map.epoch,
        "seq": seat_map.seq,
        "at": timestamp(call.services.clock.now()),
        "taken": [_taken(call, view, tickets.get(view.seat_id)) for view in taken],
        "people": await people_of(call, {view.holder for view in taken}),
    }


def _taken(call: Call, view: SeatView, ticket: Mapping[str, Any] | None) -> dict[str, Any]:
    since = view.reserved_at
    if view.status == "booked":
        status = "blocked" if view.blocked else "booked"
    elif since is not None:
        status, ticket = "held", None
    else:
        status = "pending" if ticket and view.expires_at is not None else "buying"
    if ticket is not None:
        since = ticket["booked_at"]
    return {
        "seat_id": view.seat_id,
        "status": status,
        "holder": shown(call, view.holder),
        "since": timestamp_or_none(since),
        "expires_at": timestamp_or_none(view.expires_at),
        "ticket_id": ticket and ticket["ticket_id"],
        "price": ticket and float(ticket["price"]),
    }


class _Event(Schema):
    epoch = fields.Integer(required=True)
    seq = fields.Integer(required=True)
    at = Timestamp(required=True)
    kind = fields.String(
        required=True,
        validate=validate.OneOf(
            (
                *("seats_held", "holds_extended", "holds_released", "holds_expired"),
                *("tickets_issued", "tickets_confirmed", "tickets_cancelled", "tickets_lapsed"),
                *("seats_blocked", "seats_unblocked"),
            )
        ),
    )
    actor = holder_field()
    request_id = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "`X-Request-ID` of the request that caused it; null if a deadline did, or for a "
            "hold whose client has not named its request.",
            "example": "9f2c4a11-1207",
        },
    )


_STATES = validate.OneOf([status.value for status in SeatStatus])


class SeatEvent(_Event):
    holder = holder_field(allow_none=True)
    from_status = fields.String(required=True, validate=_STATES)
    to_status = fields.String(required=True, validate=_STATES)
    ticket_id = fields.Integer(required=True, allow_none=True)
    reason = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the ticket was given away."}
    )


class SeatLog(Schema):
    events = fields.List(
        fields.Nested(SeatEvent),
        required=True,
        metadata={"description": f"Newest first, at most {SEAT_EVENTS_LIMIT}."},
    )
    people = people_field()


@history.get(
    "/{screening_id}/seats/{seat_id}/log", access=Access.ADMIN, answers=SeatLog, refusals=(NotFound,)
)
async def get_seat_log(call: Call, screening_id: int, seat_id: int) -> Document:
    """Get who had a seat when.

    Each event has its `actor`, who caused it, and the `holder` who got or had the seat: an administrator may
    sell to, or take from, somebody else.
    """
    await call.flushed()
    events, tickets = await call.services.event_log.of_seat(screening_id, seat_id, SEAT_EVENTS_LIMIT)
    if not events:
        await find_operated(call, screening_id)
        await _require_seat(call, screening_id, seat_id)
    _name_holders(events, tickets)
    return {
        "events": [
            {
                **event,
                "at": timestamp(event["at"]),
                "actor": shown(call, event["actor"]),
                "holder": shown(call, event["holder"]),
            }
            for event in events
        ],
        "people": await people_of(call, _named(events)),
    }


async def _require_seat(call: Call, screening_id: int, seat_id: int) -> None:
    """Raise NotFound unless the screening has this seat."""
    try:
        seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    except ScreeningNotFound as error:  # an event has no seats
        raise NotFound("seat", seat_id) from error
    if seat_id not in seat_map.layout.by_id:
        raise NotFound("seat", seat_id)


def _name_holders(events: Iterable[dict[str, Any]], tickets: Iterable[Mapping[str, Any]]) -> None:
    """Add holder and ticket to the events of a seat, given newest first."""
    issued = {ticket["booked_at"]: ticket for ticket in tickets}
    holder = ticket_id = None
    for event in reversed(list(events)):
        reason = None
        match event["kind"]:
            case "seats_held":
                holder, ticket_id = event["holder"] or event["actor"], None
            case "tickets_issued":
                ticket = issued.get(event["at"])
                holder = ticket["holder"] if ticket else event["actor"]
                ticket_id = ticket["ticket_id"] if ticket else None
                reason = ticket and ticket["reason"]
        event.update(holder=holder, ticket_id=ticket_id, reason=reason)
        if event["to_status"] == SeatStatus.AVAILABLE:
            holder = ticket_id = None


class LogEvent(_Event):
    holder = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Who gets the seats; null for events that give them to nobody new."},
    )
    seat_ids = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "Negative ids are places of ticket types, and seats of free rooms."},
    )
    from_statuses = fields.List(
        fields.String(validate=_STATES),
        required=True,
        metadata={"description": "The states before, in the order of the seats."},
    )
    to_status = fields.String(required=True, validate=_STATES)
    block_id = fields.Integer(
        metadata={"description": "The block, for `seats_blocked` and `seats_unblocked`; absent for others."}
    )
    block_seat_ids = fields.List(
        fields.Integer(), metadata={"description": "All seats of the block after the event."}
    )


class EventPosition(Schema):
    epoch = fields.Integer(required=True)
    seq = fields.Integer(required=True)


class EventPage(Schema):
    events = fields.List(fields.Nested(LogEvent), required=True, metadata={"description": "Oldest first."})
    next = fields.Nested(
        EventPosition,
        required=True,
        allow_none=True,
        metadata={"description": "Send it as `after_epoch` and `after_seq`; null after the last page."},
    )
    people = people_field()


def _position() -> fields.Integer:
    return fields.Integer(load_default=0, validate=validate.Range(0, _LARGEST))


class EventRange(RequestSchema):
    after_epoch = _position()
    after_seq = _position()
    limit = fields.Integer(load_default=EVENTS_PER_PAGE, validate=validate.Range(1, EVENTS_PER_PAGE))


@history.get(
    "/{screening_id}/events", access=Access.ADMIN, query=EventRange, answers=EventPage, refusals=(NotFound,)
)
async def list_log_events(
    call: Call, screening_id: int, after_epoch: int, after_seq: int, limit: int
) -> Document:
    """Get the event log of a screening, page by page.

    Events are ordered by (epoch, seq); gaps in `seq` are normal. The state of every seat at any position
    follows from the events up to there: a seat without events is available, and each event sets its seats to
    `to_status`; a seat that would be available while it belongs to a block is blocked. Going back restores
    `from_statuses`.
    """
    await call.flushed()
    events = await call.services.event_log.after(screening_id, after_epoch, after_seq, limit)
    if not events:
        await find_operated(call, screening_id)
    last = events[-1] if len(events) == limit else None
    return {
        "events": [
            {
                **event,
                "at": timestamp(event["at"]),
                "actor": shown(call, event["actor"]),
                "holder": shown(call, event["holder"]),
            }
            for event in events
        ],
        "next": last and {"epoch": last["epoch"], "seq": last["seq"]},
        "people": await people_of(call, _named(events)),
    }


def _named(events: Iterable[Mapping[str, Any]]) -> set[str | None]:
    return {event[name] for event in events for name in ("actor", "holder")}
