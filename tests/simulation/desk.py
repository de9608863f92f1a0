"""The endpoints of a simulated server, which execute a request once per idempotency key and per payment."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import orjson

from api.bodies import Body
from api.rest.endpoint import Answer
from api.rest.idempotency import IdempotencyKeys, KeyedAnswer
from api.sales.receipts import encode_reply
from api.services import KeyedRequest
from cluster.screenings import RoutedScreenings
from engine.box_office import BoxOffice
from engine.commands import BookSeats, CancelTicket, Command, JoinWaitlist, LeaveWaitlist, PlaceOrder
from engine.errors import EngineError, OwnershipLost, is_final
from engine.movers import MoveOrder, Movers
from engine.ports import Flushing
from engine.records import Paper
from engine.replies import Booked, Moved, Waiting
from engine.selling_errors import RefundRequired, SeatsUnavailable
from engine.vouched_payments import VouchedPayments
from persistence.connector import Connector
from persistence.ledger import PostgresLedger
from persistence.store import WAITING
from tests.simulation.queries import PUBLISH_LAYOUT

UNVOUCHED_REFUNDS_LIMIT = 1000


class BuyReservation(NamedTuple):
    """Buy a reservation of places, as the public API does; no payment is named."""

    screening_id: int
    holder: str
    reservation_id: int
    order: PlaceOrder
    papers: tuple[Paper, ...]


class ChangeLayout(NamedTuple):
    """Give the room of a screening another number of seats, unless somebody has one that is removed."""

    screening_id: int
    seats: int


class VouchedBooking(NamedTuple):
    """Book for a payment of which a payments service says what it has brought."""

    booking: BookSeats
    received_cents: int


Request = Command | BuyReservation | MoveOrder | ChangeLayout | VouchedBooking


class Desk:
    """Carries requests out.

    Args:
        screenings: all of them.
        flushing: waits until what the ledger is asked about has been written.
        connector: the database.
        keys: answers by idempotency key.
    """

    def __init__(
        self, screenings: RoutedScreenings, flushing: Flushing, connector: Connector, keys: IdempotencyKeys
    ) -> None:
        self._screenings = screenings
        self._flushing = flushing
        self._connector = connector
        self._keys = keys
        ledger = PostgresLedger(connector, UNVOUCHED_REFUNDS_LIMIT)
        self._box_office = BoxOffice(screenings, flushing, ledger)
        self._vouched = VouchedPayments(self._box_office, screenings, ledger)
        self._movers = Movers(screenings, flushing, ledger, self._box_office)

    async def ask(self, request: Request) -> Any:
        """Carry a request out.

        Returns:
            The reply; to a booking or a move with a key the response.
        """
        match request:
            case BookSeats(receipt=None):
                return await self._booked(request)
            case BookSeats():
                return await self._once(request, partial(self._answered, request))
            case CancelTicket():
                return await self._box_office.cancel(request.holder, request.ticket_id)
            case BuyReservation(screening_id, holder, reservation_id, order, papers):
                return await self._box_office.purchase(
                    holder, holder, screening_id, reservation_id, papers, order
                )
            case MoveOrder(receipt=None):
                return await self._movers.move(request)
            case MoveOrder():
                return await self._once(request, partial(self._answered, request))
            case VouchedBooking():
                return await self._vouched.book(*request)
            case ChangeLayout():
                return await self._screenings.change_all(
                    (request.screening_id,), partial(self._publish, request)
                )
            case JoinWaitlist():
                return await self._joined(request)
            case LeaveWaitlist():
                left = await self._screenings.ask(request)
                await self._flushing.flushed()
                return left
        return await self._screenings.ask(request)

    async def _publish(self, request: ChangeLayout) -> None:
        if taken := await self._connector.run(PUBLISH_LAYOUT, request):
            raise SeatsUnavailable((), [seat_id for (seat_id,) in taken])

    async def _joined(self, request: JoinWaitlist) -> Waiting:
        """Answer when the entry is stored, as the endpoint does."""
        joined: Waiting = await self._screenings.ask(request)
        await self._flushing.flushed()
        rows = await self._connector.run(WAITING, (request.screening_id,))
        if joined.entry.id not in [row[0] for row in rows]:
            raise OwnershipLost(request.screening_id)
        return joined

    async def _once(
        self, request: BookSeats | MoveOrder, answered: Callable[[], Awaitable[KeyedAnswer]]
    ) -> Answer:
        assert request.receipt is not None
        scope, key, fingerprint, _ = request.receipt
        return await self._keys.once(KeyedRequest(scope, key, fingerprint), answered)

    async def _booked(self, command: BookSeats) -> Booked:
        """Book, or find out what a repeated or late payment comes to."""
        try:
            booked: Booked = await self._screenings.ask(command)
        except EngineError as refusal:
            booked = await self._box_office.reconsider(command, refusal)
        return booked

    async def _answered(self, request: BookSeats | MoveOrder) -> KeyedAnswer:
        """Answer a booking or a move; what may be repeated is raised."""
        assert request.receipt is not None
        reply: Booked | Moved
        try:
            if isinstance(request, MoveOrder):
                reply = await self._movers.move(request)
            else:
                reply = await self._booked(request)
        except EngineError as refusal:
            if not is_final(refusal):
                raise
            said = {"code": refusal.code, **taken_by_others(refusal)}
            return KeyedAnswer(Answer(409, Body(orjson.dumps(said))), final=True)
        status, body = encode_reply(request.receipt.form, reply)
        return KeyedAnswer(Answer(status, Body(body)), final=True)


def taken_by_others(refusal: Exception) -> dict[str, list[int]]:
    """Return the seats that others have, if a refusal names them."""
    if isinstance(refusal, SeatsUnavailable | RefundRequired):
        return {"held": list(refusal.held), "booked": list(refusal.booked)}
    return {}
