"""Splits a history into calls per object: one list per seat, one per ticket type.

A request on three seats is a call on each of them. An answer becomes a call only as far as it says something
about the object: a refusal that names the seats says which were taken, a refusal of a rate limit says
nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from tests.torture import counter_model, seat_model
from tests.torture.calls import Call
from tests.torture.counter_model import CounterCall
from tests.torture.history import History, Id, Operation
from tests.torture.late_moves import LateMoves
from tests.torture.recovery import Loss
from tests.torture.repeats import without_repeats
from tests.torture.seat_model import SEEN, SeatCall

Seat = tuple[Id, Id]
"""Screening and seat."""

_AFTERWARDS_SECONDS = 1e-6
"""Between the last request and the look at the end, so that the two are not concurrent."""

_REFUSED_LATE = frozenset({409, 503})
"""Statuses of purchases that may have been shown to others before they were refused."""


@dataclass
class Projection:
    """The calls of a history by object.

    Attributes:
        seats: calls by screening and seat.
        ticket_types: calls by ticket type.
        foreign: seats on which something was done that no model knows; they cannot be judged.
    """

    seats: dict[Seat, list[Call]] = field(default_factory=lambda: defaultdict(list))
    ticket_types: dict[Id, list[Call]] = field(default_factory=lambda: defaultdict(list))
    foreign: dict[Seat, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """Number of calls on all objects."""
        return sum(map(len, self.seats.values())) + sum(map(len, self.ticket_types.values()))


def project(history: History, final: Mapping[str, Any], losses: Sequence[Loss] = ()) -> Projection:
    """Split a history, and what was found at its end, into calls per object.

    Args:
        history: the history.
        final: `screenings` and `ticket_types` as they were found after everything had come to rest.
        losses: when something may be lost.
    """
    return _Projecting(history, losses).all(final)


class _Projecting:
    def __init__(self, history: History, losses: Sequence[Loss]) -> None:
        self._history = history
        self._losses = losses
        self._projection = Projection()
        self._seats_of: dict[Id | None, set[Id]] = defaultdict(set)
        self._reservations = {operation.data.get("reservation") for operation in history.operations}
        self._touched: dict[tuple[Id | None, Id | None], set[Id]] = defaultdict(set)

    def all(self, final: Mapping[str, Any]) -> Projection:
        for operation in self._history.operations:
            named = {*(operation.seats or ()), *_seats_in(operation)}
            self._seats_of[operation.screening] |= named
            if operation.action != "look" and not operation.refused:
                self._touched[operation.screening, operation.user] |= named
        for watcher in self._history.watchers:
            for sighting in watcher.sightings:
                self._seats_of[sighting.screening] |= {one["seat"] for one in sighting.seats}
        for operation in self._history.operations:
            if _may_hold_any(operation):
                self._touched[operation.screening, operation.user] |= self._seats_of[operation.screening]
        once = without_repeats(self._history.operations)
        self._late = LateMoves(once)
        for operation in once:
            if operation.action == "move":
                self._move(operation)
            elif operation.ticket_type is None:
                for seat, call in self._seat_calls(operation):
                    self._projection.seats[_key(operation.screening), seat].append(call)
            else:
                self._projection.ticket_types[_key(operation.ticket_type)] += self._counter_calls(operation)
        self._look_at_the_end(final)
        return self._projection

    def _seat_calls(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        match operation.action:
            case "hold":
                yield from self._hold(operation)
            case "toggle":
                yield from self._toggle(operation)
            case "extend":
                yield from self._extend(operation)
            case "release":
                if not operation.refused:
                    for seat in self._released(operation):
                        yield seat, self._seat_call(SeatCall.GAVE, operation)
            case "book" | "book_held":
                yield from self._book(operation)
            case "cancel":
                self._leave_late_seats(operation)
                for seat in operation.seats or ():
                    kind = SeatCall.ATTEMPTED if operation.refused else SeatCall.CANCELLED
                    yield seat, self._seat_call(kind, operation, claims_until=self._claims_until(operation))
            case "look":
                for seen in operation.data.get("seats", ()):
                    lag = self._history.settings.look_lag_seconds
                    yield seen["seat"], self._saw(seen, operation.invoked_at - lag, operation)
            case "order" if operation.refused:
                yield from self._refused_purchase(operation)
            case other:
                if not operation.refused:
                    for seat in operation.seats or ():
                        self._projection.foreign[_key(operation.screening), seat] = other

    def _hold(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        if operation.refused:
            yield from self._refusals(operation)
            return
        seats: Any = operation.data.get("seats") or operation.seats or ()
        if _may_hold_any(operation):
            seats = self._seats_of[operation.screening]
        for seat in seats:
            yield seat, self._seat_call(SeatCall.TOOK, operation, until=self._until(operation, seat))

    def _toggle(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        if operation.refused:
            yield from self._refusals(operation)
        elif operation.unknown or not operation.data:
            for seat in operation.seats or ():
                until = self._until(operation, seat)
                yield seat, self._seat_call(SeatCall.TOGGLED, operation, until=until)
        else:
            for seat in operation.data.get("reserved", ()):
                until = self._until(operation, seat)
                yield seat, self._seat_call(SeatCall.TOOK, operation, until=until)
            for seat in operation.data.get("released", ()):
                yield seat, self._seat_call(SeatCall.RELEASED, operation)

    def _extend(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        if operation.refused:
            yield from self._refusals(operation)
            return
        for seat in operation.seats or ():
            # Without an answer nobody was promised more than before.
            until = None if operation.unknown else self._until(operation, seat)
            yield seat, self._seat_call(SeatCall.EXTENDED, operation, until=until)

    def _released(self, operation: Operation) -> Iterator[Id]:
        """The seats of a release: those that it names, or all that the user may ever have had."""
        if operation.seats is not None:
            yield from operation.seats
        else:
            yield from self._touched[operation.screening, operation.user]

    def _book(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        if operation.refused:
            yield from self._refused_purchase(operation)
            return
        kind = SeatCall.BOOKED_HELD if operation.action == "book_held" else SeatCall.BOOKED
        tickets = [ticket["seat"] for ticket in operation.data.get("tickets", ())]
        for seat in tickets or operation.seats or ():
            yield seat, self._seat_call(kind, operation, claims_until=self._claims_until(operation))
            if operation.was_unanswered:
                # The repeat got the stored answer; the owner may still wait for that of the database.
                begins, settles = operation.returned_at, self._settles_at(operation)
                if settles > begins:
                    waiting = replace(operation, invoked_at=begins, returned_at=settles)
                    yield seat, self._seat_call(SeatCall.ATTEMPTED, waiting, claims_until=settles)

    def _move(self, operation: Operation) -> None:
        """A ticket leaves its seat as if it were cancelled, and takes the other one as if it were bought."""
        (seat,) = operation.seats or (None,)
        there = self._projection.seats[_key(operation.screening), seat]
        left: list[list[Call]] = []
        if operation.from_seat is not None:
            left = [self._projection.seats[_key(operation.from_screening), operation.from_seat]]
        known_at = self._settles_at(operation) + self._history.settings.arrival_seconds
        if operation.refused:
            there += [call for _, call in self._refusals(operation)]
        else:
            until = self._claims_until(operation)
            there.append(self._seat_call(SeatCall.BOOKED, operation, claims_until=until))
            left += [self._projection.seats[place] for place in self._late.taken_from(operation)]
            for calls in left:
                calls.append(self._seat_call(SeatCall.CANCELLED, operation, claims_until=until))
            self._leave_late_seats(operation)
        # One of the screenings may not know the outcome yet, whatever the caller was told.
        waiting = replace(operation, returned_at=max(known_at, operation.invoked_at))
        for calls in (*left, there):
            calls.append(self._seat_call(SeatCall.ATTEMPTED, waiting, claims_until=known_at))

    def _leave_late_seats(self, operation: Operation) -> None:
        """A ticket may be where an earlier attempt without an answer has brought it since."""
        if not operation.refused:
            leaving = replace(operation, returned_at=inf, status=None)
            until = self._settles_at(operation)
            for place in self._late.seats_before(operation):
                call = self._seat_call(SeatCall.CANCELLED, leaving, claims_until=until)
                self._projection.seats[place].append(call)

    def _refused_purchase(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        """Yield the calls of a refused purchase.

        Sockets show it until the database refuses it, or its owner has lost the screening.
        """
        said = list(self._refusals(operation))
        yield from said
        if not said and operation.status in _REFUSED_LATE:
            until = self._claims_until(operation)
            for seat in operation.seats or ():
                yield seat, self._seat_call(SeatCall.ATTEMPTED, operation, claims_until=until)

    def _refusals(self, operation: Operation) -> Iterator[tuple[Id, Call]]:
        """Yield the calls on seats that follow from a refusal."""
        held, booked = operation.data.get("held", ()), operation.data.get("booked", ())
        for seat in held:
            yield seat, self._seat_call(SeatCall.REFUSED_HELD, operation)
        for seat in booked:
            yield seat, self._seat_call(SeatCall.REFUSED_BOOKED, operation)
        if held or booked or operation.seats is None or len(operation.seats) != 1:
            return
        if operation.code == "seats_unavailable":
            yield operation.seats[0], self._seat_call(SeatCall.REFUSED_TAKEN, operation)
        elif operation.code == "not_held":
            yield operation.seats[0], self._seat_call(SeatCall.REFUSED_NOT_HELD, operation)

    def _claims_until(self, operation: Operation) -> float:
        """Return until when a seat may look reserved for a booking or cancellation."""
        return self._settles_at(operation) if operation.unknown else operation.returned_at

    def _settles_at(self, operation: Operation) -> float:
        """Return when the owner of a seat knows the outcome of a request without an answer.

        It finds out what the database says once nothing is broken.
        """
        settles = self._history.settings.settle_seconds
        until = operation.invoked_at + settles
        for fault in sorted(self._history.faults, key=lambda fault: fault.begins_at):
            if fault.begins_at <= until:
                until = max(until, fault.ends_at + settles)
        return until

    def _until(self, operation: Operation, seat: Id) -> float | None:
        if operation.unknown:
            lasts = self._history.settings.hold_seconds
            return None if lasts is None else operation.invoked_at + lasts
        until = operation.data.get("until")
        return until.get(str(seat), until.get(seat)) if isinstance(until, Mapping) else until

    def _seat_call(self, kind: SeatCall, operation: Operation, **more: Any) -> Call:
        return self._call(kind, operation, observes=kind in seat_model.OBSERVATIONS, **more)

    def _saw(self, seen: Mapping[str, Any], invoked_at: float, operation: Operation) -> Call:
        kind = SEEN[seen["status"]]
        return Call(
            kind, invoked_at, operation.returned_at, observes=True, user=seen.get("user"), source=operation
        )

    def _counter_calls(self, operation: Operation) -> Iterator[Call]:
        data = operation.data
        if operation.refused:
            if operation.action in ("hold", "book") and operation.status == 409:
                if "left" in data:
                    yield self._counter_call(CounterCall.SAW_LEFT, operation, quantity=data["left"])
                elif operation.code in ("not_enough_tickets", "sold_out"):
                    yield self._counter_call(CounterCall.REFUSED_TAKEN, operation)
            return
        match operation.action:
            case "hold":
                until, reservation = data.get("until"), data.get("reservation")
                twins = (operation.quantity, self._is_exposed(operation)) if operation.unknown else None
                yield self._counter_call(
                    CounterCall.TOOK, operation, until=until, reservation=reservation, twins=twins
                )
            case "book":
                held = operation.reservation is not None
                kind = CounterCall.BOOKED_HELD if held else CounterCall.BOOKED
                yield self._counter_call(kind, operation, claims_until=self._claims_until(operation))
            case "release":
                yield self._counter_call(CounterCall.GAVE, operation)
            case "cancel":
                yield self._counter_call(
                    CounterCall.CANCELLED, operation, claims_until=self._claims_until(operation)
                )
            case "look":
                if operation.succeeded:
                    yield self._counter_call(CounterCall.SAW_LEFT, operation, quantity=data["left"])

    def _counter_call(self, kind: CounterCall, operation: Operation, **more: Any) -> Call:
        # A reservation whose answer was lost may be found later; it is one of those that nobody was told of.
        told = operation.reservation if operation.reservation in self._reservations else None
        given = {"quantity": operation.quantity, "reservation": told, **more}
        return self._call(kind, operation, observes=kind in counter_model.OBSERVATIONS, **given)

    def _call(self, kind: Any, operation: Operation, **more: Any) -> Call:
        return Call(
            kind,
            operation.invoked_at,
            operation.returned_at,
            losable=self._is_exposed(operation),
            user=operation.user,
            payment_id=operation.payment_id,
            source=operation,
            **more,
        )

    def _is_exposed(self, operation: Operation) -> bool:
        """Return whether a crash may undo the operation."""
        return any(
            loss.concerns(operation.screening) and loss.exposes(operation.invoked_at, operation.returned_at)
            for loss in self._losses
        )

    def _look_at_the_end(self, final: Mapping[str, Any]) -> None:
        """Everybody's last look, after which nothing happens."""
        times = [operation.invoked_at for operation in self._history.operations]
        times += [one.returned_at for one in self._history.operations if one.returned_at < inf]
        times += [fault.ends_at for fault in self._history.faults]
        time = max([final.get("time", -inf), *(time + _AFTERWARDS_SECONDS for time in times)], default=0.0)
        look = Operation("final", "the run", "look", None, None, time, returned_at=time, status=200)
        for screening, found in final.get("screenings", {}).items():
            for seen in found.get("seats", ()):
                call = Call(
                    SEEN[seen["status"]], time, time, True, final=True, user=seen.get("user"), source=look
                )
                self._projection.seats[_key(screening), seen["seat"]].append(call)
        for ticket_type, found in final.get("ticket_types", {}).items():
            if "left" in found:
                call = Call(
                    CounterCall.SAW_LEFT, time, time, True, final=True, quantity=found["left"], source=look
                )
                self._projection.ticket_types[_key(ticket_type)].append(call)


def _may_hold_any(operation: Operation) -> bool:
    """Return whether the server was to choose the seats, and its choice is unknown for lack of an answer."""
    is_open = operation.seats is None and operation.ticket_type is None
    return operation.action == "hold" and is_open and operation.unknown


def _seats_in(operation: Operation) -> Iterator[Id]:
    """Seats that an answer names."""
    if operation.succeeded and operation.ticket_type is None:
        if operation.action == "look":
            yield from (seen["seat"] for seen in operation.data.get("seats", ()))
        else:
            yield from operation.data.get("seats", ())
            yield from operation.data.get("reserved", ())
            yield from (ticket["seat"] for ticket in operation.data.get("tickets", ()))


def _key(identifier: Id | None) -> str:
    """Ids of objects as text: JSON has them as text where they are keys."""
    return str(identifier)
