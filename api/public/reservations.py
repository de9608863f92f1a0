"""`/api/public/reservations`: reservations of tickets by quantity, sections 1 to 6 of the ticket guide."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.limits import Limits
from api.public.errors import (
    NotYourReservation,
    PurchaseInProgress,
    ReservationCancelled,
    ReservationConverted,
    ReservationExpired,
    ReservationNotExtendable,
    ReservationNotFound,
)
from api.public.reserving import (
    QUANTITY_LIMIT,
    ReservationOfTickets,
    active_reservation,
    error_after_refusal,
    find_active_reservation,
    find_offer,
    find_reservation,
    reservation_document,
    seconds_left,
)
from api.public.shapes import ByGuest, CamelCaseSchema, Input, ListQuery, content_of, opaque_id, session_id
from api.rest.access_codes import AccessCode
from api.rest.endpoint import Access, Call, Document, Resource
from api.rest.fields import Limited
from api.rest.paging import Window, cut
from api.rest.styles import Content
from api.rows import Offer
from api.wire import timestamp
from engine import selling_errors as errors
from engine.commands import ExtendHolds, HoldPlaces, PlaceOrder, ReleaseHolds
from engine.errors import EngineError, Unavailable
from engine.records import Hold, StoredReservation
from engine.replies import Held, Released, Reserved
from engine.rule_errors import PersonLimitExceeded

ticket_reservations = Resource("/api/public/reservations", tag="Reservations")

_NOT_OWN = (ReservationNotFound, NotYourReservation)
_OVER = (ReservationExpired, ReservationConverted, ReservationCancelled, PurchaseInProgress)


class Minutes(fields.Integer, Limited):
    """A duration requested by a guest."""

    def limit_to(self, limits: Limits) -> None:
        self.validators = [validate.Range(1, limits.guest_hold_minutes_limit)]


class UsualMinutes(Minutes):
    """A duration requested by a guest, with the server's default."""

    def limit_to(self, limits: Limits) -> None:
        super().limit_to(limits)
        self.load_default = limits.guest_hold_minutes


class Metadata(fields.Dict, Limited):
    """A JSON object stored for the client. Handlers get it serialized, as a string."""

    def limit_to(self, limits: Limits) -> None:
        self._limit_bytes = limits.guest_metadata_limit_bytes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:  # type: ignore[override]
        try:
            checked = super()._deserialize(value, attr, data, **options)  # type: ignore[no-untyped-call]
            written = orjson.dumps(checked)
        except orjson.JSONEncodeError as error:
            raise ValidationError("Nested too deeply.") from error
        if len(written) > self._limit_bytes:
            raise ValidationError(f"Must not exceed {self._limit_bytes} bytes.")
        return written.decode()


class OrderOfTickets(Input):
    """A quantity of one ticket type."""

    ticket_type_id = opaque_id(metadata={"example": "5"})
    quantity = fields.Integer(
        required=True, strict=True, validate=validate.Range(1, QUANTITY_LIMIT), metadata={"example": 2}
    )


class Orders(fields.List[Any], Limited):
    """The orders of a bulk request."""

    def limit_to(self, limits: Limits) -> None:
        self.validators = [validate.Length(1, limits.guest_reservations_per_request_limit)]


class Order(NamedTuple):
    """A requested reservation."""

    ticket_type_id: str
    quantity: int


class NewReservations(Input):
    """A single order, or several orders that all succeed or all fail."""

    exactly_one = ("ticketTypeId", "reservations")

    ticket_type_id = fields.String(validate=validate.Length(1, 64), metadata={"example": "5"})
    quantity = fields.Integer(
        strict=True, validate=validate.Range(1, QUANTITY_LIMIT), metadata={"example": 2}
    )
    reservations = Orders(fields.Nested(OrderOfTickets))
    session_id = session_id()
    expiration_minutes = UsualMinutes(strict=True, metadata={"example": 10})
    access_code = AccessCode()
    metadata = Metadata(
        keys=fields.String(), metadata={"description": "Stored and returned unchanged.", "example": {}}
    )

    @validates_schema
    def _require_one_form(self, data: dict[str, Any], **_: Any) -> None:
        if ("ticket_type_id" in data) == ("reservations" in data):
            raise ValidationError("Give either ticketTypeId or reservations.", "ticketTypeId")
        if ("ticket_type_id" in data) != ("quantity" in data):
            raise ValidationError("Give quantity together with ticketTypeId.", "quantity")

    @post_load
    def _as_orders(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        together = "reservations" in data
        orders = data.pop("reservations") if together else [data]
        orders = [Order(order["ticket_type_id"], order["quantity"]) for order in orders]
        rest = {name: data[name] for name in data if name not in ("ticket_type_id", "quantity")}
        return {**rest, "orders": orders, "together": together}


class ReservationsOfTickets(CamelCaseSchema):
    """The reservations made: `reservation` for a single order, `reservations` for several."""

    reservation = fields.Nested(ReservationOfTickets)
    reservations = fields.List(fields.Nested(ReservationOfTickets))
    expires_at = fields.AwareDateTime(required=True, format="iso")
    remaining_seconds = fields.Integer(required=True, metadata={"example": 600})


@ticket_reservations.post(
    "",
    access=Access.GUEST,
    body=NewReservations,
    answers=ReservationsOfTickets,
    status=201,
    creates=True,
    refusals=(
        errors.TicketTypeNotFound,
        errors.ScreeningStarted,
        errors.SalesClosed,
        errors.OrderLimitExceeded,
        errors.NotEnoughTickets,
        errors.HoldLimitExceeded,
        errors.GuestLimitExceeded,
        errors.HoldLifeSpent,
        PersonLimitExceeded,
    ),
    access_code=True,
)
async def reserve_tickets(
    call: Call, orders: Sequence[Order], together: bool, expiration_minutes: int, metadata: str | None = None
) -> Content:
    """Reserve tickets.

    `reservations` reserves several ticket types, of one or more events, all or nothing. `expirationMinutes`
    is an upper bound: the server may expire a reservation earlier, by its own limits.
    """
    buyer = call.buyer
    offers = [await call.services.offers.find(order.ticket_type_id, call.identity) for order in orders]
    made = await _hold_all(call, buyer, orders, offers, expiration_minutes * 60.0, metadata)
    documents = [
        reservation_document(call, reservation, offer)
        for reservation, offer in zip(made, offers, strict=True)
    ]
    if together:
        return Content(
            {"reservations": documents, **_deadline(call, made)}, "Reservations created successfully"
        )
    return Content({"reservation": documents[0], **_deadline(call, made)}, "Reservation created successfully")


class ReservationList(ListQuery, ByGuest):
    """A page of a guest's reservations."""


@ticket_reservations.get(
    "", access=Access.GUEST, query=ReservationList, answers=ReservationOfTickets(many=True), listed=True
)
async def list_ticket_reservations(call: Call, window: Window) -> Content:
    """List the caller's active reservations, newest first."""
    buyer = call.buyer
    await call.flushed()
    live, total = await call.services.reservations.live_reservations(
        buyer,
        call.services.clock.now(),
        limit=window.limit + 1,
        offset=window.offset,
        before_id=window.before_id(call),
    )
    shown, last = cut(live, window, lambda reservation: reservation.reservation_id)
    documents = [
        reservation_document(call, reservation, await find_offer(call, reservation)) for reservation in shown
    ]
    return content_of(call, window, documents, total, last)


@ticket_reservations.get(
    "/{reservation_id:text}",
    access=Access.GUEST,
    query=ByGuest,
    answers=ReservationOfTickets,
    refusals=_NOT_OWN,
)
async def get_ticket_reservation(call: Call, reservation_id: str) -> Document:
    """Get one of the caller's reservations, active or not."""
    reservation = await find_reservation(call, reservation_id)
    return reservation_document(call, reservation, await find_offer(call, reservation))


@ticket_reservations.delete(
    "/{reservation_id:text}",
    access=Access.GUEST,
    query=ByGuest,
    body=ByGuest,
    body_optional=True,
    answers=ReservationOfTickets,
    message="Reservation cancelled successfully",
    refusals=(*_NOT_OWN, *_OVER),
)
async def cancel_ticket_reservation(call: Call, reservation_id: str) -> Document:
    """Cancel a reservation. Its tickets become available immediately.

    Clients that cannot send a body may give the session id in the query.
    """
    present = await find_active_reservation(call, reservation_id)
    offer = await find_offer(call, present)
    command = ReleaseHolds(present.screening_id, call.buyer, None, present.reservation_id)
    try:
        released: Released = await call.ask(command)
    except errors.ReservationNotHeld as error:
        raise await error_after_refusal(call, reservation_id) from error
    if not released.holds:
        raise PurchaseInProgress
    return reservation_document(call, active_reservation(released.holds)._replace(status="released"), offer)


class MoreTime(ByGuest):
    additional_minutes = Minutes(required=True, strict=True, metadata={"example": 5})


@ticket_reservations.patch(
    "/{reservation_id:text}",
    access=Access.GUEST,
    body=MoreTime,
    answers=ReservationsOfTickets,
    message="Reservation extended successfully",
    refusals=(*_NOT_OWN, *_OVER, ReservationNotExtendable, errors.ScreeningStarted),
)
async def extend_ticket_reservation(call: Call, reservation_id: str, additional_minutes: int) -> Document:
    """Extend a reservation.

    The number of extensions and the total duration are limited.
    """
    present = await find_active_reservation(call, reservation_id)
    offer = await find_offer(call, present)
    command = ExtendHolds(
        present.screening_id, call.buyer, (), additional_minutes * 60.0, present.reservation_id
    )
    try:
        held: Held = await call.ask(command)
    except errors.ExtensionLimitReached as error:
        raise ReservationNotExtendable(error.reason) from error
    except (errors.ReservationNotHeld, errors.NotHeld) as error:
        raise await error_after_refusal(call, reservation_id) from error
    extended = active_reservation(held.holds)
    return {"reservation": reservation_document(call, extended, offer), **_deadline(call, [extended])}


async def _hold_all(
    call: Call,
    buyer: str,
    orders: Sequence[Order],
    offers: Sequence[Offer],
    hold_seconds: float,
    note: str | None,
) -> list[StoredReservation]:
    """Hold all orders, event by event. If one event refuses, release the holds of the others and raise.

    Events are processed in the order of their ids, so that if two guests want the last tickets of the same
    two events, one of them gets both.
    """
    by_event: defaultdict[int, list[int]] = defaultdict(list)
    for number, offer in enumerate(offers):
        by_event[offer.event_id].append(number)
    made: dict[int, tuple[Hold, ...]] = {}
    try:
        for event_id, numbers in sorted(by_event.items()):
            places = tuple(
                PlaceOrder(offers[number].ticket_type_id, orders[number].quantity) for number in numbers
            )
            answer: Reserved = await call.ask(
                HoldPlaces(event_id, buyer, places, hold_seconds, note, call.guest_network, call.access)
            )
            made |= zip(numbers, answer.reservations, strict=True)
    except EngineError:
        await asyncio.gather(*(_give_back(call, holds[0]) for holds in made.values()))
        raise
    return [active_reservation(made[number]) for number in range(len(orders))]


async def _give_back(call: Call, hold: Hold) -> None:
    """Release a reservation. If the engine is unavailable, the reservation expires instead."""
    try:
        await call.ask(ReleaseHolds(hold.screening_id, hold.holder, None, hold.reservation_id))
    except (errors.ReservationNotHeld, Unavailable):
        return


def _deadline(call: Call, reservations: Sequence[StoredReservation]) -> Mapping[str, Any]:
    """Return the fields for the earliest expiry among active reservations."""
    first = min(reservations, key=lambda reservation: reservation.expires_at)
    return {
        "expiresAt": timestamp(first.expires_at),
        "remainingSeconds": seconds_left(first, call.services.clock.now()),
    }
