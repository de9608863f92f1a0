"""Transactions of several statements: those that record that a payment which pays for nothing is owed.

Others see nothing of them before the commit. Whoever wants to insert the same payment waits until then.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from persistence import refunds
from tests.simulation.queries import payments_in
from tests.simulation.tables import Row, Tables


@dataclass
class _Transaction:
    """The changes of a session since BEGIN.

    Attributes:
        used_at: when it has sent its last statement.
    """

    used_at: float
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[int, dict[str, Any]] = field(default_factory=dict)


class Claims:
    """The open transactions, by session."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._open: dict[Hashable, _Transaction] = {}
        self._undone: set[Hashable] = set()

    def run(self, session: Hashable, sql: str, parameters: Any, now: float) -> list[Row] | None:
        """Carry a statement out. Returns None for one that has nothing to do with such transactions."""
        if sql == "BEGIN":
            self._open[session] = _Transaction(now)
            self._undone.discard(session)
            return []
        if sql.startswith("ROLLBACK"):
            self._open.pop(session, None)
            return []
        transaction = self._open.get(session)
        if sql == "COMMIT":
            if transaction is not None:
                self._commit(transaction)
                del self._open[session]
            return []
        write = {refunds.CLAIM: self._claim, refunds.OWE: self._owe}.get(sql)
        if transaction is None:
            if write is None:
                return None
            if session in self._undone:
                return []  # it was sent inside a transaction
            rows = write(transaction := _Transaction(now), *parameters)
            self._commit(transaction)
            return rows
        transaction.used_at = now
        return None if write is None else write(transaction, *parameters)

    def end(self, session: Hashable) -> None:
        """A session is over: undo what it has not committed, also what the server has not read yet."""
        if self._open.pop(session, None) is not None:
            self._undone.add(session)

    def blocks(self, session: Hashable, sql: str, parameters: Any) -> bool:
        """Tell whether a statement has to wait for the transaction of another session."""
        others = [each.payments for other, each in self._open.items() if other is not session]
        return any(others) and any(map(payments_in(sql, parameters).intersection, others))

    def idle_since(self, time: float) -> list[Any]:
        """Return the sessions that have sent nothing in a transaction since then."""
        return [session for session, each in self._open.items() if each.used_at < time]

    def _commit(self, transaction: _Transaction) -> None:
        self._tables.payments.update(transaction.payments)
        self._tables.refunds.update(transaction.refunds)

    def _claim(
        self, transaction: _Transaction, payment_id: str, holder: str, screening_id: int, voucher: str | None
    ) -> list[Row]:
        if payment_id in self._tables.payments:
            return []
        transaction.payments[payment_id] = {
            "payment_id": payment_id,
            "holder": holder,
            "booking_id": None,
            "screening_id": screening_id,
            "vouched_by": voucher,
        }
        return [(payment_id,)]

    def _owe(self, transaction: _Transaction, *values: Any) -> list[Row]:
        names = ("payment_id", "screening_id", "ticket_id", "holder", "amount_cents", "reason", "booking_id")
        refund_id = next(self._tables.refund_ids)
        row = dict(zip((*names, "currency", "seat_ids"), values, strict=True))
        transaction.refunds[refund_id] = {"id": refund_id, **row}
        return [(refund_id,)]
