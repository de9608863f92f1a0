"""`/api/v1/ops/screenings/{screening_id}`: releasing holds and selling seats by hand.

Both go through the engine like everything else, and the event log names the administrator as the actor.
Bookings are cancelled with `PUT /api/v1/tickets/{ticket_id}/status`, which does the same.
"""

from marshmallow import Schema, fields

from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Identifier, RequestSchema, SeatIds, text
from api.sales.holders import HOLDER, shown
from api.sales.receipts import TICKETS_CREATED
from api.sales.representations import Reservation, TicketSold, reservation_document
from api.sales.sale_rules import beyond_limit_field
from api.sales.selling import payment_field
from api.wire import holder_of
from engine import selling_errors as errors
from engine.commands import BookSeats, ReadSeats, RevokeHolds, SellSeats
from engine.errors import EngineError, NotFound
from engine.events import HoldsReleased
from engine.replies import Booked, Released
from engine.rule_errors import PersonLimitExceeded
from engine.views import SeatMap

_HOLDER_LIMIT = 300

actions = Resource("/api/v1/ops/screenings", tag="Operations")


class HoldsToRelease(RequestSchema):
    seat_ids = SeatIds(required=True, metadata={"example": [42, 43]})
    holder = text(_HOLDER_LIMIT, required=True, metadata=HOLDER)


class HoldsOver(Schema):
    """The holds that were released; those that had ended before are left out."""

    released = fields.List(fields.Nested(Reservation), required=True)


@actions.post(
    "/{screening_id}/release",
    access=Access.ADMIN,
    body=HoldsToRelease,
    answers=HoldsOver,
    refusals=(errors.ScreeningNotFound, errors.SeatsNotFound),
)
async def release_by_hand(call: Call, screening_id: int, seat_ids: tuple[int, ...], holder: str) -> Document:
    """Release the holds of one holder by hand.

    Name the holder as the hall shows it. Seats that the holder does not hold any more are ignored, so nobody
    else loses a seat. The event log names you as the actor.
    """
    seat_map: SeatMap = await call.ask(ReadSeats(screening_id))
    # What the engine calls a guest stays on the server; the alias is looked up among the seats' holders.
    holders = {seat_map.views[seat_id].holder for seat_id in seat_ids if seat_id in seat_map.views}
    name = next((known for known in holders if known and shown(call, known) == holder), holder)
    released: HoldsReleased | Released = await call.ask(
        RevokeHolds(screening_id, name, seat_ids, call.holder)
    )
    return {"released": [reservation_document(hold, "released") for hold in released.holds]}


class SaleByHand(RequestSchema):
    seat_ids = SeatIds(required=True, metadata={"example": [42, 43]})
    user_id = Identifier(
        required=True, metadata={"description": "The account that gets the tickets.", "example": 7}
    )
    payment_id = payment_field(
        {"description": "The payment, if there is one to record."}, load_default=None, allow_none=True
    )
    beyond_limit = beyond_limit_field()


@actions.post(
    "/{screening_id}/sales",
    access=Access.ADMIN,
    body=SaleByHand,
    answers=TicketSold(many=True),
    status=201,
    refusals=(
        NotFound,
        errors.ScreeningNotFound,
        errors.SeatsNotFound,
        errors.ScreeningStarted,
        errors.SeatsUnavailable,
        errors.HoldLimitExceeded,
        PersonLimitExceeded,
        errors.PaymentAlreadyUsed,
        errors.RefundRequired,
        errors.TooManyRefunds,
        errors.BookingInProgress,
    ),
    durable=True,
    receipt_form=TICKETS_CREATED,
)
async def sell_by_hand(
    call: Call,
    screening_id: int,
    seat_ids: tuple[int, ...],
    user_id: int,
    payment_id: str | None,
    beyond_limit: bool,
) -> Booked:
    """Sell seats by hand to an account.

    The seats must be free or held by that account, and need not be on sale to others. The tickets are
    confirmed, and the confirmation is sent by mail. The event log names you as the actor. Repeating the
    request with the same `payment_id` returns the same tickets. A payment that cannot be used is recorded as
    owed: `refund_required`.
    """
    await call.services.catalogue.users.find(user_id)
    holder = holder_of(user_id)
    command = SellSeats(screening_id, holder, seat_ids, call.holder, payment_id, call.receipt, beyond_limit)
    try:
        booked: Booked = await call.ask(command)
    except PersonLimitExceeded:
        raise  # the payment is still good: the administrator may repeat the request with beyond_limit
    except EngineError as refusal:
        return await call.services.box_office.reconsider(
            BookSeats(screening_id, holder, seat_ids, payment_id), refusal
        )
    return booked
