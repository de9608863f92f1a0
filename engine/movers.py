"""Moves tickets to other seats or places, also of another screening, and finds the outcome of their payments.

Between two screenings it sends the three commands of `engine.moving`. It may stop after any of them: what has
not been decided then never will be, and the screenings find out by themselves.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple, cast

from engine.box_office import BoxOffice, refusal_of
from engine.catalogue_errors import TicketNotConfirmed
from engine.commands import EndArrival, MoveTickets, ReadStock, ReceiveTickets
from engine.door import kept_from_the_door
from engine.errors import EngineError, NotFound, OutcomeUnknown, StoreUnavailable, is_final
from engine.moving_errors import NothingToPay, TicketNotMovable
from engine.places import place_id, ticket_type_of
from engine.ports import Flushing, Ledger
from engine.purchases import Screenings
from engine.records import Arrival, Receipt, Ticket, TicketStatus, UnusablePayment
from engine.replies import Moved
from engine.selling_errors import PaymentAlreadyUsed, RefundRequired, ScreeningCancelled
from engine.vouching import vouched_by

log = logging.getLogger("frontrow.engine")


class MoveOrder(NamedTuple):
    """A request to move tickets, all or none.

    Attributes:
        holder: who has the tickets.
        ticket_ids: the tickets, each once, of one booking and one screening.
        screening_id: where they go.
        seat_ids: the seat of each, in their order, each once; empty if there is a ticket type.
        payment_id, expected_total_cents, actor, by_hand, unvouched: as in `MoveTickets`.
        ticket_type_id: in an event, the ticket type whose places they get.
        receipt: the idempotency key under which the answer is stored. It is stored in the transaction of the
            move only if all of the tickets move, because that transaction does not know the others.
    """

    holder: str
    ticket_ids: tuple[int, ...]
    screening_id: int
    seat_ids: tuple[int, ...]
    payment_id: str | None = None
    expected_total_cents: int | None = None
    actor: str | None = None
    by_hand: bool = False
    unvouched: bool = False
    ticket_type_id: int | None = None
    receipt: Receipt | None = None

    def is_there(self, ticket: Ticket, seat_id: int) -> bool:
        """Return whether a ticket is already where it should go: in the seat, or in a place of the type."""
        if ticket.screening_id != self.screening_id:
            return False
        if self.ticket_type_id is None:
            return ticket.seat_id == seat_id
        return ticket_type_of(ticket.seat_id) == self.ticket_type_id


class Movers:
    """Moves tickets.

    Args:
        screenings: all of them.
        flushing: waits until what the ledger is asked about has been written.
        ledger: committed tickets and refunds.
        box_office: finds tickets.
    """

    def __init__(
        self, screenings: Screenings, flushing: Flushing, ledger: Ledger, box_office: BoxOffice
    ) -> None:
        self._screenings = screenings
        self._flushing = flushing
        self._ledger = ledger
        self._box_office = box_office

    async def move(self, order: MoveOrder) -> Moved:
        """Move tickets; if they are there already, nothing changes.

        Returns:
            The tickets where they are now, committed.

        Raises:
            TicketNotFound: the holder has not all of these tickets.
            TicketNotConfirmed, TicketNotMovable: one of them cannot be moved.
            TicketAdmitted: one of them was used at the door.
            MovesClosed: the organiser does not allow it.
            PaymentRequired: the seats cost more than the tickets.
            RefundRequired: the payment cannot be used; the refund is recorded.
            TooManyRefunds: what is owed could not be recorded.
            EngineError: the seats cannot be had, or the request may be repeated.
        """
        tickets = await self._tickets(order)
        try:
            return await self._moved(order, tickets)
        except (NotFound, ScreeningCancelled) as error:
            # Another request may have moved or cancelled them since they were read.
            present = await self._tickets(order)
            if present == tickets:
                return await self._reconsidered(order, tickets, refusal_of(error, tickets))
            try:
                return await self._moved(order, present)
            except EngineError as refusal:
                return await self._reconsidered(order, present, refusal_of(refusal, present))
        except EngineError as refusal:
            return await self._reconsidered(order, tickets, refusal)

    async def _tickets(self, order: MoveOrder) -> list[Ticket]:
        return [await self._box_office.own_ticket(order.holder, each) for each in order.ticket_ids]

    async def _moved(self, order: MoveOrder, tickets: Sequence[Ticket]) -> Moved:
        for ticket in tickets:
            if (ticket.seat_id < 0) is (order.ticket_type_id is None):
                raise TicketNotMovable(ticket.id)
            if ticket.status is not TicketStatus.CONFIRMED:
                raise TicketNotConfirmed(ticket.id, ticket.status.value)
        seat_ids = order.seat_ids or (0,) * len(tickets)
        wanted = [
            (ticket, seat_id)
            for ticket, seat_id in zip(tickets, seat_ids, strict=True)
            if not order.is_there(ticket, seat_id)
        ]
        payment_id = order.payment_id
        if not wanted:
            if payment_id and not set(order.ticket_ids) & set(
                await self._ledger.moved_by_payment(payment_id)
            ):
                raise NothingToPay
            return await self._confirmed(order)
        moving = tuple([ticket for ticket, _ in wanted])
        seat_ids = tuple([seat_id for _, seat_id in wanted if seat_id])
        if order.actor is None and not order.by_hand:
            for ticket in {ticket.payment_id: ticket for ticket in moving}.values():
                await self._box_office.require_refundable(ticket)
        command = MoveTickets(
            *(moving[0].screening_id, order.holder),
            tuple([ticket.id for ticket in moving]),
            tuple([ticket.seat_id for ticket in moving]),
            seat_ids,
            order.payment_id,
            order.expected_total_cents,
            order.actor,
            order.by_hand,
            order.unvouched,
            to_type_id=order.ticket_type_id,
            receipt=order.receipt if len(moving) == len(tickets) else None,
        )
        if order.by_hand:
            moved = await self._carried_out(order, command, moving)
        else:
            async with kept_from_the_door(self._ledger, command.ticket_ids):
                moved = await self._carried_out(order, command, moving)
        there = {ticket.id: ticket for ticket in moved.tickets}
        return Moved(tuple([there.get(ticket.id, ticket) for ticket in tickets]))

    async def _confirmed(self, order: MoveOrder) -> Moved:
        """Return tickets that are where they shall be, once no earlier move can take them away any more.

        Such a move may have been sent before, without an answer. The screening has to be in memory: its epoch
        refuses what an earlier owner has not written yet.
        """
        await self._screenings.ask(ReadStock(order.screening_id))
        await self._flushing.flushed(order.screening_id)
        present = await self._tickets(order)
        seat_ids = order.seat_ids or (0,) * len(present)
        if not all(map(order.is_there, present, seat_ids)):
            return await self._moved(order, present)
        return Moved(tuple(present))

    async def _carried_out(
        self, order: MoveOrder, command: MoveTickets, tickets: tuple[Ticket, ...]
    ) -> Moved:
        if command.screening_id == order.screening_id:
            return cast(Moved, await self._screenings.ask(command))
        receive = ReceiveTickets(
            *(order.screening_id, order.holder, tickets, command.to_seat_ids, order.by_hand),
            order.ticket_type_id,
        )
        arrival = cast(Arrival, await self._screenings.ask(receive))
        try:
            command = command._replace(to_seat_ids=(), arrival=arrival)
            moved = cast(Moved, await self._screenings.ask(command))
        except (OutcomeUnknown, StoreUnavailable):
            raise  # the other screening finds out by itself
        except EngineError:
            await self._end(arrival, ())
            raise
        await self._end(arrival, moved.tickets)
        return moved

    async def _end(self, arrival: Arrival, tickets: tuple[Ticket, ...]) -> None:
        try:
            await self._screenings.ask(EndArrival(*arrival[:3], tickets))
        except EngineError as error:
            log.info("screening %d was not told the outcome of a move: %s", arrival.screening_id, error)

    async def _reconsidered(self, order: MoveOrder, tickets: Sequence[Ticket], refusal: EngineError) -> Moved:
        """Raise the outcome of a refused move, as `BoxOffice.reconsider` does for a booking."""
        payment_id = order.payment_id
        if payment_id is None or order.unvouched or not is_final(refusal):
            raise refusal
        if isinstance(refusal, PaymentAlreadyUsed):
            refund = await self._ledger.refund(payment_id)
            if refund is None or refund.holder != order.holder:
                raise refusal
            raise RefundRequired(refund, refusal) from refusal
        if await self._ledger.moved_by_payment(payment_id):
            raise PaymentAlreadyUsed(payment_id) from refusal
        await self._flushing.flushed(order.screening_id)
        seat_ids = order.seat_ids
        if (kind_id := order.ticket_type_id) is not None:  # all its places cost the same
            seat_ids = tuple([place_id(kind_id, number) for number in range(1, len(tickets) + 1)])
        price_cents = await self._ledger.agreed_price(order.screening_id, order.holder, seat_ids, held=True)
        owed_cents = 0
        if price_cents is not None:
            expected_cents = order.expected_total_cents
            due_cents = max(0, price_cents - sum(ticket.price_cents for ticket in tickets))
            owed_cents = due_cents if expected_cents is None else min(expected_cents, price_cents)
        unusable = UnusablePayment(
            *(payment_id, order.screening_id, order.holder, owed_cents, refusal.code),
            vouched_by=vouched_by(order.actor, payment_id),
            seat_ids=order.seat_ids,
        )
        if (refund := await self._ledger.owe(unusable)) is not None:
            raise RefundRequired(refund, refusal) from refusal
        raise refusal
