"""The ledger in memory, for tests and simulations."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from engine.memory import MemoryDatabase
from engine.places import ticket_type_of
from engine.purchases import RESERVATION_PAYMENT
from engine.records import Refund, Ticket, UnusablePayment
from engine.refunds import Claim, earlier_refund
from engine.selling_errors import TooManyRefunds


class MemoryLedger:
    """`engine.ports.Ledger` over a `MemoryDatabase`.

    Args:
        database: what it reads, and where it records refunds.
        unvouched_refunds_limit: how many refunds may be owed to a holder.
    """

    def __init__(self, database: MemoryDatabase, unvouched_refunds_limit: int = 1000) -> None:
        self._database = database
        self._limit = unvouched_refunds_limit

    async def ticket(self, ticket_id: int) -> Ticket | None:
        return self._database.tickets.get(ticket_id)

    async def tickets_of_payment(self, payment_id: str) -> Sequence[Ticket]:
        tickets = self._database.tickets.values()
        if payment_id.startswith(RESERVATION_PAYMENT):
            booking_id = self._database.payments.get(payment_id)
            return sorted(t for t in tickets if t.booking_id == booking_id)
        return sorted(t for t in tickets if t.payment_id == payment_id)

    async def first_places(self, payment_id: str) -> Mapping[int, tuple[int, int]]:
        places: dict[int, tuple[int, int]] = {}
        for ticket in await self.tickets_of_payment(payment_id):
            moves = (before for move in self._database.moves for before in move.before)
            first = next((before for before in moves if before.id == ticket.id), ticket)
            places[ticket.id] = (first.screening_id, first.seat_id)
        return places

    async def moved_by_payment(self, payment_id: str) -> Collection[int]:
        moves = [move for move in self._database.moves if move.payment_id == payment_id]
        return [ticket.id for move in moves for ticket in move.tickets]

    async def vouch(self, payment_id: str, holder: str, voucher: str) -> bool:
        named = {ticket.holder for ticket in await self.tickets_of_payment(payment_id)}
        named |= {refund.holder for refund in self._refunds(payment_id)}
        own = named <= {holder}
        if named and own:
            self._database.vouchers.setdefault(payment_id, voucher)
        return own or payment_id in self._database.vouchers

    async def agreed_price(
        self, screening_id: int, holder: str, seat_ids: Sequence[int], *, held: bool
    ) -> int | None:
        prices: dict[int, int] = {}
        if screening_id in self._database.screenings:
            info, layout = self._database.screenings[screening_id]
            prices = {seat.id: info.price_of(seat) for seat in layout.seats}
            for seat_id in seat_ids:
                if (kind := info.ticket_types.get(ticket_type_of(seat_id))) is not None:
                    prices[seat_id] = kind.price_cents
        for hold, status in sorted(self._database.holds.values()):
            own = (hold.screening_id, hold.holder) == (screening_id, holder) and (held or status == "active")
            if own and hold.price_cents is not None:
                prices[hold.seat_id] = hold.price_cents
        named = set(seat_ids)
        return sum(prices[seat_id] for seat_id in named) if named <= prices.keys() else None

    async def refund(self, payment_id: str) -> Refund | None:
        if self._database.payments.get(payment_id, 0) is not None:
            return None
        return self._refunds(payment_id)[0]

    async def owe(self, payment: UnusablePayment) -> Refund | None:
        """Record a refund, once."""
        payment_id, ticket, database = payment.payment_id, payment.ticket, self._database
        if not payment.amount_cents:
            return await self.refund(payment_id)
        refunds = self._refunds(payment_id)
        if payment_id in database.payments:
            paid = await self.tickets_of_payment(payment_id)
            claim = Claim(
                (refunds or paid)[0].holder,
                database.payments[payment_id],
                any(ticket and t.seat_id == ticket.seat_id and t.confirmed_at is not None for t in paid),
            )
            if (earlier := earlier_refund(payment, claim, refunds)) is not None:
                return earlier
        await self.require_refundable(payment_id, payment.holder)
        database.payments.setdefault(payment_id, None)
        return database.owe(payment)

    async def begin_change(self, ticket_id: int, attempt: UUID) -> float | None:
        return self._database.admitted.get(ticket_id)

    async def end_change(self, ticket_id: int, attempt: UUID) -> None:
        """Nobody is kept from the door: nothing is admitted here meanwhile."""

    async def require_refundable(self, payment_id: str, holder: str) -> None:
        if sum(refund.holder == holder for refund in self._database.refunds.values()) >= self._limit:
            raise TooManyRefunds(self._limit)

    def _refunds(self, payment_id: str) -> list[Refund]:
        database = self._database
        refunds = (*database.refunds.values(), *database.move_refunds)
        return sorted(refund for refund in refunds if refund.payment_id == payment_id)
