"""Buys reservations of places, for which no payment is named: the public API's `purchase`."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from engine.commands import BookSeats, Command, HoldPlaces, PlaceOrder, ReleaseHolds
from engine.errors import EngineError, is_final
from engine.ports import Ledger
from engine.records import Paper
from engine.replies import Booked, Reserved
from engine.selling_errors import PaymentAlreadyUsed, ReservationNotHeld, WrongNumberOfPapers

RESERVATION_PAYMENT = "reservation:"
"""Prefix of the payment ids of purchased reservations. Callers must not use it."""

_PURCHASE_SECONDS = 60.0
"""Time for which the places of a late purchase are held until they are booked."""


class Screenings(Protocol):
    """Handles commands: `engine.directory.ScreeningDirectory`, or the screenings of a whole cluster."""

    async def ask(self, command: Command) -> Any:
        """Return the command's reply. Raises EngineError."""


class Purchases:
    """Buys reservations.

    Args:
        screenings: all of them.
        ledger: committed tickets.
        rebooks: True if a reservation that has ended can be bought while there are still enough places.
    """

    def __init__(self, screenings: Screenings, ledger: Ledger, *, rebooks: bool) -> None:
        self._screenings = screenings
        self._ledger = ledger
        self._rebooks = rebooks

    async def purchase(
        self,
        holder: str,
        owner: str,
        screening_id: int,
        reservation_id: int,
        papers: Sequence[Paper],
        order: PlaceOrder,
        expected_total_cents: int | None = None,
        *,
        unvouched: bool = False,
    ) -> Booked:
        """Buy a reservation of places; a repeated purchase returns the same tickets.

        Args:
            holder: who has the reservation, e.g. "session:…".
            owner: who gets the tickets, e.g. "user:7".
            screening_id: the event.
            reservation_id: the reservation.
            papers: content of the tickets, one for each place.
            order: what was reserved.
            expected_total_cents: as in `BookSeats`; what was agreed, if the reservation has ended.
            unvouched: as in `BookSeats`.

        Returns:
            The tickets, committed.

        Raises:
            ReservationNotHeld: it has ended, or is not the holder's.
            WrongNumberOfPapers: it has more or fewer places than there are papers.
            PaymentAlreadyUsed: somebody else has bought it.
            EngineError: `BookSeats` was rejected.
        """
        command = BookSeats(
            screening_id,
            holder,
            (),
            f"{RESERVATION_PAYMENT}{screening_id}-{reservation_id}",
            reservation_id=reservation_id,
            owner=owner,
            papers=tuple(papers),
            expected_total_cents=expected_total_cents,
            unvouched=unvouched,
        )
        try:
            return cast(Booked, await self._screenings.ask(command))
        except (ReservationNotHeld, PaymentAlreadyUsed) as refusal:
            if repeated := await self._purchased(command):
                return repeated
            if not self._rebooks or isinstance(refusal, PaymentAlreadyUsed):
                raise
            return await self._purchase_late(command, order, refusal)

    async def _purchased(self, command: BookSeats) -> Booked | None:
        """The tickets of an earlier purchase of the same reservation by the same owner."""
        tickets = await self._ledger.tickets_of_payment(command.payment_id or "")
        own = tickets and all(ticket.holder == command.owner for ticket in tickets)
        return Booked(tuple(tickets)) if own else None

    async def _purchase_late(self, command: BookSeats, order: PlaceOrder, refusal: EngineError) -> Booked:
        """Buy places again whose reservation has ended, if there are still enough.

        Raises:
            WrongNumberOfPapers: as `purchase`.
            EngineError: `refusal`, or what may be repeated.
        """
        if len(command.papers) != order.quantity:
            raise WrongNumberOfPapers(order.quantity, len(command.papers))
        screening_id, holder = command.screening_id, command.holder
        hold = HoldPlaces(screening_id, holder, (order,), _PURCHASE_SECONDS)
        try:
            held = cast(Reserved, await self._screenings.ask(hold))
        except EngineError as error:
            raise (refusal if is_final(error) else error) from error
        reservation_id = held.reservations[0][0].reservation_id
        try:
            return cast(Booked, await self._screenings.ask(command._replace(reservation_id=reservation_id)))
        except EngineError as error:
            if is_final(error):
                await self._screenings.ask(ReleaseHolds(screening_id, holder, reservation_id=reservation_id))
                if repeated := await self._purchased(command):
                    return repeated
            raise
