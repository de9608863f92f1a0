"""`/api/v1/tickets` after the sale: administration, confirmation mails, and keys for ticket scanners."""

from typing import Any

from marshmallow import Schema, fields, validate

from api.catalogue.collection import Collection
from api.errors import TooManyAttempts
from api.papers.papers import people_on, printed_code
from api.rest.endpoint import Access, Call, Document, Resource, dump
from api.rest.fields import RequestSchema, Timestamp, identifier_in_query, text
from api.rest.paging import Page, sorting
from api.rows import Record
from api.sales.holders import holder_field, shown
from api.sales.representations import TicketSold, vouched_by_field
from api.sales.selling import PAYMENT_ID_LIMIT, find_ticket, payment_field
from engine import catalogue_errors
from engine import selling_errors as errors
from engine.records import TicketStatus

sold_tickets = Resource("/api/v1/tickets", tag="Tickets")

TRANSITIONS = {
    TicketStatus.PENDING: frozenset({TicketStatus.CONFIRMED, TicketStatus.CANCELLED}),
    TicketStatus.CONFIRMED: frozenset({TicketStatus.CANCELLED}),
}
"""Status changes open to administrators. Cancelled and lapsed tickets cannot change."""

_STATUS = validate.OneOf([status.value for status in TicketStatus])


class TicketEntry(TicketSold):
    """A ticket as administrators see it."""

    holder = holder_field()
    user_id = fields.Integer(required=True, allow_none=True)
    cancelled_at = Timestamp(required=True, allow_none=True)
    payment_deadline = Timestamp(required=True, allow_none=True)
    admitted_at = Timestamp(required=True, allow_none=True)
    vouched_by = vouched_by_field()
    sold_by = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Who has sold it or confirmed its payment; null if its holder has.",
            "example": "user:1",
        },
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why it was given away; null if it was not.", "example": "Press"},
    )


class TicketList(Page):
    status = fields.String(validate=_STATUS)
    user_id = identifier_in_query()
    screening_id = identifier_in_query()
    booking_id = identifier_in_query()
    payment_id = text(PAYMENT_ID_LIMIT)
    from_ = Timestamp(
        data_key="from", attribute="from", metadata={"description": "Booked at this time or later."}
    )
    to = Timestamp(metadata={"description": "Booked before this time."})
    date = fields.Date(metadata={"description": "Booked on this day, in the venue's time zone."})
    sort = sorting("-booked_at", "booked_at", "-price", "price")


def _shown(call: Call, record: Record) -> Record:
    services, stored = call.services, {**record, "ticket_id": record["id"]}
    return {
        **record,
        **{name: shown(call, record[name]) for name in ("holder", "sold_by")},
        "code": printed_code(stored, services.ticket_codes),
        "holder_name": people_on(stored, services.cipher).get("holder", {}).get("full_name"),
    }


collection = Collection(sold_tickets, "ticket", TicketEntry, lambda catalogue: catalogue.tickets)
collection.list(
    "/",
    TicketList,
    access=Access.ADMIN,
    name="list_all_tickets",
    doc="List all tickets.\n\nNewest first.",
    shown=_shown,
)


class StatusChange(RequestSchema):
    status = fields.String(required=True, validate=_STATUS)
    payment_id = payment_field(
        {"description": "Payment to record with a ticket that is confirmed, if there is one."},
        load_default=None,
        allow_none=True,
    )


@sold_tickets.put(
    "/{ticket_id}/status",
    access=Access.ADMIN,
    body=StatusChange,
    answers=TicketEntry,
    refusals=(
        errors.TicketNotFound,
        errors.ScreeningStarted,
        errors.ScreeningCancelled,
        catalogue_errors.IllegalStatusChange,
        errors.TicketNotPending,
        errors.PaymentAlreadyUsed,
        errors.RefundRequired,
        errors.TooManyRefunds,
        errors.BookingInProgress,
    ),
    durable=True,
)
async def update_ticket_status(call: Call, ticket_id: int, status: str, payment_id: str | None) -> Document:
    """Confirm or cancel a ticket for its holder.

    A pending ticket can be confirmed or cancelled, a confirmed one cancelled. Setting the current status
    again changes nothing. A payment that is named with `confirmed` has the same outcome as at
    `confirm-payment`: if it cannot be used, it is recorded as owed, and the response is `refund_required`.
    """
    ticket = await call.services.tickets.ticket(ticket_id)
    if ticket is None:
        raise errors.TicketNotFound(ticket_id)
    present, wanted = ticket.status, TicketStatus(status)
    paid = wanted is TicketStatus.CONFIRMED and payment_id is not None
    if paid or wanted is not present:
        if not paid and wanted not in TRANSITIONS.get(present, ()):
            raise catalogue_errors.IllegalStatusChange(ticket_id, present.value, wanted.value)
        box_office = call.services.box_office
        if wanted is TicketStatus.CONFIRMED:
            booked = await box_office.confirm(ticket.holder, ticket_id, payment_id, actor=call.holder)
            ticket_id = booked.tickets[0].id  # another one if a lapsed ticket was booked again
        else:
            await box_office.cancel(ticket.holder, ticket_id, actor=call.holder)
    return dump(TicketEntry, _shown(call, await call.services.catalogue.tickets.find(ticket_id)))


class ConfirmationSent(Schema):
    message = fields.String(required=True, metadata={"example": "The confirmation is sent to you by mail"})


@sold_tickets.post(
    "/{ticket_id}/resend",
    answers=ConfirmationSent,
    status=202,
    refusals=(
        errors.TicketNotFound,
        catalogue_errors.TicketNotConfirmed,
        catalogue_errors.NoMailAddress,
        TooManyAttempts,
    ),
)
async def resend_ticket(call: Call, ticket_id: int) -> Document:
    """Send the confirmation of a ticket again.

    The mail goes to the account's address. It contains all confirmed tickets of the booking, each with a QR
    code, and a calendar entry. The number of resends is limited.
    """
    ticket = await find_ticket(call, ticket_id, call.holder, confirmed=True)
    await call.services.mails.confirm_again(ticket.booking_id)
    return {"message": "The confirmation is sent to you by mail"}


class CodeKey(Schema):
    """A public key, as a JSON Web Key (RFC 8037) and in PEM."""

    kty = fields.String(required=True, metadata={"example": "OKP"})
    crv = fields.String(required=True, metadata={"example": "Ed25519"})
    alg = fields.String(required=True, metadata={"example": "EdDSA"})
    use = fields.String(required=True, metadata={"example": "sig"})
    x = fields.String(required=True, metadata={"description": "The key, in base64url."})
    pem = fields.String(required=True)


class CodeKeys(CodeKey):
    """The current signing key, and earlier keys that have signed codes still in circulation."""

    old_keys = fields.List(
        fields.Nested(CodeKey),
        required=True,
        metadata={"description": "Earlier keys; a code signed with any of them is valid."},
    )


@sold_tickets.get("/qr-key", access=Access.PUBLIC, answers=CodeKeys)
async def get_code_key(call: Call) -> dict[str, Any]:
    """Get the public keys for verifying ticket QR codes offline.

    A code is `FR1.<ticket id>.<screening id>.<seat id>.<signature>`, or, if the ticket was given to somebody
    else, `FR2.<ticket id>.<screening id>.<seat id>.<issue>.<signature>`. The signature covers everything
    before the last dot.
    """
    codes = call.services.ticket_codes
    return {**codes.public_jwk, "old_keys": codes.old_public_jwks}
