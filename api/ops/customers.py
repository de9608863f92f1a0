"""Customers for whom an administrator reserves or sells seats: an account, a new guest, or their holder."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.errors import InvalidInput
from api.papers.papers import new_paper
from api.rest.endpoint import Call
from api.rest.fields import Identifier, RequestSchema, SeatIds, Trimmed, email_address, text
from api.sales.holders import HOLDER, shown
from api.sales.sale_rules import beyond_limit_field
from api.wire import holder_of
from engine.commands import PlaceOrder, ReadSeats
from engine.errors import EngineError, is_final
from engine.records import Paper
from engine.views import SeatMap

HOLDER_LIMIT = 300
QUANTITY_LIMIT = 100
NAME_LIMIT = 200

_UNKNOWN_HOLDER = (
    "Nobody of this name has one of these seats. Name an account with user_id, or a new guest with guest."
)

_UNKNOWN_OWNER = "Nobody of this name has one of these seats. Leave it out to take free seats."


class NewGuest(RequestSchema):
    """A customer without an account. Mails about the tickets are sent to the address, if there is one."""

    full_name = Trimmed(NAME_LIMIT, required=True, metadata={"example": "Ada Byron"})
    email = email_address(load_default=None, allow_none=True)


class ForCustomer(RequestSchema):
    """Seats or tickets by quantity, and who gets them: exactly one of `user_id`, `guest` and `holder`."""

    exactly_one = ("user_id", "guest", "holder")

    seat_ids = SeatIds(metadata={"description": "Seats of a screening.", "example": [42, 43]})
    ticket_type_id = Identifier(
        metadata={"description": "With `quantity`, instead of seats: tickets of an event."}
    )
    quantity = fields.Integer(
        strict=True,
        validate=validate.Range(1, QUANTITY_LIMIT),
        metadata={"description": "How many tickets of the type."},
    )
    user_id = Identifier(metadata={"description": "The account that gets them.", "example": 7})
    guest = fields.Nested(NewGuest)
    holder = text(
        HOLDER_LIMIT,
        metadata={**HOLDER, "description": "Who has some of the seats already, as the hall shows it."},
    )
    take_over = text(
        HOLDER_LIMIT,
        load_default=None,
        metadata={
            **HOLDER,
            "description": "Whose reservations of these seats pass to the customer, as the hall shows it. "
            "What has been agreed to be paid stays.",
        },
    )

    beyond_limit = beyond_limit_field()

    @validates_schema
    def _require_one_customer(self, data: dict[str, Any], **_: Any) -> None:
        if sum(name in data for name in self.exactly_one) != 1:
            raise ValidationError("Give exactly one of user_id, guest and holder.", "user_id")
        if ("seat_ids" in data) == ("ticket_type_id" in data):
            raise ValidationError("Give either seat_ids or ticket_type_id with quantity.", "seat_ids")
        if ("ticket_type_id" in data) != ("quantity" in data):
            raise ValidationError("Give quantity together with ticket_type_id.", "quantity")
        if "quantity" in data:
            for name in ("holder", "take_over", "payment_id"):
                if data.get(name) is not None:
                    raise ValidationError("Only for seats.", name)

    @post_load
    def _order(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        kind_id, quantity = data.pop("ticket_type_id", None), data.pop("quantity", 0)
        order = None if kind_id is None else PlaceOrder(kind_id, quantity)
        return {**data, "seat_ids": data.get("seat_ids", ()), "order": order}


async def holder_behind(call: Call, screening_id: int, seat_ids: Sequence[int], name: str) -> str | None:
    """Return who has one of some seats and is shown as `name`; None if nobody is.

    What the engine calls a guest stays on the server, so an alias is looked up among the seats' holders.
    """
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    holders = {seat_map.views[seat_id].holder for seat_id in seat_ids if seat_id in seat_map.views}
    return next((known for known in holders if known and shown(call, known) == name), None)


async def holder_before(
    call: Call,
    screening_id: int,
    seat_ids: Sequence[int],
    take_over: str | None,
    user_id: int | None = None,
    holder: str | None = None,
    **_: object,
) -> str | None:
    """Return whose reservations a request takes over; None if there is nothing to take over.

    Args:
        call: the request.
        screening_id: the screening.
        seat_ids: the seats that the customer gets.
        take_over, user_id, holder: as in `ForCustomer`.

    Raises:
        InvalidInput: nobody of this name has one of the seats. It is not raised if the customer has all of
            them, so that a request can be repeated.
    """
    if take_over is None:
        return None
    if (known := await holder_behind(call, screening_id, seat_ids, take_over)) is not None:
        return known
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    views = [view for seat_id in seat_ids if (view := seat_map.views.get(seat_id)) is not None]
    owners = {view.holder for view in views}
    owner = owners.pop() if len(owners) == 1 else None
    name = owner and (owner if user_id is not None else shown(call, owner))
    if name is None or name != (holder if user_id is None else holder_of(user_id)):
        raise InvalidInput({"take_over": [_UNKNOWN_OWNER]})
    return None


@asynccontextmanager
async def customer_of(
    call: Call,
    screening_id: int,
    seat_ids: Sequence[int],
    user_id: int | None = None,
    guest: Mapping[str, str | None] | None = None,
    holder: str | None = None,
) -> AsyncIterator[str]:
    """Yield the holder that a request names. A new guest is forgotten again if the engine refuses.

    Args:
        call: the request.
        screening_id: the screening.
        seat_ids: the seats that the customer gets.
        user_id, guest, holder: as in `ForCustomer`; one of them.

    Raises:
        NotFound: there is no such account.
        InvalidInput: nobody of this name has one of the seats.
    """
    if user_id is not None:
        await call.services.catalogue.users.find(user_id)
        yield holder_of(user_id)
    elif guest is not None:
        guests = call.services.guests
        guest_id = await guests.register(guest["full_name"] or "", guest["email"])
        try:
            yield holder_of(guest_id)
        except EngineError as refusal:
            if is_final(refusal):
                await guests.forget(guest_id)
            raise
    else:
        known = await holder_behind(call, screening_id, seat_ids, holder or "")
        if known is None:
            raise InvalidInput({"holder": [_UNKNOWN_HOLDER]})
        yield known


async def papers_of(
    call: Call,
    number: int,
    user_id: int | None = None,
    guest: Mapping[str, str | None] | None = None,
    holder: str | None = None,
) -> tuple[Paper, ...]:
    """Return the papers of tickets of an event: the customer is the buyer and the holder of all of them.

    Args:
        call: the request.
        number: number of tickets.
        user_id, guest, holder: as in `ForCustomer`.
    """
    person = guest or await call.services.catalogue.users.find(user_id or 0)
    named = {"full_name": person["full_name"], "email": person["email"]}
    return tuple([new_paper(call.services.cipher, named, named, None) for _ in range(number)])
