"""Requests on several seats: their seats change together, or none of them does, and nobody sees the half.

That each seat has an order of its own does not show this: half a hold is consistent for each seat alone. So
the seats of a request are searched once more as one object (`SeatsModel`). A request takes effect on all of
them at one time there, and a map or a socket's picture shows all of them at one time. A history of a few
seats is short, so that is done for each request by itself.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Sequence
from itertools import product
from math import inf
from typing import Any

from tests.torture.calls import Call
from tests.torture.findings import Finding
from tests.torture.history import History, Id, Operation
from tests.torture.projection import Projection, Seat
from tests.torture.seat_model import FREE, SeatCall, SeatModel
from tests.torture.seat_model import Seat as SeatState
from tests.torture.shown import Shown

SEATS_AT_ONCE = 3
"""Seats that are searched as one object. Of larger requests each seat is searched with its neighbours."""

SEEN_WITHIN_SECONDS = 10.0
"""Time after a request in which its possible effects are looked for."""

_AS_IF_TAKEN = frozenset(
    {
        SeatCall.SAW_HELD,
        SeatCall.REFUSED_HELD,
        SeatCall.REFUSED_TAKEN,
        SeatCall.REFUSED_NOT_HELD,
        SeatCall.GAVE,
    }
)
"""Answers that fit a seat whose booking is running."""

_TAKING = frozenset({SeatCall.TOOK, SeatCall.EXTENDED})

State = tuple[SeatState, ...]


class SeatsModel:
    """The rules of several seats of a screening, which requests change together.

    Args:
        model: of one seat.
        number: how many seats.
    """

    def __init__(self, model: SeatModel, number: int) -> None:
        self._model = model
        self.initial: State = (FREE,) * number
        self.anything = None

    def apply(self, seats: State, call: Call) -> State | None:
        """Return the seats after the call; None if the call contradicts one of them."""
        after = list(seats)
        for number, part in call.parts:
            changed = self._model.apply(seats[number], part)
            if changed is None:
                return None
            after[number] = changed
        return tuple(after)

    def excused(self, seats: State, call: Call, running: Sequence[Call]) -> Iterator[State]:
        """Return the seats after an answer that bookings which are running explain for some of them."""
        claims = [
            (number, part) for other in running if _looks_taken(call, other) for number, part in other.parts
        ]
        if not claims:
            return
        choices = []
        for number, part in call.parts:
            seat = seats[number]
            fitting = self._model.apply(seat, part)
            own = [claim for position, claim in claims if position == number]
            choices.append({*self._model.excused(seat, part, own), *([] if fitting is None else [fitting])})
        for chosen in product(*choices):
            after = list(seats)
            for (number, _), seat in zip(call.parts, chosen, strict=True):
                after[number] = seat
            yield tuple(after)

    def misfits(self, seats: State, call: Call) -> int:
        """Return how many of the seats contradict the call."""
        return sum(self._model.misfits(seats[number], part) for number, part in call.parts)

    def drifts(self, seats: State, now: float) -> Iterator[tuple[str, State]]:
        """Holds may lapse, each by itself."""
        for number, seat in enumerate(seats):
            for name, after in self._model.drifts(seat, now):
                yield name, (*seats[:number], after, *seats[number + 1 :])


def _looks_taken(call: Call, claim: Call) -> bool:
    """Return whether a call treats all seats of a booking as taken at the same time."""
    claimed = {number for number, _ in claim.parts}
    return all(part.kind in _AS_IF_TAKEN for number, part in call.parts if number in claimed)


def answered_in_part(history: History) -> Iterator[Finding]:
    """Find successes that are not about all seats that were asked for."""
    moved = {
        (operation.ticket, *(operation.seats or ()))
        for operation in history.operations
        if operation.action == "move" and not operation.refused
    }
    for operation in history.operations:
        asked, answered = set(operation.seats or ()), _answered(operation, moved)
        if operation.succeeded and answered is not None and asked and answered != asked:
            yield Finding(
                "answer in part",
                f"screening {operation.screening}, op {operation.op}",
                f"It was asked for the seats {sorted(asked, key=str)}, and answered for "
                f"{sorted(answered, key=str)}: a request succeeds for all of its seats or for none.",
                [str(operation)],
            )


def _answered(operation: Operation, moved: Collection[tuple[Any, ...]]) -> set[Id] | None:
    """The seats that an answer is about; None if it names none.

    A repeated booking is answered with the seats that its tickets have now, to which they may have moved.
    """
    data = operation.data
    if "tickets" in data and operation.ticket_type is None:
        tickets = [ticket for ticket in data["tickets"] if "seat" in ticket]
        here = [ticket["seat"] for ticket in tickets if (ticket["id"], ticket["seat"]) not in moved]
        left = sorted({*(operation.seats or ())} - {*here}, key=str)
        return {*here, *left[: len(tickets) - len(here)]}
    if operation.action == "toggle" and data:
        return {*data.get("reserved", ()), *data.get("released", ())}
    if operation.action in ("hold", "extend") and "seats" in data:
        return set(data["seats"])
    return None


class Requests:
    """All requests on several seats, each with the calls on these.

    Args:
        projection: calls by seat.
        shown: what sockets showed.
    """

    def __init__(self, projection: Projection, shown: Shown) -> None:
        self._calls = projection.seats
        self._shown = shown
        self._seats: dict[int, list[tuple[Seat, Call]]] = defaultdict(list)
        self._takings: dict[tuple[Seat, Any], list[Call]] = defaultdict(list)
        for seat, calls in projection.seats.items():
            if seat in projection.foreign:
                continue
            for call in calls:
                if call.kind in _TAKING:
                    self._takings[seat, call.user].append(call)
                if not call.observes and not _is_by_itself(call):
                    self._seats[id(call.source)].append((seat, call))

    def __iter__(self) -> Iterator[tuple[Operation, list[list[Seat]]]]:
        """Yield each request with the seats to be searched, at most `SEATS_AT_ONCE` at a time."""
        for calls in self._seats.values():
            operation = calls[0][1].source
            named = operation.seats is not None
            seats = sorted({seat for seat, call in calls if named or self._had(seat, call)}, key=str)
            step = SEATS_AT_ONCE - 1
            parts = [seats[at : at + SEATS_AT_ONCE] for at in range(0, len(seats) - 1, step)]
            if parts:
                yield operation, parts

    def _had(self, seat: Seat, call: Call) -> bool:
        """Return whether the seat is one that a release of everything must have covered."""
        if call.kind is not SeatCall.GAVE:
            return True
        return any(
            taking.returned_at <= call.invoked_at <= (taking.until or taking.returned_at)
            for taking in self._takings[seat, call.user]
        )

    def calls(
        self, seats: Sequence[Seat], about: Operation, happened: Container[Id] | None = None
    ) -> list[Call]:
        """Return all calls on some seats of a screening until a request has certainly shown.

        Calls of one request are one call.

        Args:
            seats: the seats.
            about: the request.
            happened: if given, requests without an answer are left out unless they are among these.
        """
        known_by = about.invoked_at if about.unknown else about.returned_at
        ends_at = known_by + SEEN_WITHIN_SECONDS
        together: dict[Any, list[tuple[int, Call]]] = defaultdict(list)
        for number, seat in enumerate(seats):
            for call in self._calls[seat]:
                if call.unknown and happened is not None and call.source.op not in happened:
                    continue
                says_more = call.observes and not call.claims
                if call.invoked_at <= ends_at and not (says_more and call.returned_at > ends_at):
                    alone = number if _is_by_itself(call) else None
                    together[id(call.source), call.kind is SeatCall.RELEASED, alone].append((number, call))
        calls = [_joined(parts, ends_at) for parts in together.values()]
        calls += self._shown.observations(seats[0][0], [seat for _, seat in seats], ends_at)
        return calls


def _is_by_itself(call: Call) -> bool:
    """Return whether a call on a seat says nothing about the other seats of its request.

    Without an answer nobody knows which seats the server chose. A toggle releases seats and holds others,
    one after the other. A ticket moves between seats that may be those of two screenings.
    """
    operation: Operation = call.source
    return (
        call.kind is SeatCall.TOGGLED
        or operation.action == "move"
        or (call.kind is SeatCall.TOOK and operation.unknown and operation.seats is None)
    )


def _joined(parts: Sequence[tuple[int, Call]], ends_at: float) -> Call:
    """Put calls of one request together. If it was answered later, it may take effect later."""
    first = parts[0][1]
    returned_at = first.returned_at
    if returned_at > ends_at:
        # A claim that changes nothing is looked at until then.
        returned_at = ends_at if first.observes else inf
    return Call(
        "together",
        first.invoked_at,
        returned_at,
        observes=first.observes,
        claims_until=max(part.claims_until for _, part in parts),
        losable=first.losable,
        final=first.final,
        user=first.user,
        parts=parts,
        source=first.source,
    )


def not_together(about: Operation, seats: Sequence[Seat], stuck: Call) -> Finding:
    """Say that no order of the requests changes the seats of one of them together.

    Args:
        about: the request.
        seats: its seats.
        stuck: the first call that cannot be explained.
    """
    shown = [f"seat {seats[number][1]} {_words(part)}" for number, part in stuck.parts]
    told: Operation = stuck.source
    return Finding(
        "not together",
        f"screening {about.screening}, seats {', '.join(str(seat) for _, seat in seats)}",
        f"Each seat has an order, but none explains op {told.op} if the seats of a request change together.",
        [str(about), f"op {told.op}: {stuck.invoked_at:.3f} -> {stuck.returned_at:.3f} {', '.join(shown)}"],
    )


def _words(call: Call) -> str:
    return call.kind.replace("_", " ") + (f" by {call.user}" if call.user is not None else "")
