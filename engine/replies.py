"""What a screening answers to its commands: plain data.

Where a command about holds has changed something, its event is the reply.
"""

from collections.abc import Mapping
from typing import NamedTuple

from engine.events import HoldsExtended, HoldsReleased, SeatsHeld
from engine.records import Hold, Ticket
from engine.views import SeatMap, SeatsChanged


class Held(NamedTuple):
    """The caller's holds on the seats that were named, in the order in which they were named."""

    holds: tuple[Hold, ...]


class Reserved(NamedTuple):
    """The holds of each reservation, in the order of the orders."""

    reservations: tuple[tuple[Hold, ...], ...]


class Toggled(NamedTuple):
    """What a toggle has held and what it has released.

    Attributes:
        holding: what happened to the seats that were free; None if there were none.
        releasing: what happened to the caller's own seats; None if there were none.
    """

    holding: SeatsHeld | None
    releasing: HoldsReleased | None

    @property
    def held(self) -> tuple[Hold, ...]:
        """The new holds."""
        return self.holding.holds if self.holding else ()

    @property
    def released(self) -> tuple[Hold, ...]:
        """The holds that were given back."""
        return self.releasing.holds if self.releasing else ()


class Released(NamedTuple):
    """The holds that were given back."""

    holds: tuple[Hold, ...]


class Booked(NamedTuple):
    """The tickets, committed, in the order in which their seats were named."""

    tickets: tuple[Ticket, ...]


class Cancelled(NamedTuple):
    """The ticket, cancelled and committed."""

    ticket: Ticket


class Cleared(NamedTuple):
    """What a cancelled screening had sold and held: the tickets are cancelled and committed."""

    tickets: tuple[Ticket, ...]
    holds: tuple[Hold, ...]


class Lapsed(NamedTuple):
    """How many holds and pending tickets lapsed."""

    number: int


class StockLevel(NamedTuple):
    """How much there is of something.

    Attributes:
        total: how many there are.
        sold: how many are sold.
        reserved: how many are held, or on their way to being sold.
    """

    total: int
    sold: int
    reserved: int

    @property
    def available(self) -> int:
        """How many are free."""
        return self.total - self.sold - self.reserved


class Stock(NamedTuple):
    """How much of everything a screening has, as of (epoch, seq).

    Attributes:
        available: seats and places that are free.
        capacity: seats and places that there are.
        ticket_types: by id.
    """

    screening_id: int
    epoch: int
    seq: int
    available: int
    capacity: int
    ticket_types: Mapping[int, StockLevel]


class Changes(NamedTuple):
    """Answer to `ReadChanges`.

    Attributes:
        seq: the screening's last visible change at that moment.
        missed: all changes after the one asked for, oldest first, or None where they are no longer
            known (or of another epoch): then only a whole `SeatMap` helps.
    """

    epoch: int
    seq: int
    missed: tuple[SeatsChanged, ...] | None


Reply = (
    SeatsHeld
    | HoldsExtended
    | HoldsReleased
    | Held
    | Reserved
    | Toggled
    | Released
    | Booked
    | Cancelled
    | Cleared
    | Lapsed
    | SeatMap
    | Stock
    | Changes
)
