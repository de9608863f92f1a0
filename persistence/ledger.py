"""Combines the repositories of tickets and refunds into the ledger of the box office."""

from persistence.check_ins import CheckIns
from persistence.connector import Connector
from persistence.payments import Payments
from persistence.refunds import Refunds
from persistence.tickets import Tickets


class PostgresLedger:
    """Implements `engine.ports.Ledger` with PostgreSQL.

    Args:
        connector: the database.
        unvouched_refunds_limit: as in `persistence.refunds.Refunds`.
    """

    def __init__(self, connector: Connector, unvouched_refunds_limit: int) -> None:
        tickets, refunds = Tickets(connector), Refunds(connector, unvouched_refunds_limit)
        self.ticket = tickets.ticket
        self.tickets_of_payment = tickets.tickets_of_payment
        self.first_places = tickets.first_places
        self.moved_by_payment = tickets.moved_by_payment
        self.vouch = Payments(connector).vouch
        self.agreed_price = refunds.agreed_price
        self.refund = refunds.refund
        self.owe = refunds.owe
        self.require_refundable = refunds.require_refundable
        check_ins = CheckIns(connector)
        self.begin_change = check_ins.begin_change
        self.end_change = check_ins.end_change
