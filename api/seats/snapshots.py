"""Snapshots of a screening for sockets that cannot be told what they missed: all seats, as bulk updates.

After a restart everybody wants the seats of the same screenings at once. Almost all get identical bytes, so
these are encoded, and compressed, once in a while and not for each. Who holds or has bought a seat gets bytes
of its own, with `is_mine`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from math import inf

from api.bodies import compact
from api.seats.updates import bulks, finished, seat_state
from api.ws.feed import Frames, Position
from engine.records import Layout
from engine.views import SeatMap, SeatView

_STATES_KEPT = 32_768
"""When this many encoded seats are kept, those not shown since the last time are dropped; 0.6 KB each."""

_STATES_SECONDS = 60.0
"""Time after which they are dropped even if there are fewer."""

_SHARED_SECONDS = 1.0
"""Highest age of the timestamp in a snapshot."""

_SEATS_KEPT = 100_000
"""Most seats in all snapshots that are kept for others: some ten megabytes."""


class Snapshots:
    """Encodes snapshots, and keeps those of the last second for others who ask for the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Shared] = OrderedDict()
        self._seats = 0
        self._states = _States()

    def frames(self, seat_map: SeatMap, holder: str, at: float) -> Iterable[Frames]:
        """Return all seats of a screening as bulk updates, encoded lazily.

        Args:
            seat_map: the seats; the last frame has its position.
            holder: holder whose seats are marked `is_mine`.
            at: current time, in seconds since the epoch.
        """
        self._states.renew(at)
        shared = self._kept.get(seat_map.screening_id)
        if shared is None or shared.seat_map is not seat_map or at - shared.at > _SHARED_SECONDS:
            shared = self._keep(_Shared(seat_map, at, self._states))
        if holder in shared.holders:
            return (Frames(frame, 1) for frame in _frames(seat_map, holder, at, self._states))
        return shared

    def _keep(self, shared: "_Shared") -> "_Shared":
        kept, screening_id = self._kept, shared.seat_map.screening_id
        self._seats += len(shared) - len(kept.pop(screening_id, ()))
        kept[screening_id] = shared
        while (oldest := next(iter(kept.values()))) is not shared and (
            self._seats > _SEATS_KEPT or shared.at - oldest.at > _SHARED_SECONDS
        ):
            self._seats -= len(kept.pop(oldest.seat_map.screening_id))
        return shared


class _Shared:
    """A snapshot for all who have no seat in it.

    Args:
        seat_map: the seats; their number is the length of the snapshot.
        at: current time, in seconds since the epoch.
        states: encodes taken seats.

    Attributes:
        holders: those who get another one.
    """

    def __init__(self, seat_map: SeatMap, at: float, states: "_States") -> None:
        self.seat_map = seat_map
        self.at = at
        self.holders = {view.holder for view in seat_map.views.values()}
        self._frames: list[Frames] = []
        self._rest = _frames(seat_map, "", at, states)

    def __len__(self) -> int:
        return len(self.seat_map.layout.seats)

    def __iter__(self) -> Iterator[Frames]:
        number = 0
        while number < len(self._frames) or self._encode_next():
            yield self._frames[number]
            number += 1

    def _encode_next(self) -> bool:
        frame = next(self._rest, None)
        if frame is not None:
            self._frames.append(Frames(frame, 1))
        return frame is not None


class _States:
    """Encodes taken seats as all but their holders see them, and remembers them for the next snapshots.

    A screening's next snapshot has nearly the same seats. Those that no snapshot has shown for a minute or
    two have changed or are no longer watched, and are forgotten.
    """

    def __init__(self) -> None:
        self._shown: dict[SeatView, bytes] = {}
        self._earlier: dict[SeatView, bytes] = {}
        self._since = -inf

    def renew(self, at: float) -> None:
        """Forget what was not shown for long. `at` is the current time, in seconds since the epoch."""
        if len(self._shown) >= _STATES_KEPT or abs(at - self._since) >= _STATES_SECONDS:
            self._earlier, self._shown, self._since = self._shown, {}, at

    def encoded(self, view: SeatView) -> bytes:
        """Encode a seat."""
        state = self._shown.get(view)
        if state is None:
            state = self._earlier.get(view) or compact(seat_state(view, None))
            self._shown[view] = state
        return state


def _frames(seat_map: SeatMap, holder: str, at: float, states: _States) -> Iterator[bytes]:
    """Yield all seats of a screening as bulk updates, encoded lazily; for the arguments see `Snapshots`."""
    views = seat_map.views
    updates = (
        free if (view := views.get(seat_id)) is None else _seen_by(holder, view, states)
        for seat_id, free in seat_map.layout.derived(_free_states).items()
    )
    return finished(bulks(updates), Position(seat_map.epoch, seat_map.seq), at, snapshot=True)


def _free_states(layout: Layout) -> dict[int, bytes]:
    """The seats of a room as everybody sees them while they are available, by id; as `seat_state`."""
    return {
        seat.id: b'{"seat_id":%d,"status":"available","is_mine":false}' % seat.id for seat in layout.seats
    }


def _seen_by(holder: str, view: SeatView, states: _States) -> bytes:
    return seat_state(view, holder) if view.holder == holder else states.encoded(view)
