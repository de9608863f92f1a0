"""Counts the held seats that lapse soon, which interests a buyer for whom no free seats are left.

Counting reads the deadlines of the next five minutes. It is done when somebody asks, and at most once a
second for each screening, so its cost does not grow with the number of those who ask.
"""

from engine.commands import ReadScarcity
from engine.places import ticket_type_of
from engine.replies import Scarcity
from engine.screening_state import Decision, ScreeningState
from engine.waitlist_records import WAITLIST

WITHIN_SECONDS = (60, 120, 300)
"""The lapsing seats are counted for each of these periods from now."""

_FRESH_SECONDS = 1.0


def read_scarcity(state: ScreeningState, command: ReadScarcity, now: float) -> Decision:
    known = state.scarcity
    if known is None or not known.at <= now < known.at + _FRESH_SECONDS:
        known = state.scarcity = _counted(state, now)
    return Decision(known)


def _counted(state: ScreeningState, now: float) -> Scarcity:
    seats = state.seats
    total = [0] * len(WITHIN_SECONDS)
    by_type = {kind_id: [0] * len(WITHIN_SECONDS) for kind_id in seats.places}
    for deadline, holder, seat_id in seats.lapsing(now + WITHIN_SECONDS[-1]):
        if holder == WAITLIST:
            continue
        counts = [total]
        if seat_id < 0 and (of_type := by_type.get(ticket_type_of(seat_id))):
            counts.append(of_type)
        for number, seconds in enumerate(WITHIN_SECONDS):
            if deadline <= now + seconds:
                for each in counts:
                    each[number] += 1
    aside = len(seats.unpaid.get(WAITLIST, ()))
    waiting = 0 if state.waitlist is None else state.waitlist.waiting
    return Scarcity(
        state.screening_id,
        now,
        sum(map(len, seats.unpaid.values())) - aside,
        tuple(total),
        {kind_id: tuple(counts) for kind_id, counts in by_type.items()},
        waiting,
    )
