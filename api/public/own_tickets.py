"""`/api/public/tickets`: the caller's tickets as a page shows them, with QR codes and calendar entries.

They are tickets for seats as well as for events. The caller is a user, a guest with a token, or a session.
"""

from functools import partial
from typing import Any

from marshmallow import fields, validate

from api.bodies import Body
from api.mails.bookings import bookings_of
from api.mails.calendar_entry import MEDIA_TYPE as CALENDAR
from api.mails.calendar_entry import calendar_of
from api.mails.languages import words_in
from api.papers.papers import people_on, printed_code
from api.papers.ticket_pictures import MEDIA_TYPES, TicketPicture
from api.public.purchases import code_contents
from api.public.shapes import SIZE_LIMIT, ByGuest, CamelCaseSchema, ListQuery, identifier, listed_content
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.fields import Money, Timestamp
from api.rest.local_times import LocalTime, TimeZoneName
from api.rest.paging import Window
from api.rest.styles import Content
from api.rows import Record
from api.sales.selling import find_ticket
from engine import selling_errors as errors
from engine.catalogue_errors import TicketNotConfirmed
from engine.places import ticket_type_of
from engine.records import TicketStatus

own_tickets = Resource("/api/public/tickets", tag="Guests")


def _of_screening(record: dict[str, Any]) -> str | None:
    return None if record["event_id"] else str(record["screening_id"])


def _seat(record: dict[str, Any]) -> str | None:
    return None if record["event_id"] else str(record["seat_id"])


def _ticket_type(record: dict[str, Any]) -> str | None:
    return str(ticket_type_of(record["seat_id"])) if record["event_id"] else None


class ShownTicket(CamelCaseSchema):
    """A ticket with everything that its holder wants to know."""

    id = identifier("2001", attribute="ticket_id")
    booking_id = identifier("2001")
    status = fields.String(required=True, validate=validate.OneOf([status.value for status in TicketStatus]))
    title = fields.String(required=True, metadata={"example": "Brass and Thunder"})
    place = fields.String(required=True, allow_none=True, metadata={"example": "Row A, seat 1"})
    room = fields.String(required=True, allow_none=True, attribute="room_name")
    venue = fields.String(required=True, allow_none=True, attribute="cinema_name")
    address = fields.String(required=True)
    starts_at = Timestamp(required=True, allow_none=True)
    ends_at = Timestamp(required=True, allow_none=True)
    time_zone = TimeZoneName(required=True)
    starts_at_local = LocalTime("starts_at", allow_none=True)
    ends_at_local = LocalTime("ends_at", allow_none=True)
    moved_from = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "When it was to begin as the ticket was bought; null if that is the same."},
    )
    called_off = fields.Boolean(
        required=True, metadata={"description": "Whether the venue has cancelled the screening."}
    )
    price = Money(required=True)
    code = fields.String(
        required=True,
        metadata={"description": "Printed under the QR code.", "example": "7K4M-2XPD-9RTA-CW3E"},
    )
    holder_name = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Who has it, if that is known: the person named at the purchase of an event's "
            "ticket, or the last one to whom it was given.",
            "example": "Grace Hopper",
        },
    )
    payment_deadline = Timestamp(
        required=True, allow_none=True, metadata={"description": "When a pending ticket lapses."}
    )
    admitted_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it was used at the door."}
    )
    screening_id = fields.Function(
        _of_screening, required=True, metadata={"type": ["string", "null"], "description": "Null for events."}
    )
    event_id = fields.String(
        required=True, allow_none=True, metadata={"description": "Only event tickets have one."}
    )
    seat_id = fields.Function(
        _seat, required=True, metadata={"type": ["string", "null"], "description": "Null for events."}
    )
    ticket_type_id = fields.Function(
        _ticket_type,
        required=True,
        metadata={"type": ["string", "null"], "description": "Only event tickets have one."},
    )


class OwnTickets(ListQuery, ByGuest):
    """A page of the caller's tickets."""


@own_tickets.get("", access=Access.GUEST, query=OwnTickets, answers=ShownTicket(many=True), listed=True)
async def list_shown_tickets(call: Call, window: Window) -> Content:
    """List the caller's tickets with title, place and time, newest booking first."""
    rows = call.services.catalogue.shown_tickets
    return await listed_content(
        call, window, rows, {"holder": call.buyer}, ShownTicket, shown=partial(_shown, call)
    )


def _shown(call: Call, record: Record) -> Record:
    holder = people_on(record, call.services.cipher).get("holder", {})
    return {
        **record,
        "code": printed_code(record, call.services.ticket_codes),
        "holder_name": holder.get("full_name"),
    }


@own_tickets.get(
    "/{ticket_id}/calendar.ics",
    access=Access.GUEST,
    query=ByGuest,
    media_type="text/calendar",
    refusals=(errors.TicketNotFound, TicketNotConfirmed),
)
async def get_ticket_calendar(call: Call, ticket_id: int) -> Answer:
    """Get a calendar entry for the booking of one of the caller's tickets (RFC 5545).

    It is in the first language of `Accept-Language` that mails have, and replaces earlier entries.
    """
    ticket = await find_ticket(call, ticket_id, call.buyer, confirmed=True)
    wanted = {"holder": call.buyer, "booking_id": ticket.booking_id, "status": TicketStatus.CONFIRMED.value}
    records, _ = await call.services.catalogue.shown_tickets.page(wanted, limit=SIZE_LIMIT, offset=0)
    if not records:
        raise errors.TicketNotFound(ticket_id)
    services, site = call.services, call.services.site
    bookings = bookings_of(records, services.ticket_codes, services.cipher)
    booking = next(booking for booking in bookings if booking.screening_id == ticket.screening_id)
    words = words_in(call.accepted_language or site.language)
    content = calendar_of(booking.visit(words, site.currency, site.sender))
    disposition = f'attachment; filename="booking-{ticket.booking_id}.ics"'
    return Answer(200, Body(content), {"Content-Disposition": disposition}, media_type=CALENDAR)


def _declare_picture(kind: str) -> None:
    async def picture(call: Call, ticket_id: int) -> Answer:
        ticket = await find_ticket(call, ticket_id, call.buyer, confirmed=True)
        issues = await call.services.tickets.issues([ticket_id])
        code = call.services.ticket_codes.code(code_contents(ticket, issues[ticket_id]))
        drawn = await call.services.workers.run(lambda: TicketPicture(code).drawn(kind))
        return Answer(200, Body(drawn, compressible=kind == "svg"), media_type=MEDIA_TYPES[kind])

    picture.__name__ = f"get_ticket_{kind}"
    picture.__doc__ = f"Get the QR code of one of the caller's tickets, as {kind.upper()}."
    own_tickets.get(
        f"/{{ticket_id}}/qr.{kind}",
        access=Access.GUEST,
        query=ByGuest,
        media_type=MEDIA_TYPES[kind],
        refusals=(errors.TicketNotFound, TicketNotConfirmed),
    )(picture)


for _kind in MEDIA_TYPES:
    _declare_picture(_kind)
