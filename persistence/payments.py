"""Records who vouches for payments that were named before. The journal records it with new payments."""

from persistence.connector import Connector

VOUCH = """
WITH vouched AS (
    UPDATE payments SET vouched_by = %(voucher)s
    WHERE payment_id = %(payment_id)s AND holder = %(holder)s AND vouched_by IS NULL
)
SELECT NOT EXISTS (
    SELECT FROM payments WHERE payment_id = %(payment_id)s AND holder <> %(holder)s AND vouched_by IS NULL
)
"""


class Payments:
    """The repository of payments that the engine's ledger uses."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def vouch(self, payment_id: str, holder: str, voucher: str) -> bool:
        """Record that somebody vouches for a payment of a holder, if it is known.

        Args:
            payment_id: the payment.
            holder: who has paid.
            voucher: who vouches for it.

        Returns:
            False if another holder has named this payment, and nobody vouches for that.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        bound = {"payment_id": payment_id, "holder": holder, "voucher": voucher}
        ((usable,),) = await self._connector.run(VOUCH, bound)
        return bool(usable)
