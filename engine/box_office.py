"""Selling: what a booking means once payments, repeats and late arrivals are counted in.

A screening decides from what is in memory. Whether a payment has been used before, and whether a
caller who holds nothing any more once did, only the ledger knows; the box office asks it in the
rare cases that need it and never on the straight way.
"""

from collections.abc import Sequence
from typing import cast

from engine.commands import BookSeats, CancelTicket, ConfirmTicket
from engine.directory import Screenings
from engine.errors import (
    NotHeld,
    PaymentAlreadyUsed,
    RefundRequired,
    ReservationNotHeld,
    SeatsUnavailable,
    TicketNotFound,
    TicketNotPending,
)
from engine.ports import Journal, Ledger
from engine.records import Paper, Receipt, Ticket, TicketStatus
from engine.replies import Booked, Cancelled

RESERVATION_PAYMENT = "reservation:"
"""How the payment ids begin under which reservations of places are bought. No caller may name one."""


class BoxOffice:
    """Issues, confirms and cancels tickets.

    Args:
        screenings: the directory.
        journal: for waiting until what the ledger is asked about has been written.
        ledger: committed tickets and past holds.
    """

    def __init__(self, screenings: Screenings, journal: Journal, ledger: Ledger) -> None:
        self._screenings = screenings
        self._journal = journal
        self._ledger = ledger

    async def book(
        self,
        holder: str,
        screening_id: int,
        seat_ids: Sequence[int],
        payment_id: str | None = None,
        payment_pending: bool = False,
        receipt: Receipt | None = None,
    ) -> Booked:
        """Book seats that are free or held by the holder.

        Args:
            holder: e.g. "user:7".
            screening_id: the screening.
            seat_ids: the seats.
            payment_id: what pays for it; repeated, it gives the same tickets again.
            payment_pending: issue tickets that wait for `confirm`.
            receipt: idempotency key under which the answer is kept.

        Returns:
            The tickets, committed.

        Raises:
            PaymentAlreadyUsed: the payment has paid for something else.
            EngineError: as `BookSeats` is refused.
        """
        command = BookSeats(
            screening_id, holder, tuple(seat_ids), payment_id, payment_pending, receipt=receipt
        )
        try:
            return cast(Booked, await self._screenings.ask(command))
        except (PaymentAlreadyUsed, SeatsUnavailable):
            if repeated := await self._repeated(command):
                return repeated
            raise

    async def book_from_reservation(
        self,
        holder: str,
        screening_id: int,
        seat_ids: Sequence[int],
        payment_id: str,
        receipt: Receipt | None = None,
    ) -> Booked:
        """Book the seats that the holder holds, or held until they lapsed, for a payment made.

        The cinema guide's section 7: the same payment again returns the same tickets. A payment that
        arrives after the hold has lapsed books the seats if they are still free.

        Args:
            holder: e.g. "user:7".
            screening_id: the screening.
            seat_ids: the seats.
            payment_id: what has paid for it.
            receipt: idempotency key under which the answer is kept.

        Returns:
            The tickets, committed.

        Raises:
            RefundRequired: the seats are somebody else's now.
            NotHeld: the holder never held the seats, or gave them back.
            PaymentAlreadyUsed: the payment has paid for something else.
            EngineError: as `BookSeats` is refused.
        """
        command = BookSeats(
            screening_id, holder, tuple(seat_ids), payment_id, held_only=True, receipt=receipt
        )
        try:
            try:
                return cast(Booked, await self._screenings.ask(command))
            except NotHeld as refusal:
                if repeated := await self._repeated(command):
                    return repeated
                await self._require_lapsed(command, refusal)
                return cast(Booked, await self._screenings.ask(command._replace(held_only=False)))
        except PaymentAlreadyUsed:
            if repeated := await self._repeated(command):
                return repeated
            raise
        except SeatsUnavailable as unavailable:
            if repeated := await self._repeated(command):
                return repeated
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
        return cast(Booked, await self._screenings.ask(command))

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
        if ticket.status in (TicketStatus.CANCELLED, TicketStatus.LAPSED):
            return Cancelled(ticket)
        command = CancelTicket(ticket.screening_id, holder, ticket_id, ticket.seat_id, actor)
        return cast(Cancelled, await self._screenings.ask(command))

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
