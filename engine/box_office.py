"""Sells tickets where a screening's state in memory is not enough: repeated, late and reused payments.

Only the ledger knows whether a payment has been used before, and whether a caller's hold has expired. The box
office asks it in the rare cases that need it, never for an ordinary booking.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from engine.commands import BookSeats, CancelTicket, CancelTickets, Command, ConfirmTicket
from engine.errors import EngineError, NotFound
from engine.ports import Flushing, Ledger
from engine.records import Paper, Receipt, Ticket, TicketStatus
from engine.replies import Booked, Cancelled
from engine.selling_errors import (
    NotHeld,
    PaymentAlreadyUsed,
    PriceChanged,
    RefundRequired,
    ReservationNotHeld,
    ScreeningCancelled,
    SeatsUnavailable,
    TicketNotFound,
    TicketNotPending,
)

RESERVATION_PAYMENT = "reservation:"
"""Prefix of the payment ids of purchased reservations. Callers must not use it."""

_OVER = frozenset({TicketStatus.CANCELLED, TicketStatus.LAPSED})


class Screenings(Protocol):
    """Where commands are sent: `engine.directory.ScreeningDirectory`, or those of a whole cluster."""

    async def ask(self, command: Command) -> Any:
        """Return the command's reply. Raises EngineError."""


class BoxOffice:
    """Issues, confirms and cancels tickets.

    Args:
        screenings: all of them.
        flushing: waits until what the ledger is asked about has been written.
        ledger: committed tickets and past holds.
    """

    def __init__(self, screenings: Screenings, flushing: Flushing, ledger: Ledger) -> None:
        self._screenings = screenings
        self._flushing = flushing
        self._ledger = ledger

    async def reconsider(self, command: BookSeats, refusal: EngineError) -> Booked:
        """Check whether a booking that its screening has rejected succeeds after all.

        The cinema guide's section 7: the same payment again returns the same tickets. A payment for seats
        whose hold has expired books them if they are still free.

        Args:
            command: the booking; `held_only` if the payment was made for held seats.
            refusal: the screening's error.

        Returns:
            The tickets, committed.

        Raises:
            RefundRequired: the seats were paid for, but somebody else has them now.
            PaymentAlreadyUsed: the payment was used for another booking.
            EngineError: the refusal stands, or the booking was rejected for another reason.
        """
        if isinstance(refusal, NotHeld | PaymentAlreadyUsed | SeatsUnavailable | PriceChanged):
            if repeated := await self._repeated(command):
                return repeated
        if not command.held_only:
            raise refusal
        if isinstance(refusal, SeatsUnavailable):
            raise RefundRequired(refusal) from refusal
        if not isinstance(refusal, NotHeld):
            raise refusal
        await self._require_lapsed(command, refusal)
        late = command._replace(held_only=False)
        try:
            return cast(Booked, await self._screenings.ask(late))
        except EngineError as again:
            try:
                return await self.reconsider(late, again)
            except SeatsUnavailable as unavailable:
                raise RefundRequired(unavailable) from unavailable

    async def purchase(
        self,
        holder: str,
        owner: str,
        screening_id: int,
        reservation_id: int,
        papers: Sequence[Paper],
        expected_total_cents: int | None = None,
    ) -> Booked:
        """Buy a reservation of places; a repeated purchase returns the same tickets.

        Args:
            holder: who has the reservation, e.g. "session:…".
            owner: who gets the tickets, e.g. "user:7".
            screening_id: the event.
            reservation_id: the reservation.
            papers: content of the tickets, one for each place.
            expected_total_cents: as in `BookSeats`.

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
            held_only=True,
            reservation_id=reservation_id,
            owner=owner,
            papers=tuple(papers),
            expected_total_cents=expected_total_cents,
        )
        try:
            return cast(Booked, await self._screenings.ask(command))
        except (ReservationNotHeld, PaymentAlreadyUsed):
            tickets = await self._ledger.tickets_of_payment(command.payment_id or "")
            if tickets and all(ticket.holder == owner for ticket in tickets):
                return Booked(tuple(tickets))
            raise

    async def confirm(
        self,
        holder: str,
        ticket_id: int,
        payment_id: str | None,
        receipt: Receipt | None = None,
        actor: str | None = None,
        expected_total_cents: int | None = None,
    ) -> Booked:
        """Confirm the payment of a pending ticket; the same payment again changes nothing.

        Args:
            holder: who has the ticket.
            ticket_id: the ticket.
            payment_id: the payment; None if the actor confirms it by hand.
            receipt: idempotency key under which the answer is stored.
            actor: who confirms it, if that is not the holder.
            expected_total_cents: as in `ConfirmTicket`.

        Returns:
            The ticket, committed.

        Raises:
            TicketNotFound: the holder has no such ticket.
            TicketNotPending: it is confirmed by another payment, cancelled or lapsed.
            ScreeningStarted: sales are closed.
            PaymentAlreadyUsed: the payment was used for another booking.
        """
        ticket = await self._own_ticket(holder, ticket_id)
        if ticket.status is TicketStatus.CONFIRMED and ticket.payment_id == payment_id:
            return Booked((ticket,))
        if ticket.status is not TicketStatus.PENDING:
            raise TicketNotPending(ticket_id, ticket.status.value)
        command = ConfirmTicket(
            *(ticket.screening_id, holder, ticket_id, ticket.seat_id, payment_id, receipt, actor),
            expected_total_cents,
        )
        try:
            return cast(Booked, await self._screenings.ask(command))
        except (NotFound, ScreeningCancelled) as refusal:
            # As in `cancel`: it may have been cancelled or have lapsed since it was read.
            ticket = await self._own_ticket(holder, ticket_id)
            if ticket.status not in _OVER:
                raise
            raise TicketNotPending(ticket_id, ticket.status.value) from refusal

    async def cancel(self, holder: str, ticket_id: int, actor: str | None = None) -> Cancelled:
        """Cancel a ticket and free its seat; cancelling it again changes nothing.

        Args:
            holder: who has the ticket.
            ticket_id: the ticket.
            actor: who cancels it, if that is not the holder.

        Returns:
            The cancelled ticket, committed.

        Raises:
            TicketNotFound: the holder has no such ticket.
            ScreeningStarted: sales are closed.
        """
        ticket = await self._own_ticket(holder, ticket_id)
        if ticket.status in _OVER:
            return Cancelled(ticket)
        command = CancelTicket(ticket.screening_id, holder, ticket_id, ticket.seat_id, actor)
        try:
            return cast(Cancelled, await self._screenings.ask(command))
        except (NotFound, ScreeningCancelled):
            # It may have been cancelled since it was read: by another request, by a transaction of a server
            # that has died, or together with the screening.
            ticket = await self._own_ticket(holder, ticket_id)
            if ticket.status not in _OVER:
                raise
            return Cancelled(ticket)

    async def cancel_all(self, holder: str, ticket_ids: Sequence[int], actor: str | None = None) -> None:
        """Cancel tickets of one screening in one step, all or none; those that are cancelled stay so.

        Args:
            holder: who has the tickets.
            ticket_ids: the tickets, each once.
            actor: who cancels them, if that is not the holder.

        Raises:
            TicketNotFound: the holder has not all of these tickets.
            ScreeningStarted: sales are closed.
        """
        live = await self._live_tickets(holder, ticket_ids)
        if len(live) < 2:
            for ticket in live:
                await self.cancel(holder, ticket.id, actor)
            return
        ids, seat_ids = zip(*[(ticket.id, ticket.seat_id) for ticket in live], strict=True)
        try:
            await self._screenings.ask(CancelTickets(live[0].screening_id, holder, ids, seat_ids, actor))
        except (NotFound, ScreeningCancelled):
            # As in `cancel`: some may have been cancelled since they were read.
            if len(await self._live_tickets(holder, ids)) == len(ids):
                raise
            await self.cancel_all(holder, ids, actor)

    async def _live_tickets(self, holder: str, ticket_ids: Sequence[int]) -> list[Ticket]:
        tickets = [await self._own_ticket(holder, ticket_id) for ticket_id in ticket_ids]
        return [ticket for ticket in tickets if ticket.status not in _OVER]

    async def _own_ticket(self, holder: str, ticket_id: int) -> Ticket:
        ticket = await self._ledger.ticket(ticket_id)
        if ticket is None or ticket.holder != holder:
            raise TicketNotFound(ticket_id)
        return ticket

    async def _repeated(self, command: BookSeats) -> Booked | None:
        """The tickets that the command's payment has booked before; None if it was not used.

        Raises:
            PaymentAlreadyUsed: it was used for other seats or by another holder.
        """
        if command.payment_id is None:
            return None
        tickets = await self._ledger.tickets_of_payment(command.payment_id)
        if not tickets:
            return None
        by_seat = {ticket.seat_id: ticket for ticket in tickets}
        same = (
            tickets[0].screening_id == command.screening_id
            and tickets[0].holder == command.holder
            and by_seat.keys() == set(command.seat_ids)
        )
        if not same:
            raise PaymentAlreadyUsed(command.payment_id)
        return Booked(tuple(by_seat[seat_id] for seat_id in dict.fromkeys(command.seat_ids)))

    async def _require_lapsed(self, command: BookSeats, refusal: NotHeld) -> None:
        """Raise `refusal` unless the holder's holds on the seats have expired."""
        await self._flushing.flushed(command.screening_id)
        lapsed = await self._ledger.lapsed_seats(command.screening_id, command.holder, refusal.seat_ids)
        if not lapsed.issuperset(refusal.seat_ids):
            raise refusal
