"""The present prices of a screening's seats and places.

They do not change while the screening is in memory: it is loaded again when an administrator changes them.
Held seats keep the price at which they were held (`engine.records.Hold`).
"""

from engine.places import ticket_type_of
from engine.records import Layout, ScreeningInfo


class Prices(dict[int, int]):
    """Prices in cents by seat; that of a seat is found when it is first asked for."""

    __slots__ = ("_info", "_layout")

    def __init__(self, info: ScreeningInfo, layout: Layout) -> None:
        self._info = info
        self._layout = layout

    def __missing__(self, seat_id: int) -> int:
        seat = self._layout.by_id.get(seat_id)
        if seat is not None:
            price_cents = self[seat_id] = self._info.price_of(seat)
            return price_cents
        # Places have one price per ticket type, and the seats of a free room cost nothing.
        kind = self._info.ticket_types.get(ticket_type_of(seat_id))
        return 0 if kind is None else kind.price_cents
