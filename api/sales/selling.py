"""What all sales of tickets share: what pays for them, and the confirmation by mail that follows."""

from collections.abc import Awaitable, Mapping
from typing import Any

from marshmallow import ValidationError, fields

from api.rest.endpoint import Call
from api.rest.fields import text
from engine.box_office import RESERVATION_PAYMENT
from engine.guards import attempt
from engine.replies import Booked

PAYMENT_ID_LIMIT = 255


async def confirmed(call: Call, sale: Awaitable[Booked]) -> Booked:
    """The tickets of a sale, of which the confirmation is on its way (see `confirm_soon`)."""
    begun_at = call.services.clock.now()
    return confirm_soon(call, begun_at, await sale)


def confirm_soon(call: Call, begun_at: float, booked: Booked) -> Booked:
    """Have the confirmation of a sale sent by mail, unless its tickets were confirmed before.

    Args:
        call: the request that sells.
        begun_at: when the sale began, in seconds since the Unix epoch.
        booked: what was sold; it is returned as it is.
    """
    ticket = booked.tickets[0]
    if ticket.confirmed_at is not None and ticket.confirmed_at >= begun_at:
        # The tickets are sold, whatever becomes of the mail about them.
        attempt(call.services.confirmations.send_soon, ticket.booking_id)
    return booked


def payment_field(metadata: Mapping[str, str] | None = None, **options: Any) -> fields.String:
    """What pays for tickets: any text but those under which reservations of tickets are bought."""
    example = {"example": "stripe_pi_1234567890"}
    field = text(PAYMENT_ID_LIMIT, metadata={**example, **(metadata or {})}, **options)
    field.validators.append(_no_reservation)
    return field


def _no_reservation(payment_id: str) -> None:
    if payment_id.startswith(RESERVATION_PAYMENT):
        raise ValidationError(f"Must not begin with {RESERVATION_PAYMENT}.")
