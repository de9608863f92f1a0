"""Updates from sockets: the elements of `watch_seats`, `watch_events` and `rooms`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from frontrow_client.errors import ApiError
from frontrow_client.models import Model


class LiveSeat(Model, frozen=True, kw_only=True):
    """A seat as the socket shows it.

    `status` is available, reserved or booked; `is_mine` says whether it is reserved for or sold to the
    caller. `holder` is "user:" and an id. `price` is what the caller has agreed to pay for it.
    """

    seat_id: int
    status: str
    is_mine: bool = False
    blocked: bool = False
    reserved_by: int | None = None
    booked_by: int | None = None
    holder: str | None = None
    expires_at: datetime | None = None
    price: float | None = None
    previously_reserved_by: int | None = None


class SeatsChanged(Model, frozen=True, kw_only=True):
    """Seats have changed, whatever the cause.

    Attributes:
        changed: new and changed seats, as they are now.
        removed: ids of seats that are not there any more.
        replaced: whether the whole picture was replaced: at first, and when too much was missed to resume.
    """

    changed: list[LiveSeat]
    removed: list[int]
    replaced: bool


class SalesChanged(Model, frozen=True, kw_only=True):
    """Sales have opened, or closed."""

    is_open: bool


class HoldExpiring(Model, frozen=True, kw_only=True):
    """Seats that the caller has reserved become free soon; told once for each deadline."""

    seat_ids: list[int]
    expires_at: datetime
    remaining_seconds: int


class SeatsOffered(Model, frozen=True, kw_only=True):
    """Seats for which the caller has waited are reserved for the caller now."""

    id: int
    seat_ids: list[int]
    reservation_id: int
    expires_at: datetime
    remaining_seconds: int


class SeatFree(Model, frozen=True, kw_only=True):
    """A seat is free about which the caller wanted to be told. It is not reserved."""

    id: int
    seat_id: int


class ScreeningChanged(Model, frozen=True, kw_only=True):
    """The screening's seats, times, price or room were changed: load what you show of them again."""

    seats: int
    available: int


SeatUpdate = SeatsChanged | SalesChanged | HoldExpiring | SeatsOffered | SeatFree | ScreeningChanged
"""An element of `watch_seats`."""


class EventModel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the updates from the event socket."""

    event_id: int


class TicketsLeft(EventModel, frozen=True, kw_only=True, rename="camel"):
    """Number of seats or tickets of an event that are neither reserved nor sold."""

    available_seats: int
    seat_capacity: int


class TicketsSold(EventModel, frozen=True, kw_only=True, rename="camel"):
    """A booking; `TicketsLeft` follows."""

    available_seats: int


class TicketsCancelled(EventModel, frozen=True, kw_only=True, rename="camel"):
    """A ticket was cancelled, or unpaid ones have lapsed; `TicketsLeft` follows."""

    available_seats: int


class EventSalesChanged(EventModel, frozen=True, kw_only=True, rename="camel"):
    """Sales of an event, or of some of its ticket types, have opened or closed."""

    is_open: bool


class TicketsExpiring(EventModel, frozen=True, kw_only=True, rename="camel"):
    """Tickets that the caller has reserved are free again soon."""

    reservation_ids: list[str]
    quantity: int
    expires_at: datetime
    remaining_seconds: int


class TicketsOffered(EventModel, frozen=True, kw_only=True, rename="camel"):
    """Tickets for which the caller has waited are reserved for the caller now."""

    id: int
    reservation_id: str
    quantity: int
    expires_at: datetime
    remaining_seconds: int


class CheckInsChanged(EventModel, frozen=True, kw_only=True, rename="camel"):
    """Numbers of those who are expected, were admitted and are inside."""

    expected: int
    admitted: int
    inside: int
    conflicts: int
    gates: list[dict[str, Any]]


class NotWatched(EventModel, frozen=True, kw_only=True, rename="camel"):
    """An event may not be watched, which ends its subscription."""

    error: ApiError


EventUpdate = (
    TicketsLeft
    | TicketsSold
    | TicketsCancelled
    | EventSalesChanged
    | TicketsExpiring
    | TicketsOffered
    | CheckInsChanged
    | NotWatched
)
"""An element of `watch_events`."""


class Selection(Model, frozen=True, kw_only=True):
    """A seat that a client has selected in a room. A sold one has the status "booked"."""

    room_id: str
    seat_id: str
    client_id: str
    user_info: Mapping[str, Any] = msgspec.field(default_factory=dict)
    timestamp: datetime | None = None
    expires_at: datetime | None = None
    status: str = "selected"
    blocked: bool = False


class RoomModel(Model, frozen=True, kw_only=True):
    """Base of the updates from rooms."""

    room_id: str


class RoomJoined(RoomModel, frozen=True, kw_only=True):
    """All selections of a room were received: after joining, and after every reconnection."""

    selections: list[Selection]


class SeatSelected(RoomModel, frozen=True, kw_only=True):
    """Somebody, perhaps this client, has selected a seat; or it was sold (`status` "booked")."""

    selection: Selection


class SeatReleased(RoomModel, frozen=True, kw_only=True):
    """A seat is free again."""

    seat_id: str
    client_id: str


class BestSelected(RoomModel, frozen=True, kw_only=True):
    """The seats that this client has got with `select_best`."""

    client_id: str
    seat_ids: list[str]
    expires_at: datetime


class SelectionExpiring(RoomModel, frozen=True, kw_only=True):
    """Seats that this client has selected are free again soon."""

    seat_ids: list[str]
    expires_at: datetime
    remaining_seconds: int


class RoomSalesChanged(RoomModel, frozen=True, kw_only=True):
    """Sales of the screening have opened or closed."""

    is_open: bool


class RoomChanged(RoomModel, frozen=True, kw_only=True):
    """The room's seats, or the screening's times or price, were changed. `RoomJoined` follows."""


class NotDone(RoomModel, frozen=True, kw_only=True):
    """A request had no effect. Without `seat_id` the room was left, or it was `select_best`."""

    error: ApiError
    seat_id: str | None = None


RoomUpdate = (
    RoomJoined
    | SeatSelected
    | SeatReleased
    | BestSelected
    | SelectionExpiring
    | RoomSalesChanged
    | RoomChanged
    | NotDone
)
"""An element of `rooms`."""
