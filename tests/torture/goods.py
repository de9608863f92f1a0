"""Things that are sold, and the URLs of requests for them."""

from collections.abc import Sequence
from typing import NamedTuple

RESERVATIONS, TICKETS = "/api/v1/seat-reservations", "/api/v1/tickets"


class Hall(NamedTuple):
    """A screening with a room of its own.

    Attributes:
        names: of the seats in rooms, by id.
    """

    id: int
    room_id: int
    seat_ids: Sequence[int]
    names: dict[int, str]


class Ticket(NamedTuple):
    """A ticket that was acknowledged."""

    id: int
    screening: int
    seat: int
    payment_id: str
