"""Messages of sockets as observations of seats: of one seat, or of several at the same time.

Everything that a socket shows at a position was so at one time: after the socket was opened, and before the
message was read. So it says about seats what a look at the map says.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from tests.torture.calls import Call
from tests.torture.history import Id, Operation, Sighting, Watcher
from tests.torture.seat_model import SEEN, SeatCall

Seen = tuple[SeatCall, Any]
"""Observation of a seat: how it looked, and its user."""


class _Change(NamedTuple):
    """Seats that a sighting shows otherwise than the one before."""

    sighting: Sighting
    seats: Mapping[Id, Seen]


class Shown:
    """Seats as all sockets showed them, by seat.

    Args:
        watchers: the watchers.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._changes: list[tuple[str, list[_Change]]] = []
        self._of_seat: dict[tuple[str, Id], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for watcher in watchers:
            by_screening: dict[str, list[Sighting]] = defaultdict(list)
            for sighting in watcher.sightings:
                by_screening[str(sighting.screening)].append(sighting)
            for screening, sightings in by_screening.items():
                self._add(watcher, screening, sightings)

    def _add(self, watcher: Watcher, screening: str, sightings: Sequence[Sighting]) -> None:
        stream, picture = len(self._changes), dict[Id, Seen]()
        changes = list[_Change]()
        for sighting in sightings:
            shown = {one["seat"]: _seen(one) for one in sighting.seats}
            changed = {seat: seen for seat, seen in shown.items() if picture.get(seat) != seen}
            picture.update(changed)
            for seat in changed:
                self._of_seat[screening, seat][stream].append(len(changes))
            if changed:
                changes.append(_Change(sighting, changed))
        self._changes.append((watcher.name, changes))

    def observations(self, screening: str, seats: Sequence[Id], ends_at: float = inf) -> Iterator[Call]:
        """Yield a call for each picture of the seats that differs from the one before.

        Args:
            screening: the screening.
            seats: seats of it.
            ends_at: messages that were read later are left out.

        Returns:
            Calls with a part for each seat. What several watchers were shown at a position is yielded once.
        """
        yielded = set()
        for stream in {stream for seat in seats for stream in self._of_seat[screening, seat]}:
            name, changes = self._changes[stream]
            numbers = sorted({n for seat in seats for n in self._of_seat[screening, seat].get(stream, ())})
            picture: dict[Id, Seen] = {}
            for number in numbers:
                sighting, changed = changes[number]
                if sighting.time > ends_at:
                    break
                picture.update((seat, changed[seat]) for seat in seats if seat in changed)
                seen = tuple(picture.get(seat) for seat in seats)
                if None in seen or (sighting.position, seen) in yielded:
                    continue
                yielded.add((sighting.position, seen))
                yield _observation(name, sighting, [picture[seat] for seat in seats])


def _seen(shown: Mapping[str, Any]) -> Seen:
    kind = SEEN[shown["status"]]
    return kind, None if kind is SeatCall.SAW_FREE else shown.get("user")


def _observation(name: str, sighting: Sighting, seen: Sequence[Seen]) -> Call:
    epoch, seq = sighting.position
    source = Operation(
        f"{name} at epoch {epoch}, seq {seq}",
        *(name, "look", sighting.screening, "socket", sighting.since),
        returned_at=sighting.time,
        status=200,
    )
    parts = [
        (number, Call(kind, sighting.since, sighting.time, True, user=user, source=source))
        for number, (kind, user) in enumerate(seen)
    ]
    return Call("together", sighting.since, sighting.time, True, parts=parts, source=source)
