"""`/api/v1/waitlist`: waiting for what others give back, and being told when a seat is free."""

from math import ceil
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.public.shapes import ByGuest, session_id
from api.rest.endpoint import Access, Answer, Call, Document, Resource, dump, dump_all
from api.rest.fields import Flag, Identifier, RequestSchema, Timestamp
from api.rest.paging import PAGING_HEADERS, Page, Window, paged
from api.rows import Record
from api.sales.holders import holder_field, shown
from engine import selling_errors as errors
from engine import waitlist_errors as refusals
from engine.commands import JoinWaitlist, LeaveWaitlist, WatchSeat
from engine.errors import NotFound, OwnershipLost
from engine.replies import Waiting
from engine.waitlist_records import WaitStatus

QUANTITY_LIMIT = 100

waitlist = Resource("/api/v1/waitlist", tag="Waiting list")
seat_notices = Resource("/api/v1/seat-reservations", tag="Waiting list")
waitlist_administration = Resource("/api/v1/admin/screenings", tag="Waiting list")

_STATUSES = validate.OneOf([status.value for status in WaitStatus])


class OfferedSeats(Schema):
    """The reservation that an entry of the waiting list has been offered."""

    reservation_id = fields.Integer(
        required=True, metadata={"description": "Buy it like any other reservation.", "example": 100023}
    )
    ticket_reservation_id = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Its id under `/api/public/reservations`, for tickets.",
            "example": "17-100023",
        },
    )
    seat_ids = fields.List(
        fields.Integer(metadata={"example": 42}),
        required=True,
        metadata={"description": "Empty for tickets without seats."},
    )
    expires_at = Timestamp(required=True)
    remaining_seconds = fields.Integer(required=True, metadata={"example": 600})


class WaitlistEntry(Schema):
    """An entry of a waiting list."""

    id = fields.Integer(required=True, metadata={"example": 100020})
    screening_id = fields.Integer(
        required=True, metadata={"description": "The screening or event.", "example": 123}
    )
    title = fields.String(required=True)
    starts_at = Timestamp(required=True, allow_none=True)
    ticket_type_id = fields.Integer(required=True, allow_none=True, metadata={"example": 5})
    seat_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The seat of which the holder wants to be told when it is free."},
    )
    quantity = fields.Integer(required=True, metadata={"example": 2})
    together = fields.Boolean(required=True)
    status = fields.String(
        required=True,
        validate=_STATUSES,
        metadata={
            "description": "`waiting`, or `offered` while seats are held for the holder; others have ended."
        },
    )
    position = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "In the line, from 1; null if it does not wait.", "example": 3},
    )
    joined_at = Timestamp(required=True)
    offer = fields.Nested(OfferedSeats, required=True, allow_none=True)


class WantedSeats(RequestSchema):
    """Seats of a screening, or tickets of a type."""

    exactly_one = ("screening_id", "ticketTypeId")

    screening_id = Identifier(metadata={"description": "For seats.", "example": 123})
    ticket_type_id = fields.String(
        data_key="ticketTypeId",
        validate=validate.Length(1, 64),
        metadata={"description": "For tickets without seats.", "example": "5"},
    )
    quantity = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, QUANTITY_LIMIT), metadata={"example": 2}
    )
    together = Flag(
        load_default=False, metadata={"description": "Only adjacent seats will do.", "example": True}
    )
    session_id = session_id(data_key="sessionId")

    @validates_schema
    def _require_one(self, data: dict[str, Any], **_: Any) -> None:
        if ("screening_id" in data) == ("ticket_type_id" in data):
            raise ValidationError("Give either screening_id or ticketTypeId.", "screening_id")
        if data.get("together") and "ticket_type_id" in data:
            raise ValidationError("Tickets without seats cannot be together.", "together")


@waitlist.post(
    "",
    access=Access.GUEST,
    body=WantedSeats,
    answers=WaitlistEntry,
    status=201,
    durable=True,
    refusals=(
        errors.ScreeningNotFound,
        errors.TicketTypeNotFound,
        errors.ScreeningStarted,
        errors.ScreeningCancelled,
        errors.SalesClosed,
        errors.NothingForSale,
        errors.RoomFull,
        errors.HoldLimitExceeded,
        errors.OrderLimitExceeded,
        refusals.StillAvailable,
        refusals.AlreadyWaiting,
        refusals.WaitlistFull,
        errors.NoAdjacentSeats,
    ),
)
async def join_waitlist(
    call: Call,
    quantity: int,
    together: bool,
    screening_id: int | None = None,
    ticket_type_id: str | None = None,
) -> Document:
    """Join the waiting list of a screening or of a ticket type.

    What is released, lapses or is cancelled from now on is offered in the order of joining. An offer is a
    reservation, and there are messages about it by socket and by mail. Refused as long as enough is free, and
    outside the times of sale.
    """
    buyer, kind_id = call.buyer, None
    if ticket_type_id is not None:
        offer = await call.services.offers.find(ticket_type_id, call.identity)
        screening_id, kind_id = offer.event_id, offer.ticket_type_id
    joined: Waiting = await call.ask(JoinWaitlist(screening_id or 0, buyer, quantity, kind_id, together))
    return await _stored(call, joined)


class OwnEntries(Page):
    session_id = session_id(data_key="sessionId")


@waitlist.get(
    "/me", access=Access.GUEST, query=OwnEntries, answers=WaitlistEntry(many=True), headers=PAGING_HEADERS
)
async def list_own_waitlist(call: Call, window: Window) -> Answer:
    """List what the caller waits for, with positions and offers. Oldest first."""
    buyer = call.buyer
    await call.flushed()
    return await _listed(call, window, {"holder": buyer})


@waitlist.delete(
    "/{entry_id}",
    access=Access.GUEST,
    query=ByGuest,
    status=204,
    durable=True,
    refusals=(NotFound, errors.BookingInProgress),
)
async def leave_waitlist(call: Call, entry_id: int) -> None:
    """Leave a waiting list, or do not be told about a seat. What was offered goes on to the next one.

    Leaving again changes nothing. Administrators may remove anybody's entry.
    """
    await call.flushed()
    record = await call.services.catalogue.waitlist.find(entry_id)
    is_own = record["holder"] == call.holder
    if not is_own and not call.admin:
        raise NotFound("waitlist_entry", entry_id)
    try:
        await call.ask(
            LeaveWaitlist(record["screening_id"], record["holder"], entry_id, None if is_own else call.holder)
        )
    except refusals.NotWaiting:
        return  # it has ended before
    await call.flushed()


class WatchedSeat(RequestSchema):
    """A seat that somebody else has."""

    screening_id = Identifier(required=True, metadata={"example": 123})
    seat_id = Identifier(required=True, metadata={"example": 42})
    mail = Flag(
        load_default=False, metadata={"description": "Whether to send a mail too, if an address is known."}
    )


@seat_notices.post(
    "/notify-when-free",
    body=WatchedSeat,
    answers=WaitlistEntry,
    status=201,
    durable=True,
    refusals=(
        errors.ScreeningNotFound,
        errors.SeatsNotFound,
        errors.ScreeningStarted,
        errors.ScreeningCancelled,
        errors.SalesClosed,
        errors.NothingForSale,
        errors.SeatsUnavailable,
        refusals.StillAvailable,
        refusals.AlreadyWaiting,
        refusals.TooManyWatches,
        refusals.WaitlistFull,
    ),
)
async def notify_when_free(call: Call, screening_id: int, seat_id: int, mail: bool) -> Document:
    """Ask to be told when a seat is free.

    When the seat becomes free for everybody, the server tells only the first person who asked, on the socket
    of the screening. The seat is not reserved. `DELETE /api/v1/waitlist/{id}` withdraws the
    request. Refused outside the times of sale, and for a seat that nobody can have.
    """
    joined: Waiting = await call.ask(WatchSeat(screening_id, call.holder, seat_id, mail))
    return await _stored(call, joined)


class EntryOfAnybody(WaitlistEntry):
    """An entry as administrators see it."""

    holder = holder_field()
    changed_at = Timestamp(required=True)


class EntriesOfScreening(Page):
    status = fields.String(validate=_STATUSES)


@waitlist_administration.get(
    "/{screening_id}/waitlist",
    access=Access.ADMIN,
    query=EntriesOfScreening,
    answers=EntryOfAnybody(many=True),
    refusals=(NotFound,),
    headers=PAGING_HEADERS,
)
async def list_waitlist(call: Call, screening_id: int, window: Window, **wanted: Any) -> Answer:
    """List who waits, or has waited, for a screening or event. Oldest first."""
    await call.flushed()
    return await _listed(call, window, {"screening_id": screening_id, **wanted}, EntryOfAnybody)


async def _stored(call: Call, joined: Waiting) -> Document:
    """Return an entry once it is committed, so that its place is not lost with the server."""
    await call.flushed()
    try:
        record = await call.services.catalogue.waitlist.find(joined.entry.id)
    except NotFound as error:
        raise OwnershipLost(joined.entry.screening_id) from error
    return dump(WaitlistEntry, _shown(call, record))


async def _listed(
    call: Call, window: Window, wanted: dict[str, Any], shape: type[WaitlistEntry] = WaitlistEntry
) -> Answer:
    found = await call.services.catalogue.waitlist.listed(
        wanted,
        limit=window.limit,
        offset=window.offset,
        after=window.after(call),
        counted=window.cursor is None,
    )
    documents = dump_all(shape, [_shown(call, record) for record in found.records])
    return paged(call, window, documents, found.total, found.last)


def _shown(call: Call, record: Record) -> Record:
    """Return an entry with its holder as administrators see it, and with its offer."""
    offer = None
    if record["expires_at"] is not None:
        left = record["expires_at"].timestamp() - call.services.clock.now()
        offer = {
            "reservation_id": record["reservation_id"],
            "ticket_reservation_id": (
                f"{record['screening_id']}-{record['reservation_id']}" if record["ticket_type_id"] else None
            ),
            "seat_ids": [seat_id for seat_id in record["seat_ids"] if seat_id > 0],
            "expires_at": record["expires_at"],
            "remaining_seconds": max(0, ceil(left)),
        }
    position = record["position"] if record["status"] == WaitStatus.WAITING else None
    return {**record, "holder": shown(call, record["holder"]), "offer": offer, "position": position}
