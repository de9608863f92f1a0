"""Offers seats that others give back to those who wait: the decisions that follow from a decision.

While somebody waits, seats that are released, lapse or are cancelled are not free for others. They are
offered to those who wait, strictly in the order of joining: an offer is a hold of `Policy.offer_seconds`. If
the first one wants more than there is, or adjacent seats where there are none, the freed seats are set aside
for `Policy.waitlist_patience_seconds`, and nobody overtakes. Seats that were free before may be reserved by
anybody, and can complete those that are set aside. After that time the seats are offered to the next in line
who wants no more than these, or else become free for everybody: a party that can never be served does not
keep others waiting. The first one stays the first.

`served` follows every decision that may free seats, in the same step and the same entry of the journal. So
nothing is ever free in between, neither in memory nor in the database.
"""

from collections.abc import Iterable, Sequence
from math import inf

from engine import events as ev
from engine.errors import IdsExhausted
from engine.line_stock import Stock, line_of, stock_of
from engine.records import Hold, Ticket
from engine.rule_errors import PersonLimitExceeded
from engine.screening_state import Decision, ScreeningState
from engine.views import SeatsChanged
from engine.waiting_list import SEATS, WaitingList
from engine.waitlist_records import LIVE, WAITLIST, WaitlistChanged, WaitlistEntry, WaitStatus

MARGIN_SECONDS = 60.0
"""Holds for the line are released when sales end, or lapse at most this much later if that cannot be done."""

RETRY_SECONDS = 1.0
"""Pause before offering is tried again, after the database has given no more ids."""


def restore(state: ScreeningState, entries: Iterable[WaitlistEntry]) -> None:
    """Load stored entries in the order of joining, after holds and tickets.

    Work that a crash has left undone is done with the first command.
    """
    waitlist = WaitingList(served)
    for entry in entries:
        present = _as_stored(state, entry)
        waitlist.put(present)
        if present.status not in LIVE:
            waitlist.late.append(present)
    if waitlist.entries or waitlist.late or WAITLIST in state.seats.unpaid:
        state.waitlist = waitlist
        state.seats.deadlines.set_alarm(WAITLIST, 0.0)


def _as_stored(state: ScreeningState, entry: WaitlistEntry) -> WaitlistEntry:
    """Return an entry as the stored holds and tickets say it is."""
    if entry.seat_id is not None and entry.seat_id not in state.seats.layout.by_id:
        return entry._replace(status=WaitStatus.CLOSED)
    if entry.status is not WaitStatus.OFFERED:
        return entry
    records = [state.seats.record(seat_id) for seat_id in entry.seat_ids]
    held = [
        record.seat_id
        for record in records
        if isinstance(record, Hold) and record.reservation_id == entry.reservation_id
    ]
    if held:
        return entry._replace(seat_ids=tuple(held))
    sold = any(isinstance(record, Ticket) and record.booked_at >= entry.joined_at for record in records)
    return entry._replace(status=WaitStatus.TAKEN if sold else WaitStatus.LAPSED)


def served(
    state: ScreeningState,
    decision: Decision,
    now: float,
    freed: Sequence[int] | None = None,
    bought: Iterable[int] = (),
) -> Decision:
    """Offer the seats that a decision has freed to those who wait, and add the offers to the decision.

    Args:
        state: of the screening, which has a waiting list.
        decision: it has changed the state.
        now: seconds since the epoch.
        freed: the seats and places that may be free now; None for those that its events have freed.
        bought: seats and places that have got tickets.
    """
    if freed is None:
        freed = [seat_id for event in decision.events for seat_id in _freed_by(event)]
    serving = _Serving(state, now)
    serving.end_offers(decision.events, bought)
    stale = _set_aside_in_vain(decision.events)
    serving.serve([seat_id for seat_id in freed if state.seats.are_free((seat_id,))], stale)
    events, changes = serving.finished()
    return Decision(
        decision.reply, (*decision.events, *events), (*decision.changes, *changes), decision.write_id
    )


def record(
    state: ScreeningState,
    entries: Sequence[WaitlistEntry],
    actor: str,
    now: float,
    news: Sequence[int] = (),
) -> WaitlistChanged:
    """Make the event about entries. Watchers see it only if there is news for somebody."""
    event = WaitlistChanged(
        *(state.screening_id, state.epoch, state.seq + 1, now, actor, tuple(entries), tuple(news)),
        *(state.seats.available, state.seats.capacity),
    )
    if news:
        state.remember(event)
    else:
        state.seq += 1
    return event


class _Serving:
    """One pass over the lines for which something may have changed.

    Args:
        state: of the screening, which has a waiting list.
        now: seconds since the epoch.
    """

    def __init__(self, state: ScreeningState, now: float) -> None:
        assert state.waitlist is not None
        self._state = state
        self._now = now
        self._waitlist: WaitingList = state.waitlist
        self._events: list[ev.SeatsHeld | ev.PlacesHeld | ev.HoldsReleased] = []
        self._news: list[int] = []
        self._changed = {entry.id: entry for entry in self._waitlist.late}
        self._waitlist.late.clear()
        self._retry_at = inf

    def end_offers(self, events: Iterable[ev.Event], bought: Iterable[int]) -> None:
        """End the offers that have been bought, have lapsed or have been given back."""
        offered, entries = self._waitlist.offered, self._waitlist.entries
        for seat_id in bought:
            if (entry_id := offered.get(seat_id)) is not None:
                self._put(entries[entry_id]._replace(status=WaitStatus.TAKEN))
        for event in events:
            ended = WaitStatus.LAPSED if isinstance(event, ev.HoldsExpired) else WaitStatus.DECLINED
            for hold in _ended(event):
                if (entry_id := offered.get(hold.seat_id)) is not None:
                    entry = entries[entry_id]
                    rest = tuple([seat_id for seat_id in entry.seat_ids if seat_id != hold.seat_id])
                    self._put(entry._replace(seat_ids=rest) if rest else entry._replace(status=ended))

    def serve(self, freed: Sequence[int], stale: frozenset[int]) -> None:
        """Serve the lines for which something was freed, and those that have not been searched.

        Args:
            freed: free seats and places that others may not get before those who wait.
            stale: those of them that have been set aside in vain.
        """
        state, waitlist = self._state, self._waitlist
        free, aside = _by_line(freed), _by_line(state.seats.unpaid.get(WAITLIST, ()))
        for line in sorted({*waitlist.lines(), *free, *aside}):
            if line in free or line not in waitlist.stuck or self._now >= _ends_at(state, line):
                self._serve_line(line, free.get(line, ()), aside.get(line, ()), stale)
        if self._now >= _ends_at(state, SEATS):
            self._close([entry for entry in waitlist.entries.values() if entry.seat_id is not None])
        let_go = [hold.seat_id for event in self._events for hold in _ended(event)]
        for seat_id in (*freed, *let_go):
            watcher = waitlist.first_watcher(seat_id)
            if watcher is not None and state.seats.are_free((seat_id,)):
                self._news.append(watcher.id)
                self._put(watcher._replace(status=WaitStatus.TOLD))

    def finished(self) -> tuple[Sequence[ev.Event], Sequence[SeatsChanged]]:
        """Return the events, and the changes that watchers see."""
        state, waitlist = self._state, self._waitlist
        events: list[ev.Event] = [*self._events]
        changes: list[SeatsChanged] = [*self._events]
        if self._changed:
            event = record(state, tuple(self._changed.values()), ev.SYSTEM, self._now, self._news)
            events.append(event)
            if self._news:
                changes.append(event)
        if not waitlist.entries and WAITLIST not in state.seats.unpaid:
            state.waitlist = None
        ends = (_ends_at(state, line) for line in (*waitlist.lines(), SEATS)) if waitlist.entries else ()
        state.seats.deadlines.set_alarm(WAITLIST, min([self._retry_at, *ends]))
        return events, changes

    def _serve_line(
        self, line: int, freed: Sequence[int], aside: Sequence[int], stale: frozenset[int]
    ) -> None:
        state, waitlist, now = self._state, self._waitlist, self._now
        ends_at = _ends_at(state, line)
        if now >= ends_at:
            self._close(waitlist.in_line(line))
        if line != SEATS and line not in state.seats.places:
            return  # it was deleted
        stock = stock_of(state, line, freed, aside, stale, searched=line in waitlist.stuck)
        expires_at = min(now + state.policy.offer_seconds, ends_at)
        try:
            while (entry := waitlist.first(line)) is not None and stock.has(entry):
                if self._may_have(entry):
                    self._offer(entry, stock, expires_at)
                else:
                    self._close((entry,))
            if entry is not None:
                waitlist.stuck.add(line)
                patience = state.policy.waitlist_patience_seconds
                self._events += stock.set_aside(now, min(now + patience, ends_at + MARGIN_SECONDS))
                if stock.has_stale:
                    self._pass_on(line, stock, expires_at)
            else:
                self._events += stock.let_go(now)
        except IdsExhausted:
            waitlist.stuck.discard(line)
            self._retry_at = now + RETRY_SECONDS

    def _pass_on(self, line: int, stock: Stock, expires_at: float) -> None:
        """Offer stock that was set aside in vain for the first in line to the others; the rest stays free."""
        too_many = {False: inf, True: inf}  # wanted in vain, by whether together
        for entry in self._waitlist.in_line(line)[1:]:
            if entry.quantity >= too_many[entry.together]:
                continue
            if not stock.has(entry):
                too_many[entry.together] = entry.quantity
            elif self._may_have(entry):
                self._offer(entry, stock, expires_at)
            else:
                self._close((entry,))
            if not stock.has_stale:
                return

    def _may_have(self, entry: WaitlistEntry) -> bool:
        """False if its holder has bought so much meanwhile that the organiser allows no more."""
        kind_id = entry.ticket_type_id
        ordered = None if kind_id is None else {kind_id: entry.quantity}
        try:
            self._state.require_for_person(entry.holder, entry.quantity, ordered=ordered)
        except PersonLimitExceeded:
            return False
        return True

    def _offer(self, entry: WaitlistEntry, stock: Stock, expires_at: float) -> None:
        *released, held = stock.give(entry, self._now, expires_at)
        self._events += [*released, held]
        first = held.holds[0]
        self._news.append(entry.id)
        self._put(
            entry._replace(
                status=WaitStatus.OFFERED,
                reservation_id=first.reservation_id,
                seat_ids=tuple([hold.seat_id for hold in held.holds]),
                expires_at=expires_at,
            )
        )

    def _close(self, entries: Iterable[WaitlistEntry]) -> None:
        for entry in tuple(entries):
            self._put(entry._replace(status=WaitStatus.CLOSED))

    def _put(self, entry: WaitlistEntry) -> None:
        self._waitlist.put(entry)
        self._changed[entry.id] = entry


def _freed_by(event: ev.Event) -> Sequence[int]:
    """The seats and places that an event has freed, unless they belong to a block."""
    if isinstance(event, ev.SeatsUnblocked):
        return event.seat_ids
    return [hold.seat_id for hold in _ended(event)]


def _set_aside_in_vain(events: Iterable[ev.Event]) -> frozenset[int]:
    """The seats and places that have been set aside for long enough."""
    return frozenset(
        hold.seat_id
        for event in events
        if isinstance(event, ev.HoldsExpired)
        for hold in event.holds
        if hold.holder == WAITLIST
    )


def _ended(event: ev.Event) -> tuple[Hold, ...]:
    return event.holds if isinstance(event, ev.HoldsReleased | ev.HoldsExpired) else ()


def _by_line(seat_ids: Iterable[int]) -> dict[int, list[int]]:
    lines: dict[int, list[int]] = {}
    for seat_id in seat_ids:
        lines.setdefault(line_of(seat_id), []).append(seat_id)
    return lines


def _ends_at(state: ScreeningState, line: int) -> float:
    """Time at which the line's sales end, in seconds since the epoch; minus infinity if they are closed."""
    if state.closed:
        return -inf
    ends = [state.starts_at, inf if state.rules.sales_end is None else state.rules.sales_end]
    if line != SEATS:
        kind = state.info.ticket_types.get(line)
        if kind is None or kind.closed:
            return -inf
        ends.append(inf if kind.sales_end is None else kind.sales_end)
    return min(ends)
