"""Names of seats on the rooms WebSocket: row and number, as printed on tickets."""

from weakref import WeakKeyDictionary

from api.rooms.plain_text import plain_text
from engine.records import Layout


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
