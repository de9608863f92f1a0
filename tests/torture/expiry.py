"""Fate of every acknowledged hold, and how late the expired ones were seen free.

The order that `linearizability` has found says what ended each hold. That none ended early is part of the
model of a seat; what sockets showed is checked here.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from tests.torture.calls import Call
from tests.torture.clock_errors import ClockErrors
from tests.torture.findings import Finding
from tests.torture.history import History, Watcher
from tests.torture.linearizability import Step
from tests.torture.projection import Seat
from tests.torture.recovery import LOSS, Loss, Recoverable
from tests.torture.seat_model import LAPSE, SeatCall, Status
from tests.torture.seat_model import Seat as SeatState

LATENESS_BUCKETS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, inf)
"""Upper bounds in seconds, for the histogram of lateness."""

_SAME_SECONDS = 0.05
"""Two times of expiry that differ by less are of the same hold."""

_GIVING = frozenset(
    {
        SeatCall.GAVE,
        SeatCall.RELEASED,
        SeatCall.TOGGLED,
        SeatCall.BOOKED,
        SeatCall.BOOKED_HELD,
        SeatCall.CANCELLED,
    }
)


class Holds:
    """The account of all acknowledged holds.

    Args:
        watchers: what sockets were shown of expiries.

    Attributes:
        ends: how many were kept, lapsed, were released, booked, or lost by a crash; and how many that had
            been given back were found again after a crash.
        lateness: how many of those that lapsed were seen free at most so many seconds after their expiry.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.ends: Counter[str] = Counter()
        self.lateness: Counter[float] = Counter()
        self._freed = _freed(watchers)

    def account(self, seat: Seat, order: Sequence[Step[Recoverable[SeatState]]]) -> None:
        """Add the holds of one seat.

        Args:
            seat: screening and seat.
            order: what happened to it.
        """
        acknowledged: SeatState | None = None
        for number, step in enumerate(order):
            before, after = step.before.now, step.after.now
            if acknowledged is not None and not _goes_on(acknowledged, after):
                self._end(seat, step, acknowledged, order[number + 1 :])
                acknowledged = None
            if after.status is not Status.HELD:
                continue
            if step.what == LOSS and before.user != after.user:
                self.ends["found again"] += 1
            if isinstance(step.what, Call) and not step.what.unknown and step.what.kind == SeatCall.TOOK:
                acknowledged = after
        if acknowledged is not None:
            self.ends["kept"] += 1

    def _end(self, seat: Seat, step: Step[Any], held: SeatState, rest: Sequence[Step[Any]]) -> None:
        if step.what == LAPSE:
            self.ends["lapsed"] += 1
            self._count_lateness(seat, step.before.now.until, rest)
        elif step.what == LOSS:
            self.ends["lost"] += 1
        else:
            assert isinstance(step.what, Call)
            booked = step.after.now.status is Status.BOOKED
            self.ends["booked" if booked else "released"] += 1

    def _count_lateness(self, seat: Seat, until: float, rest: Sequence[Step[Any]]) -> None:
        seen = next((step.what.returned_at for step in rest if isinstance(step.what, Call)), inf)
        times = self._freed.get(seat, ())
        following = bisect_left(times, until - LATENESS_BUCKETS[4])
        if following < len(times):
            seen = min(seen, times[following])
        late = seen - until
        self.lateness[next(bound for bound in LATENESS_BUCKETS if late <= bound)] += 1


def _goes_on(held: SeatState, after: SeatState) -> bool:
    return after.status is Status.HELD and after.user == held.user


def check_early_expiry(
    history: History, calls: Mapping[Seat, Sequence[Call]], losses: Sequence[Loss]
) -> Iterator[Finding]:
    """Find holds that a socket showed as ended before their time, although nothing could have ended them.

    Args:
        history: the history; its watchers must have been shown `until`.
        calls: the calls on each seat.
        losses: when crashes may end holds.
    """
    errors = ClockErrors(history.faults, history.settings)
    for watcher in history.watchers:
        shown: dict[Seat, Mapping[str, Any]] = {}
        for sighting in watcher.sightings:
            for change in sighting.seats:
                seat = str(sighting.screening), change["seat"]
                held = shown.get(seat)
                shown[seat] = {**change, "time": sighting.time}
                if held is None or held.get("until") is None or change["status"] != "available":
                    continue
                hold = _hold(calls.get(seat, ()), held)
                if hold is None:
                    continue
                early, _ = errors.around(hold.invoked_at, sighting.time)
                if sighting.time >= held["until"] - early or _explained(
                    calls[seat], hold, sighting.time, losses
                ):
                    continue
                yield Finding(
                    "hold ended early",
                    f"screening {seat[0]}, seat {seat[1]}",
                    f"{held['user']} held it until {held['until']:.3f}; at {sighting.time:.3f} watcher "
                    f"{watcher.name} was shown it free, and nobody had given it back.",
                    [
                        str(hold.source),
                        _line(watcher, held["time"], f"reserved by {held['user']} until {held['until']:.3f}"),
                        _line(watcher, sighting.time, "available"),
                    ],
                )


def _line(watcher: Watcher, time: float, shown: str) -> str:
    return f"{time:.3f} {watcher.name}: {shown}"


def _hold(calls: Sequence[Call], held: Mapping[str, Any]) -> Call | None:
    """The acknowledged hold or extension that a socket was shown."""
    for call in calls:
        if call.kind in (SeatCall.TOOK, SeatCall.EXTENDED) and call.user == held.get("user"):
            if (
                not call.unknown
                and call.until is not None
                and abs(call.until - held["until"]) < _SAME_SECONDS
            ):
                return call
    return None


def _explained(calls: Sequence[Call], hold: Call, seen_at: float, losses: Sequence[Loss]) -> bool:
    """Return whether its user or a crash may have ended a hold."""
    given = any(
        call.kind in _GIVING
        and call.user == hold.user
        and call.invoked_at <= seen_at
        and call.returned_at >= hold.invoked_at
        for call in calls
    )
    return given or any(
        loss.begins_at <= seen_at and loss.exposes(hold.invoked_at, hold.returned_at) for loss in losses
    )


def _freed(watchers: Sequence[Watcher]) -> Mapping[Seat, Sequence[float]]:
    """Return the times at which sockets were shown each seat free, in order."""
    freed = defaultdict(list)
    for watcher in watchers:
        for sighting in watcher.sightings:
            for change in sighting.seats:
                if change["status"] == "available":
                    freed[str(sighting.screening), change["seat"]].append(sighting.time)
    return {seat: sorted(times) for seat, times in freed.items()}
