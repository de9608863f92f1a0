"""What can be asked of a screening: imperative, immutable, plain data.

Every command names its `screening_id` first, which is how the directory routes it. A `holder` is
"user:7", "session:…" or "client:…". Seat ids may repeat; a repeated seat counts once.
"""

from typing import NamedTuple

from engine.records import Paper, Receipt


class HoldSeats(NamedTuple):
    """Hold every seat, or none. Seats the holder has already are left as they are. → `Held`

    Attributes:
        note: kept with the holds.
        origin: repeated in the change that others see, so that whoever asked knows it for his own.
        guest_network: the network that a guest comes from, whose guests share a cap; None for a user.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    note: str | None = None
    origin: str | None = None
    guest_network: str | None = None


class PlaceOrder(NamedTuple):
    """So many places of a ticket type."""

    ticket_type_id: int
    quantity: int


class HoldPlaces(NamedTuple):
    """Hold places of ticket types: all that is ordered, or none. → `Reserved`

    Attributes:
        orders: each becomes a reservation of its own.
        hold_seconds: how long it lasts; at most the life that any hold may have.
        note: kept with the holds.
        guest_network: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    orders: tuple[PlaceOrder, ...]
    hold_seconds: float
    note: str | None = None
    guest_network: str | None = None


class ToggleSeats(NamedTuple):
    """Hold those that are free, release one's own; any seat of another refuses all. → `Toggled`"""

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]


class ExtendHolds(NamedTuple):
    """Move the deadlines of one's holds by `extra_seconds`. → `Held`

    Attributes:
        reservation_id: names the holds in the place of `seat_ids`.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    extra_seconds: float
    reservation_id: int | None = None


class ReleaseHolds(NamedTuple):
    """Give back one's holds, all of them or those of `seat_ids`. → `Released`

    Seats of the room that the holder does not hold are passed over: releasing is idempotent.

    Attributes:
        reservation_id: names the holds in the place of `seat_ids`; it must be the holder's.
        origin: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...] | None = None
    reservation_id: int | None = None
    origin: str | None = None


class BookSeats(NamedTuple):
    """Issue tickets for seats that are free or held by the holder. Durable. → `Booked`

    Attributes:
        payment_id: the payment that pays for it; the same payment, holder and seats again give the
            same tickets.
        payment_pending: the tickets stay pending until a payment is confirmed.
        held_only: refuse seats that the holder does not hold (`NotHeld`).
        receipt: where the answer is kept for a repeat of the request.
        reservation_id: names held seats in the place of `seat_ids`; it must be the holder's.
        owner: whose the tickets are, if that is not the holder.
        papers: what the tickets are issued with, one for each in their order, or none at all.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    payment_id: str | None = None
    payment_pending: bool = False
    held_only: bool = False
    receipt: Receipt | None = None
    reservation_id: int | None = None
    owner: str | None = None
    papers: tuple[Paper, ...] = ()


class ConfirmTicket(NamedTuple):
    """Confirm the payment of a pending ticket. Durable; idempotent per payment. → `Booked`

    Attributes:
        payment_id: what has paid for it; None where somebody vouches for it.
        actor: who asks, if that is not the holder.
    """

    screening_id: int
    holder: str
    ticket_id: int
    seat_id: int
    payment_id: str | None
    receipt: Receipt | None = None
    actor: str | None = None


class CancelTicket(NamedTuple):
    """Cancel a live ticket and free its seat. Durable. → `Cancelled`

    Attributes:
        actor: who asks, if that is not the holder.
    """

    screening_id: int
    holder: str
    ticket_id: int
    seat_id: int
    actor: str | None = None


class CancelScreening(NamedTuple):
    """Release all holds, cancel all live tickets, and sell nothing more. Durable. → `Cleared`

    It is refused while a ticket is on its way to the database (`BookingInProgress`).

    Attributes:
        unsold_only: refuse it if there are live tickets.
    """

    screening_id: int
    actor: str
    unsold_only: bool = False


class ReleaseLapsed(NamedTuple):
    """Release whatever has lapsed by now; timers do the same. → `Lapsed`"""

    screening_id: int


class ReadSeats(NamedTuple):
    """The state of all seats at one moment. → `SeatMap`"""

    screening_id: int


class ReadReservation(NamedTuple):
    """The holder's live holds of one reservation; none if it is over, or not the holder's. → `Held`"""

    screening_id: int
    holder: str
    reservation_id: int


class ReadStock(NamedTuple):
    """How much of everything is left at one moment. → `Stock`"""

    screening_id: int


class ShowStock(NamedTuple):
    """Tell whoever watches how much there is, after something else than selling has changed it. → `Stock`"""

    screening_id: int


class ReadChanges(NamedTuple):
    """What became visible after `since` of `epoch`, if it is still known. → `Changes`"""

    screening_id: int
    epoch: int
    since: int


Command = (
    HoldSeats
    | HoldPlaces
    | ToggleSeats
    | ExtendHolds
    | ReleaseHolds
    | BookSeats
    | ConfirmTicket
    | CancelTicket
    | CancelScreening
    | ReleaseLapsed
    | ReadSeats
    | ReadReservation
    | ReadStock
    | ShowStock
    | ReadChanges
)

READS: frozenset[type] = frozenset({ReadSeats, ReadReservation, ReadStock, ShowStock, ReadChanges})
"""Commands that decide nothing."""
