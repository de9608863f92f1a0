"""The records of seats, beside holds and tickets: pending writes and blocks. Seats by their availability."""

from typing import NamedTuple, TypeVar

from engine.events import SeatsHeld
from engine.records import Hold, Ticket
from engine.replies import Reply
from engine.seat_states import SeatAction


class PendingWrite(NamedTuple):
    """A durable change that the database has not committed yet.

    Attributes:
        id: the `seq` of its event.
        action: ISSUE, CONFIRM, MOVE, CANCEL or LAPSE.
        holder: whose seats they are; `events.SYSTEM` if tickets lapse or a screening is cancelled.
        payment_id: the payment of a booking or confirmation.
        cause: kind of its event; also the `cause` that others see after the commit.
        reply: the reply to give after the commit.
    """

    id: int
    action: SeatAction
    holder: str
    seat_ids: tuple[int, ...]
    payment_id: str | None
    cause: str
    reply: Reply


class Commitment(NamedTuple):
    """A seat with a pending write: its record `before`, and the one `after` the commit."""

    write: PendingWrite
    before: "Hold | Ticket | None"
    after: Ticket | None


class Kept(NamedTuple):
    """A seat of a block that nobody has. All seats of a block have the same record.

    Attributes:
        key: as in `Block`.
    """

    block_id: int
    key: str | None


Record = Hold | Ticket | Commitment | Kept

HELD = (SeatsHeld, Hold)
"""The records of held seats: one for all seats that were held together, or one for a single seat."""


class Availability(NamedTuple):
    """Seats by their state from one holder's point of view, each list in the order of the command.

    Attributes:
        free: available.
        own: held by the holder.
        in_progress: with a pending write of the holder.
        held: reserved for somebody else.
        booked: sold, to anybody, or kept back.
    """

    free: list[int]
    own: list[int]
    in_progress: list[int]
    held: list[int]
    booked: list[int]


Moved = TypeVar("Moved", bound=Hold | Ticket)


def moved_by(record: Moved, seconds: float) -> Moved:
    """Return a copy with its deadline moved, if it has one."""
    if isinstance(record, Hold):
        reserved_at, expires_at = record.reserved_at + seconds, record.expires_at + seconds
        return record._replace(reserved_at=reserved_at, expires_at=expires_at)
    if record.payment_deadline is None:
        return record
    return record._replace(payment_deadline=record.payment_deadline + seconds)
