"""The rooms' socket, on which clients select seats by their names and see what others select."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from frontrow_client._async.base import AsyncBase
from frontrow_client._async.connection import AsyncLiveSocket
from frontrow_client.answers import refusal_of
from frontrow_client.live import SEATS_LIMIT, SUBSCRIPTIONS_LIMIT, ProtocolError, converted
from frontrow_client.updates import (
    BestSelected,
    NotDone,
    RoomChanged,
    RoomJoined,
    RoomSalesChanged,
    RoomUpdate,
    SeatReleased,
    SeatSelected,
    Selection,
    SelectionExpiring,
)


class AsyncRooms(AsyncLiveSocket[RoomUpdate]):
    """Selecting seats in rooms. After a lost connection it joins its rooms again; selections survive that.

    Requests are answered by updates: `SeatSelected`, `BestSelected`, `SeatReleased`, or `NotDone` with the
    reason.

    Args:
        client: whose socket it is. Without a token the seats belong to the `client_id`.
        client_id: 1 to 64 characters, by which the server finds a guest's selections again.
        give_up_seconds: see `AsyncLiveSocket`.
    """

    def __init__(self, client: AsyncBase, client_id: str, give_up_seconds: float | None = None) -> None:
        super().__init__(client, f"/ws/{quote(client_id, safe='')}", give_up_seconds)
        self._rooms: dict[str, dict[str, Selection]] = {}
        self._entered: str | None = None

    def selections(self, room_id: str) -> Mapping[str, Selection]:
        """Return the known selections of a joined room, by seat."""
        return self._rooms.get(room_id, {})

    async def join(self, room_id: str) -> None:
        """Join a room, such as "funcion_1" for screening 1; may be called before the socket is connected.

        Raises:
            ValueError: the socket is in too many rooms.
        """
        if room_id not in self._rooms and len(self._rooms) >= SUBSCRIPTIONS_LIMIT:
            raise ValueError(f"At most {SUBSCRIPTIONS_LIMIT} rooms can be joined")
        self._rooms.setdefault(room_id, {})
        await self._send({"type": "join_room", "room_id": room_id})

    async def leave(self, room_id: str) -> None:
        """Leave a room. Selections in it remain."""
        self._rooms.pop(room_id, None)
        await self._send({"type": "leave_room", "room_id": room_id})

    async def select(self, room_id: str, seat_id: str, user_info: Mapping[str, Any] | None = None) -> bool:
        """Select a seat, and show others `user_info` about its user.

        Returns:
            Whether it was sent; without a connection it is not sent later.
        """
        return await self._ask("select_seat", room_id, seat_id=seat_id, user_info=user_info or {})

    async def select_best(
        self, room_id: str, quantity: int, user_info: Mapping[str, Any] | None = None, **wishes: Any
    ) -> bool:
        """Select the best free seats for a party; `wishes` as for `reserve_best`.

        Returns whether it was sent.
        """
        fields = {"quantity": quantity, "user_info": user_info or {}, **wishes}
        return await self._ask("select_best", room_id, **fields)

    async def release(self, room_id: str, seat_id: str) -> bool:
        """Give a seat back. Returns whether it was sent."""
        return await self._ask("release_seat", room_id, seat_id=seat_id)

    async def _ask(self, kind: str, room_id: str, **fields: Any) -> bool:
        return await self._send({"type": kind, "room_id": room_id, **fields})

    async def _opened(self) -> None:
        # The server sends no greeting; the answer shows that it has admitted the client.
        await self._send({"type": "ping"})
        for room_id in list(self._rooms):
            await self._send({"type": "join_room", "room_id": room_id})

    async def _take(self, message: Mapping[str, Any]) -> Iterable[RoomUpdate]:
        kind, room_id = message.get("type"), message.get("room_id")
        if kind == "room_joined":
            self._entered = room_id
        elif kind == "current_selections":
            return self._replaced(message)
        elif kind == "error":
            return self._refused(message)
        elif kind == "room_changed" and room_id in self._rooms:
            await self._send({"type": "join_room", "room_id": room_id})
            return (RoomChanged(room_id=room_id),)
        elif kind in ("sales_opened", "sales_ended") and isinstance(room_id, str):
            return (RoomSalesChanged(room_id=room_id, is_open=kind == "sales_opened"),)
        elif isinstance(room_id, str):
            return self._changed(kind, room_id, message)
        return ()

    def _replaced(self, message: Mapping[str, Any]) -> Iterable[RoomUpdate]:
        room_id = self._entered
        if room_id is None or room_id not in self._rooms:
            return ()
        joined = converted({"room_id": room_id, **message}, RoomJoined)
        if len(joined.selections) > SEATS_LIMIT:
            raise ProtocolError(f"More than {SEATS_LIMIT} seats")
        self._rooms[room_id] = {selection.seat_id: selection for selection in joined.selections}
        return (joined,)

    def _changed(self, kind: Any, room_id: str, message: Mapping[str, Any]) -> Iterable[RoomUpdate]:
        room = self._rooms.get(room_id, {})
        match kind:
            case "seat_selected" | "seat_booked":
                status = "booked" if kind == "seat_booked" else "selected"
                selection = converted({**message, "status": status}, Selection)
                room[selection.seat_id] = selection
                if len(room) > SEATS_LIMIT:
                    raise ProtocolError(f"More than {SEATS_LIMIT} seats")
                return (SeatSelected(room_id=room_id, selection=selection),)
            case "seat_released":
                released = converted(message, SeatReleased)
                room.pop(released.seat_id, None)
                return (released,)
            case "best_selected":
                best = converted(message, BestSelected)
                for seat_id in best.seat_ids:
                    room[seat_id] = converted({**message, "seat_id": seat_id}, Selection)
                return (best,)
            case "hold_expiring":
                return (converted(message, SelectionExpiring),)
        return ()

    def _refused(self, message: Mapping[str, Any]) -> Iterable[RoomUpdate]:
        error, seat_id = refusal_of(message), message.get("seat_id")
        room_id = message.get("room_id", "")
        # Without a seat the refusal is about the room, unless no seat was named.
        if seat_id is None and message.get("request") is None:
            self._rooms.pop(room_id, None)
        return (NotDone(room_id=room_id, seat_id=seat_id, error=error),)
