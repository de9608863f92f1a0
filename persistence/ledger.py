"""Combines the readers of tickets and reservations into the ledger that the box office reads."""

from persistence.connector import Connector
from persistence.reservations import Reservations
from persistence.tickets import Tickets


class PostgresLedger:
    """Implements `engine.ports.Ledger` with PostgreSQL."""

    def __init__(self, connector: Connector) -> None:
        tickets = Tickets(connector)
        self.ticket = tickets.ticket
        self.tickets_of_payment = tickets.tickets_of_payment
        self.lapsed_seats = Reservations(connector).lapsed_seats
