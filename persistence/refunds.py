"""Records payments that cannot be used, as refunds that are owed.

Refunds of cancelled tickets are recorded by a trigger on `tickets`, in the transaction that cancels them. A
payment that was refused claims its row in `payments` without a booking, so it can never pay for anything
later, whichever server it comes to.
"""

from collections.abc import Sequence

from engine.records import Refund, UnusablePayment
from engine.refunds import Claim, earlier_refund
from engine.selling_errors import TooManyRefunds
from persistence.columns import IDS, numbers
from persistence.connector import Connection, Connector

REFUNDS = """
SELECT refunds.id, payment_id, refunds.screening_id, ticket_id, refunds.holder, (amount * 100)::bigint,
       reason, refunds.booking_id, currency
FROM refunds JOIN payments USING (payment_id)
WHERE payment_id = %s
"""

OF_UNUSED_PAYMENT = REFUNDS + "AND payments.booking_id IS NULL ORDER BY id LIMIT 1"

OF_PAYMENT = REFUNDS + "ORDER BY id"

# A transaction with this lock has waited for all writes of the screening's tickets, and holds up later ones.
LOCK_TICKETS = "SELECT FROM screening_epochs WHERE screening_id = %s FOR UPDATE"

CLAIM = """
INSERT INTO payments (payment_id, holder, screening_id, created_at, vouched_by)
VALUES (%s, %s, %s, now(), %s)
ON CONFLICT (payment_id) DO NOTHING
RETURNING payment_id
"""

CLAIMED = """
SELECT holder, booking_id, EXISTS (
    SELECT FROM tickets
    WHERE tickets.booking_id = payments.booking_id AND tickets.payment_id = payments.payment_id
      AND confirmed_at IS NOT NULL AND seat_id = %s
)
FROM payments WHERE payment_id = %s
"""

UNVOUCHED = """
SELECT count(*) FROM refunds JOIN payments USING (payment_id)
WHERE refunds.holder = %s AND status = 'owed' AND vouched_by IS NULL
  AND EXISTS (SELECT FROM payments WHERE payment_id = %s AND vouched_by IS NULL)
"""

AGREED_PRICE = """
SELECT (sum(price) * 100)::bigint FROM (
    SELECT coalesce((
        SELECT price FROM holds
        WHERE holder = %(holder)s AND screening_id = %(screening_id)s AND seat_id = named.seat_id
          AND (%(held)s OR status = 'active')
        ORDER BY id DESC LIMIT 1
    ), screenings.price + seat_types.surcharge, (
        SELECT price FROM ticket_types
        WHERE named.seat_id < 0 AND id = (-named.seat_id) >> 20 AND event_id = %(screening_id)s
    )) AS price
    FROM unnest(%(seat_ids)s::bigint[]) AS named (seat_id)
    LEFT JOIN seats ON seats.id = named.seat_id
    LEFT JOIN seat_types ON seat_types.name = seats.seat_type
    LEFT JOIN screenings ON screenings.id = %(screening_id)s AND screenings.room_id = seats.room_id
) AS agreed
HAVING count(price) = count(*)
"""

OWE = """
INSERT INTO refunds
    (payment_id, screening_id, ticket_id, holder, amount, reason, booking_id, currency, seat_ids)
VALUES (%s, %s, %s, %s, %s * 0.01, %s, %s, %s, %s::bigint[])
RETURNING id
"""


class Refunds:
    """The repository of refunds that the engine's ledger uses.

    Args:
        connector: the database.
        unvouched_limit: how many refunds may be owed to a holder for payments that nobody has vouched for.
    """

    def __init__(self, connector: Connector, unvouched_limit: int) -> None:
        self._connector = connector
        self._unvouched_limit = unvouched_limit

    async def agreed_price(
        self, screening_id: int, holder: str, seat_ids: Sequence[int], *, held: bool
    ) -> int | None:
        """Return what seats cost a holder, in cents; see `engine.ports.Ledger`."""
        named = numbers([seat_id for seat_id in dict.fromkeys(seat_ids) if abs(seat_id) in IDS])
        wanted = {"screening_id": screening_id, "holder": holder, "seat_ids": named, "held": held}
        rows = await self._connector.run(AGREED_PRICE, wanted) if screening_id in IDS else []
        return rows[0][0] if rows else None

    async def refund(self, payment_id: str) -> Refund | None:
        """Return the refund of a payment that has paid for no booking, or None.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        rows = await self._connector.run(OF_UNUSED_PAYMENT, (payment_id,))
        return Refund(*rows[0]) if rows else None

    async def require_refundable(self, payment_id: str, holder: str) -> None:
        """Check that a refund for a payment may be owed to its holder.

        Raises:
            TooManyRefunds: nobody has vouched for it, and too many such refunds are owed already.
            StoreUnavailable: the database cannot be reached.
        """
        async with self._connector.connection() as connection:
            await self._require_refundable(connection, payment_id, holder)

    async def owe(self, payment: UnusablePayment) -> Refund | None:
        """Record that a payment is to be refunded; once, however often it comes.

        Args:
            payment: the payment.

        Returns:
            The refund, new or recorded before. None if nothing is owed.

        Raises:
            PaymentAlreadyUsed: it has paid for tickets, or is another holder's.
            TooManyRefunds: too many refunds without a voucher are owed to the holder.
            StoreUnavailable: the database cannot be reached.
        """
        payment_id, ticket = payment.payment_id, payment.ticket
        if not payment.amount_cents:
            return await self.refund(payment_id)
        async with self._connector.transaction() as connection:
            if ticket is not None:
                await connection.run(LOCK_TICKETS, (payment.screening_id,))
            claim = (payment_id, payment.holder, payment.screening_id, payment.vouched_by)
            if not await connection.run(CLAIM, claim) and (earlier := await _earlier(connection, payment)):
                return earlier
            await self._require_refundable(connection, payment_id, payment.holder)
            refund = (
                payment_id,
                payment.screening_id,
                ticket and ticket.id,
                payment.holder,
                payment.amount_cents,
                payment.reason,
                ticket and ticket.booking_id,
                payment.currency,
            )
            ((refund_id,),) = await connection.run(OWE, (*refund, numbers(payment.seat_ids)))
        return Refund(refund_id, *refund)

    async def _require_refundable(self, connection: Connection, payment_id: str, holder: str) -> None:
        ((owed,),) = await connection.run(UNVOUCHED, (holder, payment_id))
        if owed >= self._unvouched_limit:
            raise TooManyRefunds(self._unvouched_limit)


async def _earlier(connection: Connection, payment: UnusablePayment) -> Refund | None:
    """Return the refund owed already for a payment that has come before; see `engine.refunds`."""
    payment_id, ticket = payment.payment_id, payment.ticket
    (claim,) = await connection.run(CLAIMED, (ticket and ticket.seat_id, payment_id))
    refunds = [Refund(*row) for row in await connection.run(OF_PAYMENT, (payment_id,))]
    return earlier_refund(payment, Claim(*claim), refunds)
