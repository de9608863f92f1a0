"""A seat, as somebody would keep it who serves one request after the other.

A seat is free, held by a user until some time, or booked by a user for a payment:

    free ── took ──► held ── booked ──► booked ── cancelled ──► free
      ▲ └──────── booked ────────────────▲
      └── gave, lapse ── held

This module knows the published rules and none of the code: docs/consistency.md, and the guides. A hold may
lapse from its promised expiry on; it must not be seen long afterwards. While a booking is running, its seat
may look reserved for its buyer.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import inf
from typing import Any, NamedTuple

from tests.torture.calls import Call
from tests.torture.clock_errors import ClockErrors
from tests.torture.history import Fault, Settings

LAPSE = "lapse"
"""Name of the drift that ends a hold at its expiry."""


class Status(StrEnum):
    """Status of a seat; `ANY` while nothing is known of it."""

    FREE = "free"
    HELD = "held"
    BOOKED = "booked"
    ANY = "any"


class Seat(NamedTuple):
    """State of a seat.

    Attributes:
        user: who has it.
        until: a hold does not end before this, apart from differences of clocks.
        ends_by: nobody sees the hold in a request that is sent later, apart from the same.
        since: when it was requested.
        payment_id: what it was booked for.
    """

    status: Status
    user: Any = None
    until: float = -inf
    ends_by: float = inf
    since: float = -inf
    payment_id: str | None = None


FREE, ANY = Seat(Status.FREE), Seat(Status.ANY)


class SeatCall(StrEnum):
    """Calls on a seat: requests with their answers."""

    TOOK = "took"
    TOGGLED = "toggled"
    GAVE = "gave"
    RELEASED = "released"
    EXTENDED = "extended"
    BOOKED = "booked"
    BOOKED_HELD = "booked_held"
    CANCELLED = "cancelled"
    ATTEMPTED = "attempted"
    SAW_FREE = "saw_free"
    SAW_HELD = "saw_held"
    SAW_BOOKED = "saw_booked"
    REFUSED_HELD = "refused_held"
    REFUSED_BOOKED = "refused_booked"
    REFUSED_TAKEN = "refused_taken"
    REFUSED_NOT_HELD = "refused_not_held"


_C, _S = SeatCall, Status

OBSERVATIONS = frozenset(kind for kind in SeatCall if kind.startswith(("saw", "refused"))) | {_C.ATTEMPTED}
"""Calls that never change a seat."""

SEEN = {
    "available": _C.SAW_FREE,
    "reserved": _C.SAW_HELD,
    "reserved_by_me": _C.SAW_HELD,
    "booked": _C.SAW_BOOKED,
}
"""Kind of observation, by the status that is shown."""


def latest_end(call: Call, settings: Settings) -> float:
    """Return the latest time at which a hold ends.

    `until` counts from when the hold was requested; it may have been made as late as it was answered.
    """
    if call.until is None or call.unknown:
        return inf
    ends_by = call.until + (call.returned_at - call.invoked_at)
    return max(ends_by, call.returned_at + (settings.hold_seconds or 0.0))


class SeatModel:
    """The rules of one seat.

    Args:
        settings: what was promised about time.
        faults: what went wrong; what changed clocks matters.
    """

    initial = FREE
    anything = ANY

    def __init__(self, settings: Settings, faults: Sequence[Fault] = ()) -> None:
        self._settings = settings
        self._errors = ClockErrors(faults, settings)
        self._rules = {kind: getattr(self, f"_{kind.value}") for kind in SeatCall}

    def apply(self, seat: Seat, call: Call) -> Seat | None:
        """Return the seat after the call; None if the call contradicts it."""
        return self._rules[call.kind](seat, call)

    def excused(self, seat: Seat, call: Call, running: Sequence[Call]) -> Iterator[Seat]:
        """Return the same seat if bookings or cancellations that are running explain an answer.

        Their seat is reserved for them before anybody knows whether they succeed: it is shown as reserved,
        and its user can neither extend nor release it. What has come to rest needs no excuse.
        """
        if not call.final and self._is_excused(seat, call, running):
            yield seat

    def _is_excused(self, seat: Seat, call: Call, running: Sequence[Call]) -> bool:
        claiming = [
            other
            for other in running
            if seat.status is _S.FREE
            or seat.user == other.user
            or (seat.status is _S.BOOKED and seat.payment_id == other.payment_id)
        ]
        match call.kind:
            case _C.SAW_HELD:
                return any(call.user in (None, other.user, seat.user) for other in claiming)
            case _C.REFUSED_NOT_HELD | _C.GAVE:
                return any(other.user == call.user for other in claiming)
            case _C.REFUSED_HELD | _C.REFUSED_TAKEN:
                return bool(claiming)
        return False

    def misfits(self, seat: Seat, call: Call) -> int:
        """Return 1 if the call contradicts the seat, else 0."""
        return self.apply(seat, call) is None

    def drifts(self, seat: Seat, now: float) -> Iterator[tuple[str, Seat]]:
        """A hold may lapse once its time has come."""
        if seat.status is _S.HELD and (
            now >= seat.until or now >= seat.until - self._errors.around(seat.since, now)[0]
        ):
            yield LAPSE, FREE

    def _promised(self, seat: Seat, call: Call) -> Seat:
        """Held as long as promised now or before."""
        known = seat.status is _S.HELD
        until = call.until
        if until is None:
            # Nobody was told. It lasts as long as a hold of this minute, or what it was.
            return seat if known else Seat(_S.HELD, call.user)
        ends_by = latest_end(call, self._settings)
        if not known:
            return Seat(_S.HELD, call.user, until, ends_by, call.invoked_at)
        # It was made as late as when it was made.
        ends_by = max(ends_by, seat.ends_by, until + seat.ends_by - seat.until)
        return Seat(_S.HELD, call.user, max(until, seat.until), ends_by, seat.since)

    def _is_held(self, seat: Seat, call: Call) -> bool:
        if seat.status is not _S.HELD:
            return False
        at = call.invoked_at
        return at <= seat.ends_by or at <= seat.ends_by + self._errors.around(seat.since, at)[1]

    def _is_own(self, seat: Seat, call: Call) -> bool:
        return seat.user == call.user and self._is_held(seat, call)

    def _took(self, seat: Seat, call: Call) -> Seat | None:
        if seat.status in (_S.FREE, _S.ANY):
            return self._promised(FREE, call)
        # A hold that was there before ends when it did, whatever its holder believes.
        return seat if self._is_own(seat, call) else None

    def _toggled(self, seat: Seat, call: Call) -> Seat | None:
        """A toggle without an answer."""
        if seat.status is _S.HELD and seat.user == call.user:
            return FREE
        return self._promised(seat, call) if seat.status is _S.FREE else None

    def _gave(self, seat: Seat, call: Call) -> Seat:
        """Seats that the caller has not reserved are ignored."""
        return FREE if seat.status is _S.HELD and seat.user == call.user else seat

    def _released(self, seat: Seat, call: Call) -> Seat | None:
        """A toggle says that it has released the seat, so the caller had it."""
        return FREE if seat.status is _S.ANY or self._is_own(seat, call) else None

    def _extended(self, seat: Seat, call: Call) -> Seat | None:
        if seat.status is _S.ANY:
            return self._promised(FREE, call)
        if not self._is_own(seat, call):
            return None
        if call.unknown:
            return seat._replace(ends_by=inf)
        return self._promised(seat, call)

    def _booked(self, seat: Seat, call: Call) -> Seat | None:
        if seat.status in (_S.FREE, _S.ANY) or self._is_own(seat, call):
            return Seat(_S.BOOKED, call.user, payment_id=call.payment_id)
        return None

    def _booked_held(self, seat: Seat, call: Call) -> Seat | None:
        return None if seat.status is _S.FREE else self._booked(seat, call)

    def _cancelled(self, seat: Seat, call: Call) -> Seat | None:
        """A ticket that is cancelled may be cancelled again."""
        return FREE if seat.status is _S.BOOKED and seat.payment_id == call.payment_id else seat

    def _attempted(self, seat: Seat, call: Call) -> Seat:
        """It was not carried out, and says nothing; but the seat may have looked reserved meanwhile."""
        return seat

    def _saw_free(self, seat: Seat, call: Call) -> Seat | None:
        return FREE if seat.status in (_S.FREE, _S.ANY) else None

    def _saw_held(self, seat: Seat, call: Call) -> Seat | None:
        if seat.status is _S.ANY:
            return Seat(_S.HELD, call.user) if call.user is not None else seat
        return seat if self._is_held(seat, call) and call.user in (None, seat.user) else None

    def _saw_booked(self, seat: Seat, call: Call) -> Seat | None:
        return seat if seat.status is _S.ANY or self._is_booked(seat, call) else None

    def _is_booked(self, seat: Seat, call: Call) -> bool:
        return seat.status is _S.BOOKED and call.user in (None, seat.user)

    def _refused_held(self, seat: Seat, call: Call) -> Seat | None:
        others = self._is_held(seat, call) and seat.user != call.user
        return seat if seat.status is _S.ANY or others else None

    def _refused_booked(self, seat: Seat, call: Call) -> Seat | None:
        return seat if seat.status in (_S.ANY, _S.BOOKED) else None

    def _refused_taken(self, seat: Seat, call: Call) -> Seat | None:
        return seat if self._refused_held(seat, call) or self._refused_booked(seat, call) else None

    def _refused_not_held(self, seat: Seat, call: Call) -> Seat | None:
        return None if self._is_own(seat, call) else seat
