"""What a screening is between two decisions, and the steps and checks that decisions are made of.

The state knows seats, pending writes and the numbering of everything that happens. The decisions stand in
`engine.holding` and `engine.selling`; `engine.screening` routes commands to them.
"""

from collections import deque
from typing import NamedTuple, TypeVar

from engine import events as ev
from engine.commands import BookSeats, ExtendHolds, ReleaseHolds
from engine.hold_lives import HoldLives
from engine.places import ticket_type_of
from engine.policy import Policy
from engine.ports import IdSource, LoadedScreening
from engine.records import Hold, Ticket, make
from engine.replies import Changes, Reply, Stock, StockLevel
from engine.seat_inventory import SeatInventory
from engine.seat_records import PendingWrite, Standing
from engine.seat_states import SeatAction
from engine.selling_errors import (
    BookingInProgress,
    GuestLimitExceeded,
    HoldLimitExceeded,
    ReservationNotHeld,
    RoomFull,
    ScreeningCancelled,
    ScreeningNotFound,
    ScreeningStarted,
    SeatsNotFound,
    SeatsUnavailable,
)
from engine.views import SeatMap, SeatsChanged, SeatsShown, Shown

TicketEvent = TypeVar(
    "TicketEvent", ev.TicketsIssued, ev.TicketsConfirmed, ev.TicketsCancelled, ev.TicketsLapsed
)

HoldEventType = TypeVar("HoldEventType", ev.PlacesHeld, ev.HoldsExtended, ev.HoldsReleased, ev.HoldsExpired)

_LIVE_AFTER = frozenset({SeatAction.ISSUE, SeatAction.CONFIRM})


class Decision(NamedTuple):
    """What a decision leads to.

    Attributes:
        reply: the answer; of a durable command it is due only when its pending write settles.
        events: for the journal, in the order of their `seq`.
        changes: what others see from now on, in the order of their `seq`.
        write_id: id of the pending write that the answer waits for; None for an immediate answer.
    """

    reply: Reply
    events: tuple[ev.Event, ...] = ()
    changes: tuple[SeatsChanged, ...] = ()
    write_id: int | None = None


class ScreeningState:
    """The state of one screening in memory.

    Args:
        loaded: the state as it was stored, with the epoch of this ownership.
        policy: the limits of selling.
        hold_ids: ids for holds.
        ticket_ids: ids for tickets.
        change_memory: how many visible changes are kept for clients that resume.

    Attributes:
        closed: whether nothing is sold any more.
        lives: how long holders have kept seats in all.
        pending_writes: the durable changes that wait for the database, by id.
        seq: number of the last event or change.
        starts_at: when sales end, in seconds since the epoch.
        hold_seconds: how long a hold lasts that nothing shortens.
        unchecked_seats: how many free seats a holder who has none may hold without a call of `require_room`;
            0 in a free room, which may be full although the named seats are free.
    """

    __slots__ = (
        "_change_memory",
        "_changes",
        "_first_seq",
        "_map",
        "_seated",
        "_visible_seq",
        "closed",
        "epoch",
        "hold_ids",
        "hold_seconds",
        "info",
        "lives",
        "pending_writes",
        "policy",
        "screening_id",
        "seats",
        "seq",
        "starts_at",
        "ticket_ids",
        "unchecked_seats",
    )

    def __init__(
        self,
        loaded: LoadedScreening,
        policy: Policy,
        hold_ids: IdSource,
        ticket_ids: IdSource,
        change_memory: int,
    ) -> None:
        self.info = loaded.info
        self.screening_id = loaded.info.id
        self.starts_at = loaded.info.starts_at
        self._seated = loaded.info.seated
        self.epoch = loaded.epoch
        self.policy = policy
        self.hold_ids = hold_ids
        self.ticket_ids = ticket_ids
        self.seats = SeatInventory(loaded.layout, loaded.info.ticket_types, loaded.info.free_seats)
        self.lives = HoldLives(policy.hold_life_seconds, by_ticket_type=bool(loaded.info.ticket_types))
        self.hold_seconds = min(policy.hold_seconds, policy.hold_life_seconds)
        self.unchecked_seats = 0 if loaded.info.free_seats else policy.held_seats_limit
        self.pending_writes: dict[int, PendingWrite] = {}
        self.closed = False
        self.seq = self._visible_seq = self._first_seq = loaded.seq
        self._change_memory = change_memory
        self._changes: deque[SeatsChanged] | None = None
        self._map: SeatMap | None = None
        self.seats.restore((*loaded.tickets, *loaded.holds))

    def recall(self, earlier: "ScreeningState") -> None:
        """Copy what is not stored of holders: the networks of guests, and how long holders have kept seats.

        Args:
            earlier: the state before the screening was changed and loaded anew.
        """
        self.seats.claims.recall(earlier.seats.claims)
        if bool(self.info.ticket_types) == bool(earlier.info.ticket_types):
            self.lives = earlier.lives

    # Reading

    def seat_map(self) -> SeatMap:
        """All seats at this moment; the same object until something visible changes."""
        if self._map is None:
            self._map = SeatMap(
                self.screening_id, self.epoch, self._visible_seq, self.seats.layout, self.seats.views()
            )
        return self._map

    def stock(self) -> Stock:
        """How much of everything is left at this moment."""
        levels = {
            ticket_type_id: StockLevel(places.capacity, places.sold, places.reserved)
            for ticket_type_id, places in self.seats.places.items()
        }
        return Stock(
            self.screening_id,
            self.epoch,
            self._visible_seq,
            self.seats.available,
            self.seats.capacity,
            levels,
        )

    def changes_since(self, epoch: int, since: int) -> Changes:
        """What became visible after `since` of `epoch`, where that is still known."""
        changes = tuple(self._changes or ())
        forgotten_seq = changes[0].seq if len(changes) > self._change_memory else self._first_seq
        missed = None
        if epoch == self.epoch and forgotten_seq <= since <= self._visible_seq:
            missed = tuple(change for change in changes if change.seq > since)
        return Changes(self.epoch, self._visible_seq, missed)

    def price_of(self, seat_id: int) -> int:
        """Price of a seat or place in cents."""
        seat = self.seats.layout.by_id.get(seat_id)
        if seat is None:
            return self.info.ticket_types[ticket_type_of(seat_id)].price_cents
        return self.info.price_of(seat)

    # Checks: they raise or let pass, and change nothing

    def require_open(self, now: float, attempt: str) -> None:
        """Let pass while tickets are sold. `attempt` is what was tried, for the refusal."""
        if now >= self.starts_at:
            raise ScreeningStarted(self.screening_id, attempt)
        if self.closed:
            raise ScreeningCancelled(self.screening_id)

    def require_seats(self) -> None:
        """Let pass where there are seats to be seen and chosen."""
        if not self._seated:
            raise ScreeningNotFound(self.screening_id)

    def known(self, seat_ids: tuple[int, ...]) -> tuple[int, ...]:
        """The named seats, each once, in the order in which they were named."""
        if not self._seated:
            self.require_seats()
        layout, number = self.seats.layout, len(seat_ids)
        if layout.has_all(seat_ids):
            # Most name one seat or two, and these are compared at a third of the cost of a set.
            if number == 1 or (seat_ids[0] != seat_ids[1] if number == 2 else number == len(set(seat_ids))):
                return seat_ids
        by_id, wanted = layout.by_id, tuple(dict.fromkeys(seat_ids))
        unknown = [seat_id for seat_id in wanted if seat_id not in by_id]
        if unknown and not (self.info.free_seats and max(unknown) < 0):
            raise SeatsNotFound(unknown)
        return wanted

    def named(self, command: ExtendHolds | ReleaseHolds | BookSeats) -> tuple[int, ...]:
        """The seats that a command names, by themselves or by the reservation they are held under."""
        if command.reservation_id is None:
            return self.known(command.seat_ids or ())
        reserved = self.seats.reserved_as(command.holder, command.reservation_id)
        if not reserved:
            raise ReservationNotHeld(command.reservation_id)
        return tuple(reserved)

    def obtainable(self, holder: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Those of `wanted` that are free, provided that the holder has the others already."""
        if self.seats.are_free(wanted):
            return wanted
        return tuple(self.divided(holder, wanted).free)

    def divided(self, holder: str, wanted: tuple[int, ...]) -> Standing:
        """Which of `wanted` are free and which are the holder's own, provided that there are no others."""
        standing = self.seats.standing(holder, wanted)
        if standing.held or standing.booked:
            raise SeatsUnavailable(sorted(standing.held), sorted(standing.booked))
        if standing.in_progress:
            raise BookingInProgress(standing.in_progress)
        return standing

    def require_room(self, holder: str, wanted: int, returned: int = 0, network: str | None = None) -> None:
        """Check the caps on the unpaid seats of a holder, and of all guests of its network.

        Args:
            holder: who wants more.
            wanted: how much.
            returned: how much the same command gives back.
            network: where a guest comes from; None for a user.
        """
        held = len(self.seats.claims.get(holder, ()))
        limit = self.policy.held_seats_limit
        if wanted and held - returned + wanted > limit:
            raise HoldLimitExceeded(limit, held, wanted)
        if network is not None:
            held, limit = self.seats.claims.of_network(network, holder), self.policy.guest_seats_limit
            if held + wanted > limit:
                raise GuestLimitExceeded(limit, held, wanted)
        if wanted > self.seats.available:  # of seats that a layout has, so many are known to be free
            raise RoomFull(self.info.free_seats)

    # Steps: everything has been checked

    def begin(
        self,
        action: SeatAction,
        event_type: type[TicketEvent],
        tickets: tuple[Ticket, ...],
        reply: Reply,
        now: float,
        holder: str,
        *,
        actor: str | None = None,
        payment_id: str | None = None,
        converted: tuple[Hold, ...] = (),
    ) -> TicketEvent:
        """Send the seats of `tickets` through COMMITTING, all in one pending write with the event's number.

        Args:
            action: ISSUE, CONFIRM, CANCEL or LAPSE.
            event_type: the event for the journal.
            tickets: as they will be.
            reply: the answer that is due when it settles.
            now: seconds since the epoch.
            holder: whose seats they are.
            actor: who asked for it, if that is not the holder.
            payment_id: the payment it was asked with.
            converted: the holds that become tickets.
        """
        from_statuses = tuple(self.seats.status(ticket.seat_id) for ticket in tickets)
        self.seq += 1
        event = event_type(
            self.screening_id, self.epoch, self.seq, now, actor or holder, tickets, from_statuses, converted
        )
        seat_ids = tuple(ticket.seat_id for ticket in tickets)
        write = PendingWrite(
            event.seq,
            action,
            holder,
            seat_ids,
            payment_id,
            event_type.kind,
            reply,
        )
        self.pending_writes[write.id] = write
        self.seats.commit(write, tickets if action in _LIVE_AFTER else [None] * len(tickets))
        return event

    def show(self, cause: str, seats: tuple[Shown, ...], now: float) -> SeatsShown:
        """Number a change that others see, and remember it for clients that resume."""
        available, capacity = self.seats.available, self.seats.capacity
        change = SeatsShown(
            self.screening_id, self.epoch, self.seq + 1, now, cause, seats, available, capacity
        )
        self.remember(change)
        return change

    def happened(
        self,
        event_type: type[HoldEventType],
        actor: str,
        holds: tuple[Hold, ...],
        seats: tuple[Shown, ...],
        now: float,
        origin: str | None = None,
    ) -> HoldEventType:
        """Number an event about holds, and remember it for clients that resume."""
        available, capacity, seq = self.seats.available, self.seats.capacity, self.seq + 1
        event = make(
            event_type,
            (self.screening_id, self.epoch, seq, now, actor, holds, seats, available, capacity, origin),
        )
        self.remember(event)
        return event

    def remember(self, change: SeatsChanged) -> None:
        """Keep the change with the next `seq` for clients that resume."""
        self.seq = self._visible_seq = self.seq + 1
        self._map = None
        if self._changes is None:
            # One more than are kept: the first of so many only says what has been forgotten.
            self._changes = deque(maxlen=self._change_memory + 1)
        self._changes.append(change)
