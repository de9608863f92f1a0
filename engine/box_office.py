"""Selling: what a booking means once payments, repeats and late arrivals are counted in.

A screening decides from what is in memory. Whether a payment has been used before, and whether a
caller who holds nothing any more once did, only the ledger knows; the box office asks it in the
rare cases that need it and never on the straight way.
"""

from collections.abc import Sequence
from typing import cast

from engine.commands import BookSeats, CancelTicket, ConfirmTicket
from engine.directory import ScreeningDirectory
from engine.errors import EngineError, NotFound
from engine.ports import Journal, Ledger
from engine.records import Paper, Receipt, Ticket, TicketStatus
from engine.replies import Booked, Cancelled
from engine.selling_errors import (
    NotHeld,
    PaymentAlreadyUsed,
    RefundRequired,
    ReservationNotHeld,
    ScreeningCancelled,
    SeatsUnavailable,
    TicketNotFound,
    TicketNotPending,
)

RESERVATION_PAYMENT = "reservation:"
"""How the payment ids begin under which reservations of places are bought. No caller may name one."""

_OVER = frozenset({TicketStatus.CANCELLED, TicketStatus.LAPSED})


class BoxOffice:
    """Issues, confirms and cancels tickets.

    Args:
        screenings: the directory.
        journal: for waiting until what the ledger is asked about has been written.
        ledger: committed tickets and past holds.
    """

    def __init__(self, screenings: ScreeningDirectory, journal: Journal, ledger: Ledger) -> None:
        self._screenings = screenings
        self._journal = journal
        self._ledger = ledger

    async def reconsider(self, command: BookSeats, refusal: EngineError) -> Booked:
        """What becomes of a booking that its screening has refused.

        The cinema guide's section 7: the same payment again returns the same tickets. A payment for seats
        that were held until they lapsed books them if they are still free.

        Args:
            command: the booking; `held_only` where the payment was made for seats that were held.
            refusal: why not.

        Returns:
            The tickets, committed.

        Raises:
            RefundRequired: the seats that were held and paid for are somebody else's now.
            PaymentAlreadyUsed: the payment has paid for something else.
            EngineError: the refusal, where it is the last word, or another one.
        """
        if isinstance(refusal, NotHeld | PaymentAlreadyUsed | SeatsUnavailable):
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
    ) -> Booked:
        """Turn a reservation of places into tickets; once done, the same tickets again.

        Args:
            holder: whose reservation it is, e.g. "session:…".
            owner: whose the tickets are to be, e.g. "user:7".
            screening_id: the event.
            reservation_id: the reservation.
            papers: what the tickets are issued with, one for each place.

        Returns:
            The tickets, committed.

        Raises:
            ReservationNotHeld: it is over, or it is not the holder's.
            WrongNumberOfPapers: it has more or fewer places.
            PaymentAlreadyUsed: somebody else has bought it.
            EngineError: as `BookSeats` is refused.
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
    ) -> Booked:
        """Confirm the payment of a pending ticket; the same payment again changes nothing.

        Args:
            holder: whose ticket it is.
            ticket_id: the ticket.
            payment_id: what has paid for it; None where the actor vouches for it.
            receipt: idempotency key under which the answer is kept.
            actor: who asks, if that is not the holder.

        Returns:
            The ticket, committed.

        Raises:
            TicketNotFound: the holder has no such ticket.
            TicketNotPending: it is confirmed by another payment, cancelled or lapsed.
            ScreeningStarted: it is too late.
            PaymentAlreadyUsed: the payment has paid for another booking.
        """
        ticket = await self._own_ticket(holder, ticket_id)
        if ticket.status is TicketStatus.CONFIRMED and ticket.payment_id == payment_id:
            return Booked((ticket,))
        if ticket.status is not TicketStatus.PENDING:
            raise TicketNotPending(ticket_id, ticket.status.value)
        command = ConfirmTicket(
            ticket.screening_id, holder, ticket_id, ticket.seat_id, payment_id, receipt, actor
        )
        try:
            return cast(Booked, await self._screenings.ask(command))
        except (NotFound, ScreeningCancelled) as refusal:
            # As in `cancel`: it may be over since it was read.
            ticket = await self._own_ticket(holder, ticket_id)
            if ticket.status not in _OVER:
                raise
            raise TicketNotPending(ticket_id, ticket.status.value) from refusal

    async def cancel(self, holder: str, ticket_id: int, actor: str | None = None) -> Cancelled:
        """Cancel a ticket and free its seat; cancelling it again changes nothing.

        Args:
            holder: whose ticket it is.
            ticket_id: the ticket.
            actor: who asks, if that is not the holder.

        Returns:
            The ticket, cancelled and committed.

        Raises:
            TicketNotFound: the holder has no such ticket.
            ScreeningStarted: it is too late.
        """
        ticket = await self._own_ticket(holder, ticket_id)
        if ticket.status in _OVER:
            return Cancelled(ticket)
        command = CancelTicket(ticket.screening_id, holder, ticket_id, ticket.seat_id, actor)
        try:
            return cast(Cancelled, await self._screenings.ask(command))
        except (NotFound, ScreeningCancelled):
            # It may have been cancelled since it was read: by another request of the holder, by a
            # transaction of a server that has died, or with the whole screening.
            ticket = await self._own_ticket(holder, ticket_id)
            if ticket.status not in _OVER:
                raise
            return Cancelled(ticket)

    async def _own_ticket(self, holder: str, ticket_id: int) -> Ticket:
        ticket = await self._ledger.ticket(ticket_id)
        if ticket is None or ticket.holder != holder:
            raise TicketNotFound(ticket_id)
        return ticket

    async def _repeated(self, command: BookSeats) -> Booked | None:
        """What the command's payment booked before: the same tickets, or nothing yet.

        Raises:
            PaymentAlreadyUsed: it booked something else, or for somebody else.
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
        """Let pass whose holds on the seats lapsed; whoever never had them is refused."""
        await self._journal.flushed()
        lapsed = await self._ledger.lapsed_seats(command.screening_id, command.holder, refusal.seat_ids)
        if not lapsed.issuperset(refusal.seat_ids):
            raise refusal
