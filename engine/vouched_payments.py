"""Carries out payments for which a provider or a service vouches (`engine.vouching`).

They go through the box office like those that buyers name, with two differences. A payment that a buyer has
named before is recorded as vouched for; if that was another buyer, it goes on under an id of its own. And
tickets that the payment has booked, but not confirmed, are confirmed.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar, cast

from engine.box_office import BoxOffice
from engine.commands import BookSeats, ConfirmTickets
from engine.errors import EngineError
from engine.ports import Ledger
from engine.purchases import Screenings
from engine.records import Receipt, Refund, Ticket, TicketStatus, UnusablePayment
from engine.replies import Booked
from engine.selling_errors import PaymentAlreadyUsed, PriceChanged, RefundRequired
from engine.vouching import vouched_by, vouched_payment

Outcome = TypeVar("Outcome")


class VouchedPayments:
    """Books and confirms for payments that the actor of the command vouches for.

    Args:
        box_office: finds the outcome of payments that are late or repeated.
        screenings: all of them.
        ledger: knows which payments have been named before.
    """

    def __init__(self, box_office: BoxOffice, screenings: Screenings, ledger: Ledger) -> None:
        self._box_office = box_office
        self._screenings = screenings
        self._ledger = ledger

    async def book(self, command: BookSeats, received_cents: int | None = None) -> Booked:
        """Book seats, or confirm the pending tickets that the payment has booked.

        Args:
            command: with the actor that vouches for its payment.
            received_cents: what the payment has brought; what the holder has reserved has been written then.
                None if the actor does not tell.

        Returns:
            The tickets, committed. Those that the payment has confirmed before keep their present status.

        Raises:
            RefundRequired: the payment cannot be used; the refund is recorded.
            PaymentAlreadyUsed: it has paid for other seats of the same holder.
            EngineError: the request may be repeated, or is wrong.
        """
        if command.payment_id is None:
            return await self._book(command, received_cents)
        return await self._under_its_id(
            command.payment_id,
            command.holder,
            command.actor,
            lambda payment_id: self._book(command._replace(payment_id=payment_id), received_cents),
        )

    async def _book(self, command: BookSeats, received_cents: int | None) -> Booked:
        if received_cents is not None:
            command = await self._limited(command, received_cents)
        try:
            booked = cast(Booked, await self._screenings.ask(command))
        except EngineError as refusal:
            booked = await self._box_office.reconsider(command, refusal)
        if command.payment_id is None or command.payment_pending:
            return booked
        # The buyer may have made the same booking at the same time.
        await self.vouch(command.payment_id, command.holder, command.actor)
        unpaid = [ticket.id for ticket in booked.tickets if ticket.confirmed_at is None]
        if not unpaid:
            if received_cents is not None and received_cents < _total(booked.tickets):
                raise PaymentAlreadyUsed(command.payment_id)
            return booked
        confirmed = await self.confirm(
            command.holder, unpaid, command.payment_id, command.actor, received_cents=received_cents
        )
        paid = {ticket.seat_id: ticket for ticket in (*booked.tickets, *confirmed.tickets)}
        return Booked(tuple(paid.values()))

    async def confirm(
        self,
        holder: str,
        ticket_ids: Sequence[int],
        payment_id: str,
        actor: str | None,
        receipt: Receipt | None = None,
        expected_total_cents: int | None = None,
        received_cents: int | None = None,
    ) -> Booked:
        """Confirm pending tickets of a holder, in one step if they are of one screening.

        Args:
            holder: who has the tickets.
            ticket_ids: the tickets, each once.
            payment_id: the payment for all of them.
            actor: who vouches for it.
            receipt: idempotency key under which the answer is stored, if there is one ticket.
            expected_total_cents: as in `ConfirmTickets`; without `received_cents` only for one ticket.
            received_cents: as in `book`.

        Returns:
            The tickets, committed. New ones for those that had lapsed and whose seats could be booked again.

        Raises:
            TicketNotFound: the holder has not all of these tickets.
            RefundRequired: the payment cannot confirm all of them; the refunds are recorded.
            PaymentAlreadyUsed: it has paid for other tickets of the same holder.
            EngineError: the request may be repeated.
        """
        return await self._under_its_id(
            payment_id,
            holder,
            actor,
            lambda payment_id: self._confirm(
                holder, ticket_ids, payment_id, actor, receipt, expected_total_cents, received_cents
            ),
        )

    async def _confirm(
        self,
        holder: str,
        ticket_ids: Sequence[int],
        payment_id: str,
        actor: str | None,
        receipt: Receipt | None,
        expected_total_cents: int | None,
        received_cents: int | None,
    ) -> Booked:
        tickets = [await self._box_office.own_ticket(holder, ticket_id) for ticket_id in ticket_ids]
        if received_cents is not None:
            total_cents = _total(tickets)
            expected_cents = total_cents if expected_total_cents is None else expected_total_cents
            if received_cents < total_cents or expected_cents != total_cents:
                refusal = PriceChanged(min(received_cents, expected_cents), total_cents)
                await self._box_office.refuse(tickets, payment_id, refusal, actor)
            expected_total_cents = None
        together = len({ticket.screening_id for ticket in tickets}) == 1 < len(tickets)
        if together and all(ticket.status is TicketStatus.PENDING for ticket in tickets):
            ids, seat_ids = zip(*[(ticket.id, ticket.seat_id) for ticket in tickets], strict=True)
            command = ConfirmTickets(tickets[0].screening_id, holder, ids, seat_ids, payment_id, actor=actor)
            try:
                return cast(Booked, await self._screenings.ask(command))
            except EngineError as refusal:
                if refusal.retryable:
                    raise
                # One of them has ended meanwhile, so each has its own outcome.
        paid: list[Ticket] = []
        required: RefundRequired | None = None
        for ticket in tickets:
            try:
                one = await self._box_office.confirm(
                    holder, ticket.id, payment_id, receipt, actor, expected_total_cents
                )
                paid += one.tickets
            except RefundRequired as refusal:
                required = refusal
        # The buyer may have confirmed them at the same time.
        await self.vouch(payment_id, holder, actor)
        if required is not None:
            raise required
        return Booked(tuple(paid))

    async def refuse(self, payment: UnusablePayment, actor: str) -> Refund | None:
        """Record that a payment which cannot be used at all is owed.

        Args:
            payment: the payment.
            actor: who vouches for it.

        Returns:
            The refund; None if the payment has brought nothing.

        Raises:
            PaymentAlreadyUsed: it has paid for tickets.
        """

        async def owe(payment_id: str) -> Refund | None:
            unusable = payment._replace(payment_id=payment_id, vouched_by=vouched_by(actor, payment_id))
            refund = await self._ledger.owe(unusable)
            # The buyer may have named it meanwhile, as in `_under_its_id`.
            await self.vouch(payment_id, payment.holder, actor)
            return refund

        return await self._under_its_id(payment.payment_id, payment.holder, actor, owe)

    async def vouch(self, payment_id: str, holder: str, actor: str | None) -> str:
        """Record that an actor vouches for a payment, if it is known.

        Args:
            payment_id: the payment.
            holder: who has paid.
            actor: who vouches for it.

        Returns:
            The id to go on with: another one if another holder has named this payment.
        """
        voucher = vouched_by(actor, payment_id)
        if voucher is None or await self._ledger.vouch(payment_id, holder, voucher):
            return payment_id
        own_id = vouched_payment(payment_id)
        await self._ledger.vouch(own_id, holder, voucher)
        return own_id

    async def _under_its_id(
        self, payment_id: str, holder: str, actor: str | None, use: Callable[[str], Awaitable[Outcome]]
    ) -> Outcome:
        """Vouch for a payment and use it; under its own id also if another holder names it meanwhile."""
        usable_id = await self.vouch(payment_id, holder, actor)
        try:
            return await use(usable_id)
        except RefundRequired:
            # The buyer may have named it meanwhile, so that it was recorded as owed without a voucher.
            await self.vouch(usable_id, holder, actor)
            raise
        except PaymentAlreadyUsed:
            own_id = await self.vouch(usable_id, holder, actor)
            if own_id == usable_id:
                # Another holder's booking with this payment may not have been written yet.
                await self._box_office.written()
                own_id = await self.vouch(usable_id, holder, actor)
            if own_id == usable_id:
                raise
        return await use(own_id)

    async def _limited(self, command: BookSeats, received_cents: int) -> BookSeats:
        """The command, which is rejected if its seats cost more than was received."""
        wanted_cents = command.expected_total_cents
        if wanted_cents is None:
            wanted_cents = await self._ledger.agreed_price(*command[:3], held=True)
        if wanted_cents is None or received_cents < wanted_cents:
            wanted_cents = received_cents
        return command._replace(expected_total_cents=wanted_cents)


def _total(tickets: Iterable[Ticket]) -> int:
    return sum(ticket.price_cents for ticket in tickets)
