"""Refunds as administrators see and settle them; `persistence.refunds` and triggers record them."""

from decimal import Decimal

from engine.selling_errors import RefundSettled, RefundUnvouched
from engine.vouching import vouched_payment
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.catalogue.tickets import PRINTED
from persistence.connector import Connector

_USER_ID = "substring(refunds.holder FROM '^user:([0-9]{1,18})$')::bigint"

REFUNDED = """
    LEFT JOIN screenings ON screenings.id = refunds.screening_id
    LEFT JOIN rooms ON rooms.id = screenings.room_id
    LEFT JOIN cinemas ON cinemas.id = rooms.cinema_id
    LEFT JOIN movies ON movies.id = screenings.movie_id
    LEFT JOIN events ON events.id = refunds.screening_id
"""
"""Joins the screening or event that a refunded payment was for, and its venue."""

REFUNDED_PLACES = """
    FROM unnest(array_append(refunds.seat_ids, (
        SELECT seat_id FROM tickets
        WHERE tickets.id = refunds.ticket_id AND tickets.screening_id = refunds.screening_id
    ))) AS named (place)
    LEFT JOIN seats ON seats.id = place
    LEFT JOIN ticket_types ON ticket_types.id = CASE WHEN place < 0 THEN (-place) >> 20 END
    WHERE coalesce(seats.id, ticket_types.id) IS NOT NULL
"""
"""The seats and ticket types that a refunded payment was for, one row each."""

REFUNDS = Table(
    name="refunds",
    kind="refund",
    columns={
        **own_columns(
            "refunds",
            "id",
            "payment_id",
            "amount",
            "currency",
            "reason",
            "status",
            "screening_id",
            "booking_id",
            "ticket_id",
            "holder",
            "owed_at",
            "settled_at",
            "reference",
        ),
        "user_id": _USER_ID,
        "email": f"(SELECT email FROM users WHERE users.id = {_USER_ID} AND deleted_at IS NULL)",  # noqa: S608 - constant
        "vouched_by": "payments.vouched_by",
    },
    joins="JOIN payments USING (payment_id)",
    filters={
        "status": "refunds.status = %(status)s",
        "user_id": "refunds.holder = 'user:' || %(user_id)s",
        "screening_id": "refunds.screening_id = %(screening_id)s",
        "payment_id": "refunds.payment_id = %(payment_id)s",
    },
)

OWN_REFUNDS = Table(
    name="refunds",
    kind="refund",
    columns={
        **own_columns(
            "refunds",
            *("id", "payment_id", "amount", "currency", "reason", "status", "screening_id", "booking_id"),
            *("ticket_id", "owed_at", "settled_at", "reference"),
        ),
        "vouched_by": "payments.vouched_by",
        "place": f"""(
            SELECT string_agg(
                coalesce('Row ' || row_label || ', seat ' || seat_number, ticket_types.name),
                '; ' ORDER BY place
            ) {REFUNDED_PLACES}
        )""",
        **{name: PRINTED[name] for name in ("title", "starts_at", "time_zone")},
    },
    joins=f"JOIN payments USING (payment_id) {REFUNDED}",
    filters={
        **{name: REFUNDS.filters[name] for name in ("status", "screening_id")},
        "holder": "refunds.holder = %(holder)s",
        "booking_id": "refunds.booking_id = %(booking_id)s",
    },
    orders={"": "refunds.id DESC"},
)
"""Refunds as their receiver sees them."""

LOCK = """
SELECT status = 'settled', reference, vouched_by IS NOT NULL FROM refunds JOIN payments USING (payment_id)
WHERE refunds.id = %(id_)s FOR UPDATE OF refunds
"""

SETTLE = """
UPDATE refunds SET status = 'settled', settled_at = now(), reference = %(reference)s WHERE id = %(id_)s
"""

# A refund that is being recorded has locked its payment: either it sees what is paid back, or it is seen.
LOCK_PAYMENTS = "SELECT FROM payments WHERE payment_id IN (%(own)s, %(named)s) ORDER BY payment_id FOR UPDATE"

PAY_BACK = """
INSERT INTO paid_back (payment_id, amount, reference)
VALUES (%(named)s, %(amount)s::numeric, %(reference)s)
ON CONFLICT (payment_id) DO UPDATE SET amount = excluded.amount, reference = excluded.reference
WHERE paid_back.amount < excluded.amount OR (paid_back.amount IS NOT NULL AND excluded.amount IS NULL)
"""

RECEIVE = """
INSERT INTO payments_received (payment_id, amount, places)
VALUES (%(payment_id)s, %(cents)s * 0.01, %(places)s)
ON CONFLICT (payment_id) DO NOTHING
"""

OWE_SURPLUS = "SELECT owe_surplus(%s)"

PAID_BACK = "SELECT 1 FROM paid_back WHERE payment_id = %s AND amount IS NULL"


class RefundRows(Rows):
    """The repository of refunds."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, REFUNDS)

    async def settle(self, refund_id: int, reference: str, *, confirmed: bool) -> Record:
        """Record that a refund was paid back. Settling it again with the same reference changes nothing.

        Args:
            refund_id: the refund.
            reference: how it was paid back, for example the provider's id.
            confirmed: True if a payment that only the buyer has named has been checked.

        Raises:
            NotFound: there is no such refund.
            RefundSettled: it was settled with another reference.
            RefundUnvouched: it is not `confirmed`, and nobody has vouched for the payment.
        """
        await self.find(refund_id)
        wanted = {"id_": refund_id, "reference": reference}
        async with self.connector.transaction() as connection:
            ((settled, present, vouched),) = await connection.run(LOCK, wanted)
            if settled and present != reference:
                raise RefundSettled(refund_id, present)
            if not settled:
                if not (vouched or confirmed):
                    raise RefundUnvouched(refund_id)
                await connection.run(SETTLE, wanted)
        return await self.find(refund_id)

    async def pay_back(self, payment_id: str, amount_cents: int | None, reference: str) -> None:
        """Record the amount that a provider has paid back, which settles refunds owed now or later.

        Args:
            payment_id: the id that the provider has given the payment; it may be unknown yet.
            amount_cents: the sum of all refunds so far; None if that is everything.
            reference: the provider's id of the latest refund.
        """
        bound = {"named": payment_id, "own": vouched_payment(payment_id), "reference": reference}
        amount = None if amount_cents is None else Decimal(amount_cents) / 100
        async with self.connector.transaction() as connection:
            await connection.run(LOCK_PAYMENTS, bound)
            await connection.run(PAY_BACK, bound | {"amount": amount})

    async def receive(self, payment_id: str, amount_cents: int, places: int) -> None:
        """Record the amount that a provider has received, before or after the payment has booked.

        A surplus over the price of its tickets is owed as soon as the payment has paid for all of them.

        Args:
            payment_id: the payment.
            amount_cents: what was received for tickets.
            places: how many seats or tickets it is for.
        """
        bound = {"payment_id": payment_id, "cents": amount_cents, "places": places}
        async with self.connector.transaction() as connection:
            await connection.run(RECEIVE, bound)
            await connection.run(OWE_SURPLUS, (payment_id,))

    async def paid_back(self, payment_id: str) -> bool:
        """Return whether a provider has paid back everything of a payment."""
        return bool(await self.connector.run(PAID_BACK, (payment_id,)))
