"""What the box office asks about the past, from the readers of tickets and of reservations."""

from persistence.connector import Connector
from persistence.reservations import Reservations
from persistence.tickets import Tickets


class PostgresLedger:
    """`engine.ports.Ledger` over Postgres.

    Args:
        connector: the database.
    """

    def __init__(self, connector: Connector) -> None:
        tickets = Tickets(connector)
        self.ticket = tickets.ticket
        self.tickets_of_payment = tickets.tickets_of_payment
        self.lapsed_seats = Reservations(connector).lapsed_seats
