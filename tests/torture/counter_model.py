"""The places of a ticket type: a number that are left, quantities that are held, quantities that are sold.

Like `seat_model`, this knows the published rules and none of the code.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import inf
from typing import Any, NamedTuple

from tests.torture.calls import Call
from tests.torture.clock_errors import ClockErrors
from tests.torture.history import Fault, Settings
from tests.torture.seat_model import LAPSE, latest_end


class Reservation(NamedTuple):
    """A held quantity.

    Attributes:
        reservation: its id; None if nobody was told. Such reservations of the same quantity are alike.
        until: it does not end before this, apart from differences of clocks.
        ends_by: it is of no use to requests that are sent later, apart from the same.
        since: when it was requested.
    """

    reservation: Any
    quantity: int
    until: float = -inf
    ends_by: float = inf
    since: float = -inf


class Counter(NamedTuple):
    """State of a ticket type.

    Attributes:
        left: how many can be held or bought.
        held: reservations, in the order of their ids.
    """

    left: int
    held: tuple[Reservation, ...] = ()


class CounterCall(StrEnum):
    """Calls on a ticket type: requests with their answers."""

    TOOK = "took"
    GAVE = "gave"
    BOOKED = "booked"
    BOOKED_HELD = "booked_held"
    CANCELLED = "cancelled"
    SAW_LEFT = "saw_left"
    REFUSED_TAKEN = "refused_taken"


_C = CounterCall

OBSERVATIONS = frozenset({_C.SAW_LEFT, _C.REFUSED_TAKEN})


class CounterModel:
    """The rules of one ticket type.

    Args:
        capacity: how many there are.
        settings: what was promised about time.
        faults: what went wrong; what changed clocks matters.
    """

    def __init__(self, capacity: int, settings: Settings, faults: Sequence[Fault] = ()) -> None:
        self.initial = Counter(capacity)
        self.anything = None
        self._settings = settings
        self._errors = ClockErrors(faults, settings)
        self._rules = {kind: getattr(self, f"_{kind.value}") for kind in CounterCall}

    def apply(self, counter: Counter, call: Call) -> Counter | None:
        """Return the state after the call; None if the call contradicts it."""
        return self._rules[call.kind](counter, call)

    def excused(self, counter: Counter, call: Call, running: Sequence[Call]) -> Iterator[Counter]:
        """Return the same counter if purchases and cancellations that are running explain an answer."""
        if not call.final and self._is_excused(counter, call, running):
            yield counter

    def _is_excused(self, counter: Counter, call: Call, running: Sequence[Call]) -> bool:
        claimed = sum(other.quantity for other in running if other.kind is not _C.BOOKED_HELD)
        match call.kind:
            case _C.SAW_LEFT:
                return counter.left - claimed <= call.quantity <= counter.left + claimed
            case _C.REFUSED_TAKEN:
                return counter.left - claimed < call.quantity
            case _C.GAVE:
                return any(other.reservation == call.reservation for other in running)
        return False

    def misfits(self, counter: Counter, call: Call) -> int:
        """Return 1 if the call contradicts the counter, else 0."""
        return self.apply(counter, call) is None

    def drifts(self, counter: Counter, now: float) -> Iterator[tuple[str, Counter]]:
        """Reservations may lapse once their time has come."""
        for one in dict.fromkeys(counter.held):
            if now >= one.until or now >= one.until - self._errors.around(one.since, now)[0]:
                yield LAPSE, self._given_back(counter, one)

    def _took(self, counter: Counter, call: Call) -> Counter | None:
        if call.reservation is not None and (known := _held(counter, call)) is not None:
            return counter if known.quantity == call.quantity else None
        if counter.left < call.quantity:
            return None
        if call.unknown or call.until is None:
            # Nobody was promised anything.
            one = Reservation(call.reservation, call.quantity)
        else:
            ends_by = latest_end(call, self._settings)
            one = Reservation(call.reservation, call.quantity, call.until, ends_by, call.invoked_at)
        held = sorted((*counter.held, one), key=lambda other: (str(other.reservation), other.quantity))
        return Counter(counter.left - call.quantity, tuple(held))

    def _gave(self, counter: Counter, call: Call) -> Counter:
        """Releasing places that are not held changes nothing."""
        known = _held(counter, call)
        return counter if known is None else self._given_back(counter, known)

    def _booked(self, counter: Counter, call: Call) -> Counter | None:
        return None if counter.left < call.quantity else counter._replace(left=counter.left - call.quantity)

    def _booked_held(self, counter: Counter, call: Call) -> Counter | None:
        known = _held(counter, call)
        at = call.invoked_at
        if known is None or at > known.ends_by + self._errors.around(known.since, at)[1]:
            return None
        return counter._replace(held=_without(counter.held, known))

    def _cancelled(self, counter: Counter, call: Call) -> Counter:
        return counter._replace(left=counter.left + call.quantity)

    def _saw_left(self, counter: Counter, call: Call) -> Counter | None:
        return counter if counter.left == call.quantity else None

    def _refused_taken(self, counter: Counter, call: Call) -> Counter | None:
        return counter if counter.left < call.quantity else None

    def _given_back(self, counter: Counter, known: Reservation) -> Counter:
        return Counter(counter.left + known.quantity, _without(counter.held, known))


def _held(counter: Counter, call: Call) -> Reservation | None:
    """The reservation that a call names, or one like it."""
    for one in counter.held:
        if one.reservation == call.reservation and (
            one.reservation is not None or one.quantity == call.quantity
        ):
            return one
    return None


def _without(held: tuple[Reservation, ...], one: Reservation) -> tuple[Reservation, ...]:
    position = held.index(one)
    return held[:position] + held[position + 1 :]
