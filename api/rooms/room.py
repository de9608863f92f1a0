"""A room: a screening whose seats have names instead of ids.

In the room of a screening a seat is named by its row and number, as printed on tickets. In a free room every
name is a seat.
"""

import re
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from api.papers.aliases import Aliases
from api.rooms.notes import SelectionNote
from api.rooms.plain_text import plain_text
from engine.errors import EngineError, NotFound
from engine.places import named_seat_id
from engine.records import Layout
from engine.views import SeatMap

_FREE_SEAT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,20}")


class NoSuchRoom(NotFound):
    """No room has this name."""

    code = "room_not_found"

    def __init__(self) -> None:
        EngineError.__init__(self, "There is no such room")


class Room:
    """A room.

    Args:
        name: name of the room.
        screening_id: id of the room's screening in the engine.
        aliases: names for holders who stay anonymous.
        free: whether any seat name is valid; otherwise seats are those of the screening's layout.
    """

    __slots__ = ("_names", "aliases", "free", "name", "screening_id")

    def __init__(self, name: str, screening_id: int, aliases: Aliases, *, free: bool) -> None:
        self.name = name
        self.screening_id = screening_id
        self.aliases = aliases
        self.free = free
        self._names: SeatNames | None = None

    def load_seat_names(self, seat_map: SeatMap) -> None:
        """Load the names of the seats.

        Raises:
            NoSuchRoom: the screening has no room with seats.
        """
        if self.free:
            return
        if not seat_map.layout.room_id:
            raise NoSuchRoom
        self._names = seat_names(seat_map.layout)

    def seat_id(self, name: str) -> int | None:
        """Return the id of a seat; None if there is no such seat or the names are not loaded yet."""
        if self.free:
            return named_seat_id(name) if _FREE_SEAT_NAME.fullmatch(name) else None
        return self._names.ids.get(name) if self._names else None

    def seat_name(self, seat_id: int, note: SelectionNote | None) -> str | None:
        """Return the name of a seat; None if it is unknown."""
        if self.free:
            return note.seat if note else None
        return self._names.names.get(seat_id) if self._names else None

    def seat_names(self, seat_ids: Iterable[int]) -> list[str]:
        """Return the names of seats of the layout, without those that it no longer has."""
        names = [self.seat_name(seat_id, None) for seat_id in seat_ids]
        return [name for name in names if name is not None]


class SeatNames:
    """The names of a layout's seats.

    Args:
        layout: the seats. If two seats would have the same name (seat 11 of row A, seat 1 of row A1), the
            later one is named "A1-1".
    """

    __slots__ = ("ids", "names")

    def __init__(self, layout: Layout) -> None:
        self.ids: dict[str, int] = {}
        for seat in layout.seats:
            row = plain_text(seat.row_label)
            name = f"{row}{seat.seat_number}"
            self.ids[f"{row}-{seat.seat_number}" if name in self.ids else name] = seat.id
        self.names = {seat_id: name for name, seat_id in self.ids.items()}


_known: WeakKeyDictionary[Layout, SeatNames] = WeakKeyDictionary()


def seat_names(layout: Layout) -> SeatNames:
    """Return the names of a layout's seats, cached as long as the layout is in use."""
    names = _known.get(layout)
    if names is None:
        names = _known[layout] = SeatNames(layout)
    return names
