"""`PATCH /api/v1/tickets/{id}`: gives a ticket to somebody else; and the history of a ticket.

The database decides, as it does at the door: a transfer changes no seat, and transfers and scans of a ticket
exclude each other at its row. The new holder has a new code; the earlier one is void.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from api.errors import ApiError
from api.papers.papers import given_to_person, people_on, person_given
from api.rest.endpoint import Access, Call, Document, Resource, dump_all
from api.rest.fields import RequestSchema, Timestamp, Trimmed, email_address
from api.rows import Record
from api.sales.holders import holder_field, shown
from api.sales.representations import TicketSold
from api.sales.selling import shown_tickets, stored_with
from engine import selling_errors as errors
from engine.catalogue_errors import TicketNotConfirmed
from engine.records import Ticket

TRANSFERS_LIMIT = 50
"""Most times that a ticket can be given to somebody else, since mails are sent each time."""

NAME_LIMIT = 200
_ATTEMPTS = 3

ticket_transfers = Resource("/api/v1/tickets", tag="Tickets")


class TransfersClosed(ApiError):
    """The organiser does not let owners give tickets away, or it is over."""

    status, code = 409, "transfers_closed"
    detail = "Owners cannot give these tickets to others (any more); an administrator can"


class TransferLimitReached(ApiError):
    """The ticket has been given away too often."""

    status, code = 409, "transfer_limit_reached"
    detail = f"A ticket can be given to somebody else at most {TRANSFERS_LIMIT} times"


class TransferInterrupted(ApiError):
    """Others give the same ticket away at the same time."""

    status, code = 409, "transfer_interrupted"
    detail = "The ticket is being given to somebody else; look at it, and try again"


class Transfer(RequestSchema):
    holder_name = Trimmed(
        NAME_LIMIT,
        required=True,
        metadata={"description": "Who has the ticket from now on.", "example": "Grace Hopper"},
    )
    holder_email = email_address(load_default=None, allow_none=True)


@ticket_transfers.patch(
    "/{ticket_id}",
    body=Transfer,
    answers=TicketSold,
    refusals=(
        errors.TicketNotFound,
        TicketNotConfirmed,
        errors.TicketAdmitted,
        TransfersClosed,
        TransferLimitReached,
        TransferInterrupted,
    ),
    durable=True,
)
async def give_ticket(call: Call, ticket_id: int, holder_name: str, holder_email: str | None) -> Document:
    """Give a ticket to another person.

    The ticket keeps its seat and its owner, who may still cancel it, and gets a new `code` and QR code; the
    earlier ones are void. The new ticket is sent to the owner and to `holder_email`, if there is one; the
    former holder is told. Repeating the request changes nothing. Owners may do this until the ticket was used
    at the door or the screening is over, if `transfers_allowed` of the screening or event says so;
    administrators always may.
    """
    ticket = await call.services.tickets.ticket(ticket_id)
    if ticket is None or (ticket.holder != call.holder and not call.admin):
        raise errors.TicketNotFound(ticket_id)

    async def write() -> Document:
        for _ in range(_ATTEMPTS):
            if await _has(call, ticket, holder_name, holder_email):
                (document,) = await shown_tickets(call, [ticket])
                return document
        raise TransferInterrupted

    return await call.kept(write)


async def _has(call: Call, ticket: Ticket, name: str, email: str | None) -> bool:
    """Give a ticket to a person who does not have it yet. Returns False if somebody else has just done so."""
    services = call.services
    issue = (await services.tickets.issues([ticket.id]))[ticket.id]
    present = people_on(stored_with(ticket, issue), services.cipher).get("holder", {})
    if present.get("full_name") == name and email in (None, present.get("email")):
        return True
    if issue.number >= TRANSFERS_LIMIT:
        raise TransferLimitReached
    person = given_to_person({"full_name": name, "email": email}, ticket.id, services.cipher)
    outcome, admitted_at = await services.tickets.give(
        ticket.id, issue.number, person, call.holder, by_hand=call.admin
    )
    if outcome == TicketNotConfirmed.code:
        present_ticket = await services.tickets.ticket(ticket.id)
        raise TicketNotConfirmed(ticket.id, (present_ticket or ticket).status.value)
    if outcome == errors.TicketAdmitted.code:
        raise errors.TicketAdmitted(ticket.id, admitted_at or 0.0)
    if outcome == TransfersClosed.code:
        raise TransfersClosed
    return outcome == "given"


class TicketEvent(Schema):
    """Something that has happened to a ticket."""

    at = Timestamp(required=True)
    kind = fields.String(
        required=True, validate=validate.OneOf(("sold", "moved", "given", "cancelled", "admitted"))
    )
    by = holder_field()
    screening_id = fields.Integer(
        required=True,
        metadata={"description": "The screening or event that it was for then.", "example": 123},
    )
    seat_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Its seat then; null for events.", "example": 42},
    )
    holder_name = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "To whom it was given; null for other kinds.", "example": "Grace Hopper"},
    )


@ticket_transfers.get(
    "/{ticket_id}/history",
    access=Access.ADMIN,
    answers=TicketEvent(many=True),
    refusals=(errors.TicketNotFound,),
)
async def get_ticket_history(call: Call, ticket_id: int) -> Document:
    """List what has become of a ticket, and who did it.

    Oldest first: its sale, moves, transfers, scans at the door that were accepted, and its cancellation.
    """
    found = await call.services.tickets.history(ticket_id)
    if not found:
        raise errors.TicketNotFound(ticket_id)
    return dump_all(TicketEvent, [_event(call, ticket_id, record) for record in found])


def _event(call: Call, ticket_id: int, record: Record) -> dict[str, Any]:
    given_to, seat_id = record["given_to"], record["seat_id"]
    person = person_given(given_to, ticket_id, call.services.cipher) if given_to else {}
    return {
        **record,
        "by": shown(call, record["by"]),
        "seat_id": seat_id if seat_id > 0 else None,
        "holder_name": person.get("full_name"),
    }
