"""The state of a screening between two commands, and the checks and steps that decisions share.

It has the seats, the pending writes and the counter that numbers events and changes. `engine.holding` and
`engine.selling` decide commands; `engine.screening` calls them.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import inf
from typing import NamedTuple, TypeVar

from engine import events as ev
from engine.commands import BookSeats, ExtendHolds, ReleaseHolds
from engine.figures import ScreeningFigures, holds_per_second
from engine.handover import POSITIONS_LIMIT, Handover, Memory, Positions
from engine.hold_lives import HoldLives
from engine.orphans import OrphanJudge
from engine.person_limits import limits_of
from engine.policy import Policy
from engine.ports import IdSource, LoadedScreening
from engine.prices import Prices
from engine.records import Hold, Ticket, make
from engine.replies import Changes, Reply, Scarcity, Stock, StockLevel
from engine.sale_rules import NO_RULES, OrphanRule
from engine.sales_windows import type_windows, whole_window
from engine.seat_inventory import SeatInventory
from engine.seat_records import Availability, PendingWrite
from engine.seat_states import SeatAction, SeatStatus
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
from engine.state_hash import picture_hash, state_digest
from engine.views import SeatMap, SeatsChanged, SeatsShown, SeatView, Shown, StateHashed
from engine.waiting_list import WaitingList

TicketEvent = TypeVar(
    "TicketEvent", ev.TicketsIssued, ev.TicketsConfirmed, ev.TicketsCancelled, ev.TicketsLapsed
)

HoldEventType = TypeVar(
    "HoldEventType",
    ev.PlacesHeld,
    ev.SeatsHeldFor,
    ev.HoldsExtended,
    ev.HoldsReleased,
    ev.HoldsExpired,
    ev.HoldsExpiring,
)

_LIVE_AFTER = frozenset({SeatAction.ISSUE, SeatAction.CONFIRM})


class Decision(NamedTuple):
    """The result of a command.

    Attributes:
        reply: the reply. That to a durable command must not be given before the commit.
        events: for the journal, in the order of their `seq`.
        changes: what others see from now on, in the order of their `seq`.
        write_id: the pending write that has to be committed before the reply is given, if there is one.
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
        change_memory: number of changes kept for clients that resume.

    Attributes:
        closed: True once the screening is cancelled.
        continued: positions in earlier epochs after which nothing has changed until this one began.
        lives: limits how long a holder may keep a seat.
        pending_writes: the durable changes that are not committed yet, by id.
        price_of: returns the present price of a seat or place, in cents.
        seq: number of the last event or change.
        orphans: judges choices of seats; None if the screening does not want that.
        starts_at: sales close at this time, in seconds since the epoch.
        hold_seconds: how long a hold lasts unless `lives` shortens it.
        rules: how it is sold.
        open_from, open_until: sales are open between these times, in seconds since the epoch. At other times
            `require_open` and `require_on_sale` decide, because some sell earlier, and say what is wrong.
        scarcity: the last count of what lapses soon (`engine.scarcity`).
        waitlist: who waits for seats or tickets; None if nobody does.
        unchecked_seats: number of free seats that a holder without seats may hold without a call of
            `require_within_limits`. It is 0 if there are rules, and in a free room, which may be full
            although the named seats are free.
        sales_told_at: when watchers were last told that sales have opened or closed, in seconds since the
            epoch.
        window: when any of it is on sale.
    """

    __slots__ = (
        "_change_memory",
        "_changes",
        "_first_seq",
        "_hashed_seq",
        "_map",
        "_seated",
        "_stored_seq",
        "_type_windows",
        "_visible_seq",
        "closed",
        "continued",
        "epoch",
        "hold_ids",
        "hold_seconds",
        "info",
        "lives",
        "open_from",
        "open_until",
        "orphans",
        "pending_writes",
        "policy",
        "price_of",
        "rules",
        "sales_told_at",
        "scarcity",
        "screening_id",
        "seats",
        "seq",
        "starts_at",
        "ticket_ids",
        "unchecked_seats",
        "waitlist",
        "window",
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
        self.seats = SeatInventory(
            *(loaded.layout, loaded.info.ticket_types, loaded.info.free_seats),
            *(policy.expiry_warning_seconds, limits_of(loaded.info)),
        )
        self.price_of = Prices(loaded.info, loaded.layout).__getitem__
        self.lives = HoldLives(policy.hold_life_seconds, by_ticket_type=bool(loaded.info.ticket_types))
        self.hold_seconds = min(policy.hold_seconds, policy.hold_life_seconds)
        self.rules = rules = loaded.info.rules
        self._type_windows = type_windows(loaded.info)
        self.sales_told_at = 0.0
        self.window = whole_window(loaded.info, self._type_windows)
        is_judged = rules.orphan_rule is not OrphanRule.OFF
        self.orphans = OrphanJudge(self.seats, rules) if is_judged else None
        self.unchecked_seats = 0 if loaded.info.free_seats or rules != NO_RULES else policy.held_seats_limit
        self.waitlist: WaitingList | None = None
        self.scarcity: Scarcity | None = None
        self.pending_writes: dict[int, PendingWrite] = {}
        self.closed = False
        self.open_from = -inf if rules.sales_start is None else rules.sales_start
        self.open_until = self.starts_at if rules.sales_end is None else min(self.starts_at, rules.sales_end)
        self.seq = self._visible_seq = self._first_seq = loaded.seq
        self._hashed_seq = self._stored_seq = loaded.seq
        self._change_memory = change_memory
        self._changes: deque[SeatsChanged] | None = None
        self.continued: Positions = ()
        self._map: SeatMap | None = None
        self.seats.restore((*loaded.tickets, *loaded.holds))
        self.seats.restore_blocks(loaded.blocks)

    def handover(self) -> Handover:
        """The part of the state that is not in the database, for the next state of the screening."""
        memory = Memory(
            self.lives.by_ticket_type,
            self.lives.rows(),
            self.seats.unpaid.networks(),
            self.seats.deadlines.warned_at,
        )
        before = self.continued if self._visible_seq == self._first_seq else ()
        positions = ((self.epoch, self._visible_seq), *before)[:POSITIONS_LIMIT]
        return Handover(self.screening_id, self.epoch, self._visible_seq, memory, positions)

    def recall(self, handover: Handover) -> None:
        """Remember what the state remembered before the screening was loaded again."""
        self.continued = handover.positions
        if (memory := handover.memory) is not None:
            self.seats.unpaid.recall(memory.networks)
            self.seats.take_expiring(memory.warned_at)  # their holders have been warned
            if self.lives.by_ticket_type == memory.by_ticket_type:
                self.lives.recall(memory.lives)

    # Reading

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and number of the last change that others have seen."""
        return self.epoch, self._visible_seq

    def seat_map(self) -> SeatMap:
        """All seats; the same object until something visible changes."""
        shown = self._map
        if shown is None or shown.seq != self._visible_seq:
            shown = self._map = SeatMap(
                self.screening_id,
                self.epoch,
                self._visible_seq,
                self.seats.layout,
                self._views_after(shown),
                self.window,
            )
        return shown

    def _views_after(self, earlier: SeatMap | None) -> Mapping[int, SeatView]:
        """Views of all seats that were ever taken: those of an earlier map, with what has changed since.

        A full hall is looked at after every change, and few of its seats have changed then.
        """
        changes = None if earlier is None else self._changes_after(earlier.seq)
        if earlier is None or changes is None:
            return self.seats.views()
        views = {**earlier.views}
        for change in changes:
            for view in change.views:
                if view.status == "available" and view.previous_holder is None:
                    views.pop(view.seat_id, None)
                else:
                    views[view.seat_id] = view
        return views

    def forget_map(self) -> None:
        """Let the next map be made anew, because seats look different without a change that says so."""
        self._map = None

    def stock(self) -> Stock:
        """Numbers of seats and places that are left."""
        levels = {
            ticket_type_id: StockLevel(places.capacity, places.sold, places.reserved, places.blocked)
            for ticket_type_id, places in self.seats.places.items()
        }
        return Stock(
            self.screening_id,
            self.epoch,
            self._visible_seq,
            self.seats.available,
            self.seats.capacity,
            levels,
            self.window,
            self._type_windows,
        )

    def changes_since(self, epoch: int, since: int) -> Changes:
        """The changes after `since` of `epoch`, if they are still kept.

        The last position of an earlier epoch stands for the beginning of this one, if nothing was missed.
        """
        if (epoch, since) in self.continued:
            epoch, since = self.epoch, self._first_seq
        missed = None
        if epoch == self.epoch and since <= self._visible_seq:
            missed = self._changes_after(since)
        return Changes(self.epoch, self._visible_seq, missed, self.window)

    def _changes_after(self, since: int) -> tuple[SeatsChanged, ...] | None:
        """The changes after `since` of this epoch; None if not all of them are kept."""
        changes: Sequence[SeatsChanged] = self._changes or ()
        forgotten_seq = changes[0].seq if len(changes) > self._change_memory else self._first_seq
        if since < forgotten_seq:
            return None
        latest_first = tuple(takewhile(lambda change: change.seq > since, reversed(changes)))
        return latest_first[::-1]

    def figures(self, queue: int, now: float) -> ScreeningFigures:
        """Figures of the screening for operators.

        Args:
            queue: commands that wait.
            now: seconds since the epoch.
        """
        seats = self.seats
        return ScreeningFigures(
            self.screening_id,
            self.epoch,
            self.seq,
            seats.capacity,
            seats.available,
            seats.hold_count,
            queue,
            holds_per_second(self._changes or (), self._change_memory + 1, now),
            seats.kept_count,
        )

    # Checks: they raise or return, and change nothing

    def require_open(self, now: float, attempt: str) -> None:
        """Raise ScreeningStarted or ScreeningCancelled if sales are closed.

        Args:
            now: seconds since the epoch.
            attempt: what the command tried, for the message.
        """
        if now >= self.starts_at:
            raise ScreeningStarted(self.screening_id, attempt)
        if self.closed:
            raise ScreeningCancelled(self.screening_id)

    def require_seats(self) -> None:
        """Raise ScreeningNotFound if the screening has no seat map."""
        if not self._seated:
            raise ScreeningNotFound(self.screening_id)

    def known(self, seat_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Return the named seats, each once, in the order of the command. Raises SeatsNotFound."""
        if not self._seated:
            self.require_seats()
        layout, number = self.seats.layout, len(seat_ids)
        if layout.has_all(seat_ids):
            # Most commands name one or two seats, and comparing two costs a third of making a set.
            if number == 1 or (seat_ids[0] != seat_ids[1] if number == 2 else number == len(set(seat_ids))):
                return seat_ids
        by_id, wanted = layout.by_id, tuple(dict.fromkeys(seat_ids))
        unknown = [seat_id for seat_id in wanted if seat_id not in by_id]
        if unknown and not (self.info.free_seats and max(unknown) < 0):
            raise SeatsNotFound(unknown)
        return wanted

    def named(self, command: ExtendHolds | ReleaseHolds | BookSeats) -> tuple[int, ...]:
        """Return the seats that a command names, directly or by their reservation."""
        if command.reservation_id is None:
            return self.known(command.seat_ids or ())
        reserved = self.seats.reserved_as(command.holder, command.reservation_id)
        if not reserved:
            raise ReservationNotHeld(command.reservation_id)
        return tuple(reserved)

    def obtainable(self, holder: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Return the free ones of `wanted`. Raises SeatsUnavailable unless the holder holds the others."""
        if self.seats.are_free(wanted):
            return wanted
        return tuple(self.divided(holder, wanted).free)

    def divided(self, holder: str, wanted: tuple[int, ...]) -> Availability:
        """Sort `wanted` into free seats and the holder's own. Raises if there are others.

        Raises:
            SeatsUnavailable: seats are held by others or sold.
            BookingInProgress: the holder is buying seats.
        """
        availability = self.seats.availability(holder, wanted)
        if availability.held or availability.booked:
            raise self.unavailable(availability)
        if availability.in_progress:
            raise BookingInProgress(availability.in_progress)
        return availability

    def unavailable(self, availability: Availability) -> SeatsUnavailable:
        """The refusal of a command that wants seats of others, or seats that are kept back."""
        booked = sorted(availability.booked)
        blocked = [seat_id for seat_id in booked if self.seats.status(seat_id) is SeatStatus.BLOCKED]
        return SeatsUnavailable(sorted(availability.held), booked, blocked)

    def require_within_limits(
        self,
        holder: str,
        wanted: int,
        returned: int = 0,
        network: str | None = None,
        ordered: Mapping[int, int] | None = None,
        beyond_limit: bool = False,
        taken: int = 0,
    ) -> None:
        """Check the limits on what a holder may have, and on the unpaid seats of all guests of its network.

        Args:
            holder: who wants seats.
            wanted: number of seats wanted.
            returned: number of seats that the same command releases.
            network: where a guest comes from; None for a user.
            ordered: as in `PersonLimits.require`.
            beyond_limit: an administrator lets the holder exceed the organiser's limits per person.
            taken: how many of the wanted seats the same command takes from another holder.

        Raises:
            HoldLimitExceeded, PersonLimitExceeded, GuestLimitExceeded, RoomFull: the limit that would be
                exceeded.
        """
        if wanted:
            held = len(self.seats.unpaid.get(holder, ()))
            limit = self.policy.held_seats_limit
            if held - returned + wanted > limit:
                raise HoldLimitExceeded(limit, held, wanted)
            if not beyond_limit:
                self.require_for_person(holder, wanted, returned, ordered)
        if network is not None:
            held, limit = self.seats.unpaid.of_network(network, holder), self.policy.guest_seats_limit
            if held - returned + wanted > limit:
                raise GuestLimitExceeded(limit, held, wanted)
        # Only in a free room; seats of a layout are known to be free here.
        if wanted - returned - taken > self.seats.available:
            raise RoomFull(self.info.free_seats)

    def require_for_person(
        self, person: str, wanted: int, returned: int = 0, ordered: Mapping[int, int] | None = None
    ) -> None:
        """Check the organiser's limits per person. Arguments and error as for `PersonLimits.require`."""
        if (persons := self.seats.persons) is not None:
            unpaid = self.seats.unpaid.get(person)
            held = self.seats.held_by(person, unpaid) if unpaid else ()
            persons.require(person, held, wanted, returned, ordered)

    # Steps: all checks have passed

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
        """Begin a pending write of tickets; its id is the `seq` of its event.

        Args:
            action: ISSUE, CONFIRM, CANCEL or LAPSE.
            event_type: the event for the journal.
            tickets: as they are after the commit.
            reply: to give after the commit.
            now: seconds since the epoch.
            holder: whose seats they are.
            actor: who gave the command, if that is not the holder.
            payment_id: the payment of a booking or confirmation.
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
        """Make a change that is no hold event, and keep it for clients that resume."""
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
        """Make an event about single holds, and keep it for clients that resume."""
        available, capacity, seq = self.seats.available, self.seats.capacity, self.seq + 1
        event = make(
            event_type,
            (self.screening_id, self.epoch, seq, now, actor, holds, seats, available, capacity, origin),
        )
        self.remember(event)
        return event

    def hash_for_watchers(self, now: float) -> StateHashed | None:
        """Return the hash of what everybody sees; None if nothing has changed since the last one."""
        if self._visible_seq == self._hashed_seq:
            return None
        hashed, taken = picture_hash(self.seats.layout, self.seats.codes())
        self.seq = self._visible_seq = self._hashed_seq = self.seq + 1
        return StateHashed(
            *(self.screening_id, self.epoch, self.seq, now, hashed, taken),
            *(self.seats.available, self.seats.capacity),
        )

    def digest_for_storage(self, now: float, after_changes: int) -> ev.StateStored | None:
        """Return the hash of who has which seat, to be stored.

        Args:
            now: seconds since the epoch.
            after_changes: number of changes that are worth a hash.

        Returns:
            None if there were fewer changes since the last one, or if a change is being written, so that it
            is unknown whether the log will have it.
        """
        if self.seq - self._stored_seq < after_changes or self.pending_writes:
            return None
        self._stored_seq = self.seq
        taken = self.seats.taken_seats()
        return ev.StateStored(self.screening_id, self.epoch, self.seq, now, len(taken), state_digest(taken))

    def remember(self, change: SeatsChanged) -> None:
        """Keep the change with the next `seq` for clients that resume."""
        self.seq = self._visible_seq = self.seq + 1
        if self._changes is None:
            # One more than needed: the `seq` of the oldest one tells from where on the changes are complete.
            self._changes = deque(maxlen=self._change_memory + 1)
        self._changes.append(change)
