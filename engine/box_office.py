"""Sells tickets where a screening's state in memory is not enough: repeated, late and unusable payments.

Only the ledger knows whether a payment has been used before. The box office asks it in the rare cases that
need it, never for an ordinary booking. A payment ends in tickets or in a refund that the ledger has recorded
as owed before the caller hears of it; docs/payments.md has the table of all outcomes.
"""

from collections.abc import Sequence
from typing import cast

from engine.commands import (
    BookSeats,
    CancelTicket,
    CancelTickets,
    ConfirmTicket,
)
from engine.door import kept_from_the_door
from engine.errors import EngineError, NotFound, is_final
from engine.ports import Flushing, Ledger
from engine.purchases import RESERVATION_PAYMENT, Purchases, Screenings
from engine.records import Receipt, Ticket, TicketStatus, UnusablePayment
from engine.replies import Booked, Cancelled
from engine.selling_errors import (
    BookingInProgress,
    NotHeld,
    PaymentAlreadyUsed,
    PriceChanged,
    RefundRequired,
    ScreeningCancelled,
    TicketNotFound,
    TicketNotPending,
)
from engine.vouching import COUNTER_PAYMENT, vouched_by

_OVER = frozenset({TicketStatus.CANCELLED, TicketStatus.LAPSED})


class BoxOffice:
    """Issues, confirms and cancels tickets.

    Args:
        screenings: all of them.
        flushing: waits until what the ledger is asked about has been written.
        ledger: committed tickets and refunds.
        rebooks: True if a payment that comes after its hold has ended still gets the seats if they are free.

    Attributes:
        purchase: buys a reservation of places; see `engine.purchases`.
    """

    def __init__(
        self, screenings: Screenings, flushing: Flushing, ledger: Ledger, *, rebooks: bool = False
    ) -> None:
        self._screenings = screenings
        self._flushing = flushing
        self._ledger = ledger
        self._rebooks = rebooks
        self.purchase = Purchases(screenings, ledger, rebooks=rebooks).purchase

    async def written(self) -> None:
        """Return when everything that was decided before this call is written, or never will be.

        Raises:
            StoreUnavailable: that takes too long.
        """
        await self._flushing.flushed()

    async def reconsider(self, command: BookSeats, refusal: EngineError) -> Booked:
        """Find the outcome of a booking that its screening has rejected.

        The cinema guide's section 7: the same payment again returns the same tickets, with their present
        status, whatever has happened to the screening. A payment that cannot be used is recorded as owed.

        Args:
            command: the booking; `held_only` if the payment was made for held seats.
            refusal: the screening's error.

        Returns:
            The tickets, committed.

        Raises:
            RefundRequired: the seats were paid for, but cannot be booked; the refund is recorded.
            PaymentAlreadyUsed: the payment was used for another booking.
            TooManyRefunds: they cannot be booked, and no refund can be recorded.
            EngineError: the refusal stands: nothing was paid, or the request may be repeated.
        """
        return await self._reconsidered(command, refusal, held=command.held_only)

    async def _reconsidered(self, command: BookSeats, refusal: EngineError, *, held: bool) -> Booked:
        """As `reconsider`; `held` if the payment was made for held seats."""
        if command.payment_id is None or not is_final(refusal):
            raise refusal
        if repeated := await self._repeated(command):
            return repeated
        if isinstance(refusal, PaymentAlreadyUsed):
            refund = await self._ledger.refund(command.payment_id)
            if refund is None or refund.holder != command.holder:
                raise refusal
            raise RefundRequired(refund, refusal) from refusal
        if command.payment_pending or command.payment_id.startswith(COUNTER_PAYMENT):
            raise refusal  # nothing has been paid yet, or the money is still on the counter
        screening_id, holder, seat_ids = command[:3]
        await self._flushing.flushed(screening_id)
        agreed_cents = await self._ledger.agreed_price(screening_id, holder, seat_ids, held=held)
        if self._rebooks and isinstance(refusal, NotHeld):
            late = command._replace(held_only=False, late=True)
            if late.expected_total_cents is None:
                late = late._replace(expected_total_cents=agreed_cents)
            try:
                return cast(Booked, await self._screenings.ask(late))
            except EngineError as again:
                return await self._reconsidered(late, again, held=held)
        unusable = UnusablePayment(
            *(command.payment_id, screening_id, holder),
            _paid(agreed_cents, command.expected_total_cents),
            refusal.code,
            vouched_by=vouched_by(command.actor, command.payment_id),
            seat_ids=seat_ids,
        )
        try:
            await self._refund(unusable, refusal)
        except PaymentAlreadyUsed:
            # The same payment has come twice at once, and the other request was not refused.
            if repeated := await self._repeated(command):
                return repeated
            raise
        raise refusal

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
            The ticket, committed. A new one if it had lapsed and its seat could be booked again.

        Raises:
            TicketNotFound: the holder has no such ticket.
            RefundRequired: the payment cannot confirm it; the refund is recorded.
            PaymentAlreadyUsed: the payment was used for another booking.
            TooManyRefunds: the payment cannot confirm it, and no refund can be recorded.
            TicketNotPending, ScreeningStarted: it cannot be confirmed by hand.
        """
        ticket = await self.own_ticket(holder, ticket_id)
        if ticket.status is TicketStatus.CONFIRMED and ticket.payment_id == payment_id:
            return Booked((ticket,))
        refusal: EngineError = TicketNotPending(ticket_id, ticket.status.value)
        if ticket.status is TicketStatus.PENDING:
            command = ConfirmTicket(
                *(ticket.screening_id, holder, ticket_id, ticket.seat_id, payment_id, receipt, actor),
                expected_total_cents,
            )
            try:
                return cast(Booked, await self._screenings.ask(command))
            except (NotFound, ScreeningCancelled) as error:
                # As in `cancel`: it may have been cancelled or have lapsed since it was read.
                ticket = await self.own_ticket(holder, ticket_id)
                if ticket.status not in _OVER:
                    raise refusal_of(error, [ticket]) from error
                refusal = TicketNotPending(ticket_id, ticket.status.value)
                refusal.__cause__ = error
            except EngineError as error:
                refusal = error
        if payment_id is None or not is_final(refusal):
            raise refusal
        return await self._confirm_late(ticket, payment_id, refusal, receipt, actor)

    async def refuse(
        self, tickets: Sequence[Ticket], payment_id: str, refusal: PriceChanged, actor: str | None
    ) -> None:
        """Record that a payment of another amount than its tickets cost is owed, and raise its outcome.

        Args:
            tickets: what it was meant for.
            payment_id: the payment.
            refusal: with the amount of the payment as the expected one.
            actor: who vouches for it.

        Raises:
            RefundRequired: the refund is recorded; if there are several, one for each ticket.
            PriceChanged: the payment has brought nothing.
            PaymentAlreadyUsed, TooManyRefunds: see `Ledger.owe`.
        """
        left_cents, refund = refusal.expected_cents, None
        for ticket in tickets:
            amount_cents = _paid(ticket.price_cents, left_cents)
            left_cents -= amount_cents
            unusable = UnusablePayment(
                *(payment_id, ticket.screening_id, ticket.holder, amount_cents, refusal.code, ticket),
                vouched_by=vouched_by(actor, payment_id),
            )
            refund = await self._ledger.owe(unusable) or refund
        raise refusal if refund is None else RefundRequired(refund, refusal)

    async def cancel(self, holder: str, ticket_id: int, actor: str | None = None) -> Cancelled:
        """Cancel a ticket and free its seat; cancelling it again changes nothing.

        If a payment has confirmed it, its price is owed from the same transaction on.

        Args:
            holder: who has the ticket.
            ticket_id: the ticket.
            actor: who cancels it, if that is not the holder.

        Returns:
            The cancelled ticket, committed.

        Raises:
            TicketNotFound: the holder has no such ticket.
            BookingInProgress: another request is changing it.
            TicketAdmitted: the holder was admitted with it.
            ScreeningStarted: sales are closed.
            TooManyRefunds: its price could not be recorded as owed.
        """
        ticket = await self.own_ticket(holder, ticket_id)
        if ticket.status in _OVER:
            return Cancelled(ticket)
        if actor is not None:
            return await self._cancel(ticket, actor)
        await self.require_refundable(ticket)
        async with kept_from_the_door(self._ledger, [ticket_id]):
            return await self._cancel(ticket, actor)

    async def _cancel(self, ticket: Ticket, actor: str | None) -> Cancelled:
        command = CancelTicket(ticket.screening_id, ticket.holder, ticket.id, ticket.seat_id, actor)
        try:
            return cast(Cancelled, await self._screenings.ask(command))
        except (NotFound, ScreeningCancelled) as error:
            # It may have been cancelled since it was read: by another request, by a transaction of a server
            # that has died, or together with the screening.
            present = await self.own_ticket(ticket.holder, ticket.id)
            if present.status not in _OVER:
                raise refusal_of(error, [ticket]) from error
            return Cancelled(present)

    async def cancel_all(self, holder: str, ticket_ids: Sequence[int], actor: str | None = None) -> None:
        """Cancel tickets of one screening in one step, all or none; those that are cancelled stay so.

        Args:
            holder: who has the tickets.
            ticket_ids: the tickets, each once.
            actor: who cancels them, if that is not the holder.

        Raises:
            TicketNotFound: the holder has not all of these tickets.
            TicketAdmitted: the holder was admitted with one of them.
            ScreeningStarted: sales are closed.
            TooManyRefunds: their prices could not be recorded as owed.
        """
        live = await self._live_tickets(holder, ticket_ids)
        if len(live) < 2:
            for ticket in live:
                await self.cancel(holder, ticket.id, actor)
            return
        if actor is not None:
            await self._cancel_several(live, actor)
            return
        for ticket in {ticket.payment_id: ticket for ticket in live}.values():
            await self.require_refundable(ticket)
        async with kept_from_the_door(self._ledger, [ticket.id for ticket in live]):
            await self._cancel_several(live, actor)

    async def _cancel_several(self, live: Sequence[Ticket], actor: str | None) -> None:
        holder = live[0].holder
        ids, seat_ids = zip(*[(ticket.id, ticket.seat_id) for ticket in live], strict=True)
        try:
            await self._screenings.ask(CancelTickets(live[0].screening_id, holder, ids, seat_ids, actor))
        except (NotFound, ScreeningCancelled) as error:
            # As in `cancel`: some may have been cancelled since they were read.
            if len(await self._live_tickets(holder, ids)) == len(ids):
                raise refusal_of(error, live) from error
            await self.cancel_all(holder, ids, actor)

    async def _live_tickets(self, holder: str, ticket_ids: Sequence[int]) -> list[Ticket]:
        tickets = [await self.own_ticket(holder, ticket_id) for ticket_id in ticket_ids]
        return [ticket for ticket in tickets if ticket.status not in _OVER]

    async def require_refundable(self, ticket: Ticket) -> None:
        """Raise TooManyRefunds if a ticket's holder may not cancel it: nobody has vouched for its payment."""
        payment_id = ticket.payment_id
        if payment_id is None or payment_id.startswith(RESERVATION_PAYMENT):
            return
        if ticket.status is TicketStatus.CONFIRMED and ticket.price_cents:
            await self._ledger.require_refundable(payment_id, ticket.holder)

    async def own_ticket(self, holder: str, ticket_id: int) -> Ticket:
        """Return a ticket of a holder. Raises TicketNotFound if the holder has no such ticket."""
        ticket = await self._ledger.ticket(ticket_id)
        if ticket is None or ticket.holder != holder:
            raise TicketNotFound(ticket_id)
        return ticket

    async def _repeated(self, command: BookSeats) -> Booked | None:
        """The tickets that the command's payment has booked before; None if it was not used.

        Raises:
            PaymentAlreadyUsed: it was used for other seats or by another holder.
        """
        payment_id = command.payment_id or ""
        tickets = await self._ledger.tickets_of_payment(payment_id)
        if not tickets:
            return None
        first = (
            await self._ledger.first_places(payment_id)
            if any(ticket.paid is not None for ticket in tickets)
            else {}
        )
        by_seat = {}
        for ticket in tickets:
            screening_id, seat_id = first.get(ticket.id, (ticket.screening_id, ticket.seat_id))
            if screening_id != command.screening_id or ticket.holder != command.holder:
                raise PaymentAlreadyUsed(payment_id)
            by_seat[seat_id] = ticket
        if by_seat.keys() != set(command.seat_ids):
            raise PaymentAlreadyUsed(payment_id)
        return Booked(tuple(by_seat[seat_id] for seat_id in dict.fromkeys(command.seat_ids)))

    async def _refund(self, unusable: UnusablePayment, refusal: EngineError) -> None:
        """Record that a payment is owed, and raise RefundRequired. Returns if nothing is owed.

        Raises:
            PaymentAlreadyUsed, TooManyRefunds: see `Ledger.owe`.
        """
        if (refund := await self._ledger.owe(unusable)) is not None:
            raise RefundRequired(refund, refusal) from refusal

    async def _confirm_late(
        self,
        ticket: Ticket,
        payment_id: str,
        refusal: EngineError,
        receipt: Receipt | None,
        actor: str | None,
    ) -> Booked:
        """Find the outcome of a payment that could not confirm its ticket.

        Raises:
            RefundRequired, PaymentAlreadyUsed, TooManyRefunds: as `confirm`.
            EngineError: what may be repeated.
        """
        if paid := await self._paid_by(payment_id, ticket):
            return paid
        if self._rebooks and ticket.status is TicketStatus.LAPSED:
            late = BookSeats(
                ticket.screening_id,
                ticket.holder,
                (ticket.seat_id,),
                payment_id,
                receipt=receipt,
                actor=actor,
                expected_total_cents=ticket.price_cents,
                booking_id=ticket.booking_id,
                late=True,
            )
            try:
                return cast(Booked, await self._screenings.ask(late))
            except EngineError as error:
                if not is_final(error):
                    raise
                refusal = error
        expected_cents = refusal.expected_cents if isinstance(refusal, PriceChanged) else None
        amount_cents = _paid(ticket.price_cents, expected_cents)
        unusable = UnusablePayment(
            *(payment_id, ticket.screening_id, ticket.holder, amount_cents, refusal.code, ticket),
            vouched_by=vouched_by(actor, payment_id),
        )
        try:
            await self._refund(unusable, refusal)
        except PaymentAlreadyUsed:
            if paid := await self._paid_by(payment_id, ticket):
                return paid
            raise
        raise refusal

    async def _paid_by(self, payment_id: str, ticket: Ticket) -> Booked | None:
        """The ticket that a payment has confirmed: this one, or the one that replaces it."""
        for paid in await self._ledger.tickets_of_payment(payment_id):
            if paid[1:5] == ticket[1:5] and paid.confirmed_at is not None:
                return Booked((paid,))
        return None


def refusal_of(error: EngineError, tickets: Sequence[Ticket]) -> EngineError:
    """Return why a screening has rejected a command for tickets that their holder has, as the ledger says.

    If the screening does not know them, another request is moving or changing them.
    """
    if not isinstance(error, TicketNotFound):
        return error
    return BookingInProgress([ticket.seat_id for ticket in tickets])


def _paid(price_cents: int | None, expected_cents: int | None) -> int:
    """Amount owed for a payment: the price, but at most what the caller expected to pay."""
    if price_cents is None or expected_cents is None:
        return price_cents or 0
    return min(price_cents, expected_cents)
