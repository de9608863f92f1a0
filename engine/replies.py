"""The replies to commands: plain data.

The reply to a command that has changed holds is its event (`engine.events`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from engine.events import HoldsExtended, HoldsReleased, SeatsBlocked, SeatsHeld, SeatsUnblocked
from engine.records import Arrival, Block, Hold, Ticket
from engine.sale_rules import ALWAYS, NO_WINDOWS, Window
from engine.views import SeatMap, SeatsChanged
from engine.waitlist_records import WaitlistEntry


class Held(NamedTuple):
    """The caller's holds of the named seats, in the order of the command.

    Attributes:
        stranded, alternatives: as in `SeatsHeld`.
    """

    holds: tuple[Hold, ...]
    stranded: tuple[int, ...] = ()
    alternatives: tuple[tuple[int, ...], ...] = ()


class Reserved(NamedTuple):
    """The holds of each reservation, in the order of the orders."""

    reservations: tuple[tuple[Hold, ...], ...]


class Toggled(NamedTuple):
    """The holds that a toggle has made and released.

    Attributes:
        holding: the event of the seats that were free, if there were any.
        releasing: the event of the caller's own seats, if there were any.
    """

    holding: SeatsHeld | None
    releasing: HoldsReleased | None

    @property
    def held(self) -> tuple[Hold, ...]:
        return self.holding.holds if self.holding else ()

    @property
    def released(self) -> tuple[Hold, ...]:
        return self.releasing.holds if self.releasing else ()


class Released(NamedTuple):
    """The holds that were released: none, or the reply would be `HoldsReleased`."""

    holds: tuple[Hold, ...]


class Booked(NamedTuple):
    """The tickets, in the order of the command, after the commit."""

    tickets: tuple[Ticket, ...]


class Cancelled(NamedTuple):
    """The cancelled ticket, after the commit."""

    ticket: Ticket


class Cleared(NamedTuple):
    """The tickets that were cancelled together, and the released holds of a cancelled screening, after the
    commit.
    """

    tickets: tuple[Ticket, ...]
    holds: tuple[Hold, ...]


class Moved(NamedTuple):
    """The tickets where they are now, in the order of the command, after the commit."""

    tickets: tuple[Ticket, ...]


class Lapsed(NamedTuple):
    """Number of holds and pending tickets that lapsed."""

    number: int


class StockLevel(NamedTuple):
    """The places of a ticket type.

    Attributes:
        reserved: held, or with a pending write.
        blocked: kept back in blocks.
    """

    total: int
    sold: int
    reserved: int
    blocked: int = 0

    @property
    def available(self) -> int:
        return self.total - self.sold - self.reserved - self.blocked


class Stock(NamedTuple):
    """Numbers of seats and places of a screening, as of (epoch, seq).

    Attributes:
        available: free seats and places.
        capacity: all seats and places.
        ticket_types: by id.
        window: when the screening or event is on sale.
        type_windows: when ticket types are on sale, by id, without those that always are.
    """

    screening_id: int
    epoch: int
    seq: int
    available: int
    capacity: int
    ticket_types: Mapping[int, StockLevel]
    window: Window = ALWAYS
    type_windows: Mapping[int, Window] = NO_WINDOWS


class BlockLevel(NamedTuple):
    """A block, and the numbers of its seats that are left and sold.

    Attributes:
        kept: number of its seats and places that nobody has.
        sold: number of those that are paid for.
    """

    block: Block
    kept: int
    sold: int


class Blocks(NamedTuple):
    """The blocks of a screening, oldest first."""

    blocks: tuple[BlockLevel, ...]


class Waiting(NamedTuple):
    """The entry of somebody who waits.

    Attributes:
        position: from 1; 0 for one that does not wait any more.
    """

    entry: WaitlistEntry
    position: int


class Scarcity(NamedTuple):
    """Numbers of held seats and places, and of those that lapse soon unless they are extended or bought.

    Attributes:
        at: when it was counted, in seconds since the epoch; at most a second ago.
        held: number of seats and places that are held, or whose payment is pending.
        lapsing: how many of these lapse within 60, 120 and 300 seconds.
        ticket_types: the same three numbers by ticket type.
        waiting: number of entries of the waiting list that wait.
    """

    screening_id: int
    at: float
    held: int
    lapsing: tuple[int, ...]
    ticket_types: Mapping[int, tuple[int, ...]]
    waiting: int


class Changes(NamedTuple):
    """The reply to `ReadChanges`.

    Attributes:
        seq: number of the last visible change.
        missed: the changes after `since`, oldest first. None if they are no longer kept or `since` is of
            another epoch; then the client needs the whole `SeatMap`.
        window: when the screening is on sale.
    """

    epoch: int
    seq: int
    missed: tuple[SeatsChanged, ...] | None
    window: Window = ALWAYS


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
    | Moved
    | Arrival
    | Lapsed
    | SeatMap
    | Stock
    | SeatsBlocked
    | SeatsUnblocked
    | Blocks
    | Waiting
    | Scarcity
    | Changes
)
