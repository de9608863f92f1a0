"""Shared by all sales of tickets: who buys, the payment field, and tickets by id."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError, fields, validate

from api.errors import InvalidInput
from api.identity.errors import AccountRequired, ServiceRequired
from api.identity.tokens import FIRST_GUEST_ID
from api.papers.papers import people_on, printed_code
from api.rest.endpoint import Call
from api.rest.fields import Identifier, Total, printable
from api.sales.representations import ticket_document
from api.wire import holder_of, timestamp
from engine.catalogue_errors import TicketNotConfirmed
from engine.door import TicketIssue
from engine.purchases import RESERVATION_PAYMENT
from engine.records import Ticket, TicketStatus
from engine.selling_errors import TicketNotFound
from engine.vouching import COUNTER_PAYMENT, VOUCHED_PAYMENT

PAYMENT_ID_LIMIT = 255

PAYMENTS_SERVICE = "payments"
"""The service that books, confirms and cancels for users."""


def customer_field() -> Identifier:
    """The user that a service acts for."""
    return Identifier(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The user to act for; required with a service's token, and only for it.",
            "example": 7,
        },
    )


def customer(call: Call, user_id: int | None) -> str:
    """Return the holder for whom the caller buys: the caller, or the user that a service names.

    Args:
        call: the request.
        user_id: the user that it names.

    Raises:
        InvalidInput: a service names nobody.
        ServiceRequired: a user names somebody else.
        AccountRequired: it is a guest, and only users can buy.
    """
    identity = call.caller
    if not identity.service:
        if user_id not in (None, identity.user_id):
            raise ServiceRequired
        call.require_buyer()
        return call.holder
    if user_id is None:
        raise InvalidInput({"user_id": ["Name the user that the service acts for."]})
    if user_id >= FIRST_GUEST_ID and not call.services.guest_purchase:
        raise AccountRequired
    return holder_of(user_id)


async def require_known(call: Call, holder: str) -> None:
    """Check that a user whom a service names has an account, or has reserved or bought something here.

    If another service issues the tokens, the users are only known there, and nothing is checked.

    Raises:
        InvalidInput: there is no such user.
    """
    if not call.services.tokens.issues or await call.services.reservations.knows(holder):
        return
    await call.flushed()
    if not await call.services.reservations.knows(holder):
        raise InvalidInput({"user_id": ["There is no such user."]})


def service_of(call: Call) -> str | None:
    """Return the holder name of the calling service; None if the caller is a user."""
    return call.holder if call.caller.service else None


def is_unvouched(call: Call) -> bool:
    """Return whether tickets must wait until a provider or a service vouches for the caller's payment."""
    return call.services.vouched_only and not (call.identity and call.identity.service)


async def find_ticket(call: Call, ticket_id: int, holder: str, *, confirmed: bool = False) -> Ticket:
    """Return a holder's ticket.

    Args:
        call: the request.
        ticket_id: the ticket.
        holder: who must hold it.
        confirmed: whether it must be confirmed.

    Raises:
        TicketNotFound: the holder has no such ticket.
        TicketNotConfirmed: it is not confirmed.
    """
    ticket = await call.services.tickets.ticket(ticket_id)
    if ticket is None or ticket.holder != holder:
        raise TicketNotFound(ticket_id)
    if confirmed and ticket.status is not TicketStatus.CONFIRMED:
        raise TicketNotConfirmed(ticket_id, ticket.status.value)
    return ticket


async def shown_tickets(call: Call, tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Return the documents of tickets as they are now: with their codes, and who has them."""
    issues = await call.services.tickets.issues([ticket.id for ticket in tickets])
    return [_shown(call, ticket, issues.get(ticket.id, TicketIssue())) for ticket in tickets]


def _shown(call: Call, ticket: Ticket, issue: TicketIssue) -> dict[str, Any]:
    services, stored = call.services, stored_with(ticket, issue)
    document = ticket_document(ticket) | {
        "code": printed_code(stored, services.ticket_codes),
        "holder_name": people_on(stored, services.cipher).get("holder", {}).get("full_name"),
    }
    if issue.admitted_at is not None:
        document["admitted_at"] = timestamp(issue.admitted_at.timestamp())
    return document


def stored_with(ticket: Ticket, issue: TicketIssue) -> dict[str, Any]:
    """Return what is stored with a ticket, as `api.papers.papers` reads it."""
    return {
        "ticket_id": ticket.id,
        "code": ticket.code,
        "paper": ticket.paper,
        "issue": issue.number,
        "given_to": issue.given_to,
    }


def payment_field(metadata: Mapping[str, str] | None = None, **options: Any) -> fields.String:
    """A payment id; see `validate_payment_id`."""
    example = {"example": "stripe_pi_1234567890"}
    return fields.String(validate=_PAYMENT_ID_CHECKS, metadata={**example, **(metadata or {})}, **options)


def expected_total_field(example: float = 47.97) -> Total:
    """The field for the sum that the buyer has agreed to pay."""
    description = (
        "The sum that the buyer agreed to pay. If the tickets cost another sum, the request is refused: with "
        "`price_changed`, or `refund_required` if it names a payment. Reserved tickets cost what they did "
        "when they were reserved."
    )
    return Total(
        load_default=None, allow_none=True, metadata={"example": example, "description": description}
    )


def _validate_unreserved(payment_id: str) -> None:
    for prefix in (RESERVATION_PAYMENT, VOUCHED_PAYMENT, COUNTER_PAYMENT):
        if payment_id.startswith(prefix):
            raise ValidationError(f"Must not begin with {prefix}")


_PAYMENT_ID_CHECKS: tuple[Callable[[str], Any], ...] = (
    validate.Length(1, PAYMENT_ID_LIMIT),
    printable,
    _validate_unreserved,
)


def validate_payment_id(payment_id: str) -> None:
    """Raise ValidationError unless it is 1 to 255 printable characters without a prefix that is reserved."""
    for check in _PAYMENT_ID_CHECKS:
        check(payment_id)
