"""Refunds as administrators see and settle them; `persistence.refunds` and triggers record them."""

from engine.selling_errors import RefundSettled, RefundUnvouched
from persistence.catalogue.table import Record, Rows, Table, own_columns
from persistence.connector import Connector

REFUNDS = Table(
    name="refunds",
    kind="refund",
    columns={
        **own_columns(
            "refunds",
            "id",
            "payment_id",
            "amount",
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
        "user_id": "substring(refunds.holder FROM '^user:([0-9]{1,18})$')::bigint",
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

LOCK = """
SELECT status = 'settled', reference, vouched_by IS NOT NULL FROM refunds JOIN payments USING (payment_id)
WHERE refunds.id = %(id_)s FOR UPDATE OF refunds
"""

SETTLE = """
UPDATE refunds SET status = 'settled', settled_at = now(), reference = %(reference)s WHERE id = %(id_)s
"""


class RefundRows(Rows):
    """The repository of refunds."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, REFUNDS)

    async def settle(self, refund_id: int, reference: str, *, confirmed: bool) -> Record:
        """Record that a refund was paid back. Settling it again with the same reference changes nothing.

        Args:
            refund_id: the refund.
            reference: how it was paid back, for example the provider's id.
            confirmed: whether a payment that only the buyer has named has been checked.

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
