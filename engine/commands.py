"""The commands for a screening: immutable, plain data.

The first field of every command is its `screening_id`, by which the directory routes it. A `holder` is
"user:7", "session:…" or "client:…". Seat ids may repeat; a repeated seat counts once. "→" names the reply.
"""

from typing import NamedTuple

from engine.records import Arrival, Paper, Receipt, Ticket


class HoldSeats(NamedTuple):
    """Hold all seats or none. Seats that the holder already holds stay as they are.

    → `SeatsHeld`, or `Held` if some of the seats were the holder's already.

    Attributes:
        note: kept with the holds.
        origin: copied to the change that others see, by which the caller recognises its own.
        guest_network: network of a guest; all its guests share a limit. None for a user.
        access: keys of the blocks whose seats it may take (`Block.key`).
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    note: str | None = None
    origin: str | None = None
    guest_network: str | None = None
    access: tuple[str, ...] = ()


class HoldBest(NamedTuple):
    """Hold the best free seats that are next to each other. → `SeatsHeld`

    Attributes:
        quantity: number of seats.
        seat_types: only seats of these types; None for all but wheelchair places.
        max_price_cents: highest price of a seat.
        accessible: one of the seats is to be a wheelchair place. Otherwise none is.
        zone: name of the section of the room where the seats are to be.
        allow_split: if the party does not fit together, hold two groups in neighbouring rows.
        note, origin, guest_network, access: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    quantity: int
    seat_types: tuple[str, ...] | None = None
    max_price_cents: int | None = None
    accessible: bool = False
    zone: str | None = None
    allow_split: bool = False
    note: str | None = None
    origin: str | None = None
    guest_network: str | None = None
    access: tuple[str, ...] = ()


class PlaceOrder(NamedTuple):
    """A number of places of a ticket type."""

    ticket_type_id: int
    quantity: int


class HoldPlaces(NamedTuple):
    """Hold places of ticket types for all orders or none. → `Reserved`

    Attributes:
        orders: each becomes a reservation.
        hold_seconds: how long the holds last; at most `Policy.hold_life_seconds`.
        note: kept with the holds.
        guest_network, access: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    orders: tuple[PlaceOrder, ...]
    hold_seconds: float
    note: str | None = None
    guest_network: str | None = None
    access: tuple[str, ...] = ()


class ToggleSeats(NamedTuple):
    """Hold the free seats and release the holder's own; rejected if another holder has one. → `Toggled`

    Attributes:
        guest_network, access: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    guest_network: str | None = None
    access: tuple[str, ...] = ()


class ExtendHolds(NamedTuple):
    """Move the deadlines of the holder's holds by `extra_seconds`. → `HoldsExtended`

    Attributes:
        reservation_id: names the holds instead of `seat_ids`.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    extra_seconds: float
    reservation_id: int | None = None


class ReleaseHolds(NamedTuple):
    """Release the holder's holds, all of them or those of `seat_ids`.

    Seats that the holder does not hold are ignored, so releasing is idempotent. → `HoldsReleased`, or
    `Released` if there was nothing to release.

    Attributes:
        reservation_id: names the holds instead of `seat_ids`; it must be the holder's.
        origin: as in `HoldSeats`.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...] | None = None
    reservation_id: int | None = None
    origin: str | None = None


class HoldSeatsFor(NamedTuple):
    """Hold all seats or none for somebody by hand. Seats that the holder already holds stay as they are. →
    `Held`

    Attributes:
        actor: who gives the command.
        taken_from: a holder whose holds of the seats pass to `holder`, at the agreed prices. None for nobody.
        beyond_limit: the holder may exceed the organiser's limits per person.
        access: as in `HoldSeats`.
        note: kept with the holds.
        order: places to hold instead of seats.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    actor: str
    taken_from: str | None = None
    beyond_limit: bool = False
    access: tuple[str, ...] = ()
    note: str | None = None
    order: PlaceOrder | None = None


class RevokeHolds(NamedTuple):
    """Release a holder's holds of some seats by hand. Seats that the holder does not hold are ignored. →
    `HoldsReleased`, or `Released` if there was nothing to release.

    Attributes:
        actor: who releases them.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    actor: str


class BookSeats(NamedTuple):
    """Issue tickets for seats that are free or held by the holder. Durable. → `Booked`

    Attributes:
        payment_id: the payment; the same payment, holder and seats again give the same tickets.
        payment_pending: the tickets are pending until a payment is confirmed.
        held_only: reject seats that the holder does not hold (`NotHeld`).
        receipt: the idempotency key under which the answer is kept.
        reservation_id: names held seats instead of `seat_ids`; it must be the holder's.
        owner: who gets the tickets, if that is not the holder.
        papers: content of the tickets, one for each in their order, or none.
        actor: who gives the command, if that is not the holder.
        expected_total_cents: reject the booking if the seats cost another amount in all (`PriceChanged`);
            None for any. Held seats cost what they did when they were held.
        booking_id: the booking that the tickets belong to, if it is not a new one.
        unvouched: nobody vouches for the payment, so tickets that cost something are pending until then.
        access: as in `HoldSeats`.
        free_because: why the tickets cost nothing; None if they cost what they do.
        late: the payment has come after its hold has ended, so the choice of seats is not judged again.
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
    actor: str | None = None
    expected_total_cents: int | None = None
    booking_id: int | None = None
    unvouched: bool = False
    access: tuple[str, ...] = ()
    free_because: str | None = None
    late: bool = False


class SellSeats(NamedTuple):
    """Issue paid tickets by hand for seats that are free or held by the holder. Durable. → `Booked`

    Attributes:
        holder: who gets the tickets.
        actor: who sells them.
        payment_id, receipt, access, free_because: as in `BookSeats`.
        beyond_limit: the holder may exceed the organiser's limits per person.
        taken_from: whose holds of the seats are sold, instead of those of `holder`; None for nobody.
        order: places to sell instead of seats.
        papers: one for each place.
    """

    screening_id: int
    holder: str
    seat_ids: tuple[int, ...]
    actor: str
    payment_id: str | None = None
    receipt: Receipt | None = None
    beyond_limit: bool = False
    access: tuple[str, ...] = ()
    free_because: str | None = None
    taken_from: str | None = None
    order: PlaceOrder | None = None
    papers: tuple[Paper, ...] = ()


class ConfirmTicket(NamedTuple):
    """Confirm the payment of a pending ticket. Durable; idempotent per payment. → `Booked`

    Attributes:
        payment_id: the payment; None if the actor confirms it by hand.
        actor: who gives the command, if that is not the holder.
        expected_total_cents: reject it if the ticket costs another amount (`PriceChanged`); None for any.
    """

    screening_id: int
    holder: str
    ticket_id: int
    seat_id: int
    payment_id: str | None
    receipt: Receipt | None = None
    actor: str | None = None
    expected_total_cents: int | None = None


class CancelTicket(NamedTuple):
    """Cancel a live ticket and free its seat. Durable. → `Cancelled`

    Attributes:
        actor: who gives the command, if that is not the holder.
    """

    screening_id: int
    holder: str
    ticket_id: int
    seat_id: int
    actor: str | None = None


class ConfirmTickets(NamedTuple):
    """Confirm the payment of several tickets of a holder, all or none. Durable. → `Booked`

    Tickets that the same payment has confirmed before stay as they are.

    Attributes:
        seat_ids: of the tickets, in their order.
        payment_id, receipt, actor: as in `ConfirmTicket`.
        expected_total_cents: reject it if the tickets cost another amount in all; None for any.
    """

    screening_id: int
    holder: str
    ticket_ids: tuple[int, ...]
    seat_ids: tuple[int, ...]
    payment_id: str | None
    receipt: Receipt | None = None
    actor: str | None = None
    expected_total_cents: int | None = None


class CancelTickets(NamedTuple):
    """Cancel several live tickets of a holder, all or none, and free their seats. Durable. → `Cleared`

    Attributes:
        seat_ids: of the tickets, in their order.
        actor: who gives the command, if that is not the holder.
    """

    screening_id: int
    holder: str
    ticket_ids: tuple[int, ...]
    seat_ids: tuple[int, ...]
    actor: str | None = None


class MoveTickets(NamedTuple):
    """Move confirmed tickets of a holder to other seats, all or none. Durable. → `Moved`

    Attributes:
        seat_ids: of the tickets now, in their order.
        to_seat_ids: where each of them goes; they are free, held by the holder or left by the same command.
            Empty if there is an `arrival` or a `to_type_id`.
        payment_id: pays what the seats cost more in all.
        expected_total_cents: reject it if they cost another amount more (`PriceChanged`); None for any.
        actor: who gives the command, if that is not the holder.
        by_hand: neither the organiser's rules nor a payment are required.
        unvouched: nobody vouches for the payment, so it pays for nothing.
        arrival: seats of another screening that wait for the tickets.
        to_type_id: the ticket type whose places they get, in an event.
        receipt: as in `BookSeats`.
    """

    screening_id: int
    holder: str
    ticket_ids: tuple[int, ...]
    seat_ids: tuple[int, ...]
    to_seat_ids: tuple[int, ...] = ()
    payment_id: str | None = None
    expected_total_cents: int | None = None
    actor: str | None = None
    by_hand: bool = False
    unvouched: bool = False
    arrival: Arrival | None = None
    to_type_id: int | None = None
    receipt: Receipt | None = None


class ReceiveTickets(NamedTuple):
    """Keep seats for tickets of another screening until `EndArrival`, or until it is certain what has become
    of them. → `Arrival`

    Attributes:
        tickets: as they are, in the other screening.
        seat_ids: where each of them goes; free or held by the holder. Empty if there is a `to_type_id`.
        by_hand, to_type_id: as in `MoveTickets`.
    """

    screening_id: int
    holder: str
    tickets: tuple[Ticket, ...]
    seat_ids: tuple[int, ...]
    by_hand: bool = False
    to_type_id: int | None = None


class EndArrival(NamedTuple):
    """Tell a screening whether tickets have arrived. It has no effect if the screening knows that. → `Moved`

    Attributes:
        epoch, seq: of the `Arrival`.
        tickets: those that have arrived, by a move that is committed; empty if it certainly never will be.
    """

    screening_id: int
    epoch: int
    seq: int
    tickets: tuple[Ticket, ...] = ()


class CancelScreening(NamedTuple):
    """Release all holds, cancel all live tickets, and close sales. Durable. → `Cleared`

    It is rejected while there are pending writes (`BookingInProgress`).

    Attributes:
        unsold_only: reject it if there are live tickets.
    """

    screening_id: int
    actor: str
    unsold_only: bool = False


class BlockSeats(NamedTuple):
    """Keep back free seats, or free places of a ticket type: all or none. Durable. → `SeatsBlocked`

    Attributes:
        actor: who does it.
        label, kind, channel, release_at: as in `Block`.
        ticket_type_id, quantity: name places instead of `seat_ids`.
    """

    screening_id: int
    actor: str
    label: str
    kind: str
    seat_ids: tuple[int, ...] = ()
    ticket_type_id: int | None = None
    quantity: int = 0
    channel: str | None = None
    release_at: float | None = None


class UnblockSeats(NamedTuple):
    """Release a block; seats of it that somebody holds or has bought stay with them. Durable. →
    `SeatsUnblocked`

    Attributes:
        actor: who does it.
        seat_ids: releases only these of its seats.
    """

    screening_id: int
    block_id: int
    actor: str
    seat_ids: tuple[int, ...] | None = None


class ReadBlocks(NamedTuple):
    """Read the blocks. → `Blocks`"""

    screening_id: int


class JoinWaitlist(NamedTuple):
    """Wait for seats, or for places of a ticket type, that others give back. → `Waiting`

    Attributes:
        quantity: number of seats or places.
        ticket_type_id: the ticket type; None for seats.
        together: only adjacent seats will do.
    """

    screening_id: int
    holder: str
    quantity: int
    ticket_type_id: int | None = None
    together: bool = False


class WatchSeat(NamedTuple):
    """Ask to be told when a seat is free that somebody else has. → `Waiting`

    Attributes:
        mail: a mail is sent as well, if an address is known.
    """

    screening_id: int
    holder: str
    seat_id: int
    mail: bool = False


class LeaveWaitlist(NamedTuple):
    """End an entry of the holder, and release what was offered to it. → `Waiting`

    Attributes:
        actor: who ends it, if that is not the holder.
    """

    screening_id: int
    holder: str
    entry_id: int
    actor: str | None = None


class ReleaseLapsed(NamedTuple):
    """Release what has lapsed by now, and do what is due, as timers do. → `Lapsed`"""

    screening_id: int


class ReadSeats(NamedTuple):
    """Read the state of all seats. → `SeatMap`"""

    screening_id: int


class ReadReservation(NamedTuple):
    """Read the holder's live holds of one reservation: none if it has ended or is not the holder's. →
    `Held`
    """

    screening_id: int
    holder: str
    reservation_id: int


class ReadStock(NamedTuple):
    """Read how many seats and places are left. → `Stock`"""

    screening_id: int


class ShowStock(NamedTuple):
    """Publish how many seats and places are left, after a change other than a sale. → `Stock`"""

    screening_id: int


class ReadScarcity(NamedTuple):
    """Read how much is held, and how much of that lapses soon. → `Scarcity`"""

    screening_id: int


class ReadChanges(NamedTuple):
    """Read the changes after `since` of `epoch`, if they are still kept. → `Changes`"""

    screening_id: int
    epoch: int
    since: int


Command = (
    HoldSeats
    | HoldBest
    | HoldPlaces
    | ToggleSeats
    | ExtendHolds
    | ReleaseHolds
    | HoldSeatsFor
    | RevokeHolds
    | BookSeats
    | SellSeats
    | ConfirmTicket
    | CancelTicket
    | ConfirmTickets
    | CancelTickets
    | MoveTickets
    | ReceiveTickets
    | EndArrival
    | CancelScreening
    | BlockSeats
    | UnblockSeats
    | ReadBlocks
    | JoinWaitlist
    | WatchSeat
    | LeaveWaitlist
    | ReleaseLapsed
    | ReadSeats
    | ReadReservation
    | ReadStock
    | ShowStock
    | ReadScarcity
    | ReadChanges
)

READS: frozenset[type] = frozenset(
    {ReadSeats, ReadReservation, ReadStock, ShowStock, ReadScarcity, ReadChanges, ReadBlocks}
)
"""Commands that change nothing."""
