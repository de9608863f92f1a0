"""`/api/public/reservations/{id}/purchase`: turns a reservation into tickets, section 7 of the ticket guide.

The personal data of buyers and ticket holders is encrypted, per ticket, before it leaves this module; no
other module sees it in plain text.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.errors import InvalidInput
from api.identity.errors import AccountRequired, NotAuthenticated
from api.papers.cipher import Cipher
from api.papers.papers import new_paper, people_on, printed_code
from api.papers.ticket_codes import CodeContents, TicketCodes
from api.papers.ticket_pictures import TicketPicture
from api.public.errors import (
    NotYourReservation,
    ReservationCancelled,
    ReservationConverted,
    ReservationExpired,
    ReservationNotFound,
)
from api.public.phones import Phone
from api.public.reserving import (
    QUANTITY_LIMIT,
    ReservationOfTickets,
    error_after_refusal,
    find_offer,
    find_reservation,
    reservation_document,
)
from api.public.shapes import ByGuest, CamelCaseSchema, Input, identifier
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Timestamp, email_address, text
from api.sales.selling import expected_total_field, is_unvouched, stored_with
from api.wire import cents_or_none, counted, holder_of, price, timestamp
from engine import selling_errors as errors
from engine.commands import PlaceOrder
from engine.door import TicketIssue
from engine.places import ticket_type_of
from engine.records import Ticket, TicketStatus
from engine.rule_errors import PersonLimitExceeded

_BODY_LIMIT_BYTES = 128 * 1024

purchases = Resource("/api/public", tag="Reservations")

_IDENTITY_TYPE = re.compile(r"[^\W_][\w .-]*")


def _validate_identity_type(text: str) -> None:
    """Validate with a function instead of `Regexp`, because `\\w` is ASCII-only in OpenAPI's ECMAScript."""
    if not _IDENTITY_TYPE.fullmatch(text):
        raise ValidationError("Must consist of letters, digits, spaces, dots and hyphens.")


class PersonDetails(Input):
    """A buyer or a ticket holder."""

    full_name = text(200, required=True, metadata={"example": "Ada Example"})
    identity_type = fields.String(
        required=True,
        validate=[validate.Length(1, 40), _validate_identity_type],
        metadata={
            "description": "Type of identity document: letters and digits of any script, spaces, dots, "
            "hyphens.",
            "example": "passport",
        },
    )
    identity_number = text(40, required=True, metadata={"example": "C01X00T47"})
    email = email_address(required=True)
    whatsapp = Phone(required=True, metadata={"example": "+49 228 1234567"})


class PurchaseDetails(ByGuest):
    buyer_info = fields.Nested(PersonDetails, required=True)
    ticket_holders = fields.List(
        fields.Nested(PersonDetails),
        required=True,
        validate=validate.Length(1, QUANTITY_LIMIT),
        metadata={"description": "One for each ticket."},
    )
    expected_total = expected_total_field(51.0)


class TicketHolder(CamelCaseSchema):
    full_name = fields.String(required=True, allow_none=True)


def _picture() -> fields.String:
    return fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The QR code as a data: URI; null while the ticket is pending."},
    )


class TicketOfReservation(CamelCaseSchema):
    """A purchased ticket."""

    id = identifier("2001")
    code = fields.String(required=True, metadata={"example": "7K4M-2XPD-9RTA-CW3E"})
    status = fields.String(required=True, validate=validate.OneOf([s.value.upper() for s in TicketStatus]))
    ticket_type_id = identifier("5")
    price = fields.Float(required=True, metadata={"example": 25.5})
    booked_at = fields.AwareDateTime(required=True, format="iso")
    holder = fields.Nested(TicketHolder, required=True)
    payment_deadline = Timestamp(
        metadata={"description": "When a pending ticket lapses unless it is paid; only pending ones have it."}
    )
    qr_code = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Text of the QR code; see `GET /api/v1/tickets/qr-key`. Null while the ticket is "
            "pending."
        },
    )
    qr_code_png = _picture()
    qr_code_svg = _picture()


class Purchase(CamelCaseSchema):
    reservation = fields.Nested(ReservationOfTickets, required=True)
    tickets = fields.List(fields.Nested(TicketOfReservation), required=True)
    total_price = fields.Float(required=True, metadata={"example": 51.0})


@purchases.post(
    "/reservations/{reservation_id:text}/purchase",
    access=Access.GUEST,
    body=PurchaseDetails,
    body_limit_bytes=_BODY_LIMIT_BYTES,
    answers=Purchase,
    status=201,
    durable=True,
    encrypted=True,
    message="Tickets purchased successfully",
    refusals=(
        NotAuthenticated,
        AccountRequired,
        ReservationNotFound,
        NotYourReservation,
        ReservationExpired,
        ReservationCancelled,
        ReservationConverted,
        errors.ScreeningStarted,
        errors.PriceChanged,
        errors.BookingInProgress,
        PersonLimitExceeded,
    ),
)
async def purchase_reservation(
    call: Call,
    reservation_id: str,
    buyer_info: Mapping[str, str],
    ticket_holders: Sequence[Mapping[str, str]],
    expected_total: Decimal | None,
) -> Document:
    """Purchase a reservation: turn it into tickets, one for each ticket holder.

    Requires a user's token, unless the server allows guests to buy. The tickets belong to that user.
    Purchasing the same reservation again returns the same tickets. Servers can be set to sell as many tickets
    that are still available if the reservation has ended.
    """
    if call.identity is None and not call.services.guest_purchase:
        raise NotAuthenticated
    call.require_buyer()
    owner = holder_of(call.identity.user_id) if call.identity else call.buyer
    present = await find_reservation(call, reservation_id)
    offer = await find_offer(call, present)
    if present.status == "active":
        _require_holder_per_ticket(present.quantity, ticket_holders)
    expected_cents = cents_or_none(expected_total)
    if expected_cents is None and present.price_cents is not None:
        expected_cents = present.price_cents * present.quantity
    sale = call.services.box_office.purchase(
        call.buyer,
        owner,
        present.screening_id,
        present.reservation_id,
        [
            new_paper(call.services.cipher, buyer_info, holder, call.accepted_language)
            for holder in ticket_holders
        ],
        PlaceOrder(present.ticket_type_id, present.quantity),
        expected_cents,
        unvouched=is_unvouched(call),
    )
    try:
        tickets = (await sale).tickets
    except errors.WrongNumberOfPapers as error:
        raise _wrong_number(error.tickets) from error
    except errors.PaymentAlreadyUsed as error:
        raise ReservationConverted from error
    except errors.ReservationNotHeld as error:
        raise await error_after_refusal(call, reservation_id) from error
    issues = await call.services.tickets.issues([ticket.id for ticket in tickets])
    bought = await call.services.workers.run(
        ticket_documents, tickets, issues, call.services.cipher, call.services.ticket_codes
    )
    return {
        "reservation": reservation_document(call, present._replace(status="converted"), offer),
        "tickets": bought,
        "totalPrice": price(sum(ticket.price_cents for ticket in tickets)),
    }


def _require_holder_per_ticket(quantity: int, ticket_holders: Sequence[object]) -> None:
    if len(ticket_holders) != quantity:
        raise _wrong_number(quantity)


def _wrong_number(quantity: int) -> InvalidInput:
    tickets = counted(quantity, "ticket")
    return InvalidInput({"ticketHolders": [f"The reservation has {tickets}; name one person for each."]})


def ticket_documents(
    tickets: Sequence[Ticket], issues: Mapping[int, TicketIssue], cipher: Cipher, codes: TicketCodes
) -> list[dict[str, Any]]:
    """Return the response documents of tickets. Takes milliseconds per ticket; run it in a worker."""
    return [_ticket_document(ticket, issues[ticket.id], cipher, codes) for ticket in tickets]


def _ticket_document(
    ticket: Ticket, issue: TicketIssue, cipher: Cipher, codes: TicketCodes
) -> dict[str, Any]:
    stored = stored_with(ticket, issue)
    # Its name is unknown if it was encrypted with a key that is no longer in use.
    holder = people_on(stored, cipher).get("holder", {})
    document: dict[str, Any] = {
        "id": str(ticket.id),
        "code": printed_code(stored, codes),
        "status": ticket.status.value.upper(),
        "ticketTypeId": str(ticket_type_of(ticket.seat_id)),
        "price": price(ticket.price_cents),
        "bookedAt": timestamp(ticket.booked_at),
        "holder": {"fullName": holder.get("full_name")},
    }
    if ticket.payment_deadline is not None:
        # It admits nobody before it is paid for.
        deadline = timestamp(ticket.payment_deadline)
        return document | {
            "paymentDeadline": deadline,
            "qrCode": None,
            "qrCodePng": None,
            "qrCodeSvg": None,
        }
    code = codes.code(code_contents(ticket, issue))
    picture = TicketPicture(code)
    return document | {
        "qrCode": code,
        "qrCodePng": picture.data_uri("png"),
        "qrCodeSvg": picture.data_uri("svg"),
    }


def code_contents(ticket: Ticket, issue: TicketIssue) -> CodeContents:
    """Return what the QR code of a ticket says."""
    return CodeContents(ticket.id, ticket.screening_id, ticket.seat_id, issue.number)
