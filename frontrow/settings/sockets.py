"""Settings for WebSockets and rooms."""

from dataclasses import dataclass
from typing import Annotated

from frontrow.settings.rules import DAY_SECONDS, FRAMES_PER_SECOND, HOUR_SECONDS, KIB, MIB, seconds, whole


@dataclass(frozen=True, kw_only=True)
class SocketSettings:
    """WebSockets"""

    sockets_limit: Annotated[
        int, whole(1, 1_000_000, "sockets"), "Open WebSockets; further ones are closed with 1013."
    ] = 20_000
    sockets_per_user_limit: Annotated[
        int, whole(1, 10_000, "sockets"), "Open WebSockets of one user; further ones are closed with 4429."
    ] = 50
    sockets_per_address_limit: Annotated[
        int,
        whole(1, 1_000_000, "sockets"),
        "Open WebSockets of all guests of one address; further ones are closed with 4429.",
    ] = 200
    socket_handshakes_per_second: Annotated[
        int,
        whole(1, 1_000_000, "handshakes"),
        "New WebSockets per second. Further handshakes wait for their turn for up to four seconds, or are "
        "answered with 503 and `Retry-After`. So clients that all reconnect together leave time for others.",
    ] = 1000
    socket_subscriptions_limit: Annotated[
        int, whole(1, 10_000, "events"), "Events that one WebSocket may watch at the same time."
    ] = 100
    socket_tick_ms: Annotated[
        int,
        whole(0, 1000, "milliseconds"),
        "Seat changes within this time are merged into one frame; 0 merges none.",
    ] = 20
    socket_ping_seconds: Annotated[
        float, seconds(0.1, HOUR_SECONDS), "Time between two pings, which detect clients that are gone."
    ] = 20.0
    socket_message_limit_bytes: Annotated[
        int, whole(128, MIB, "bytes"), "Largest message that a client may send."
    ] = 16 * KIB
    socket_outbox_limit_bytes: Annotated[
        int,
        whole(KIB, 16 * MIB, "bytes"),
        "Bytes that may wait for one slow client before its WebSocket is closed.",
    ] = 64 * KIB
    socket_frames_per_second: Annotated[
        float, FRAMES_PER_SECOND, "Frames per second that a client may send on average."
    ] = 50.0
    socket_frames_at_once: Annotated[
        int, whole(1, 1_000_000, "frames"), "Frames that a client may send in one burst."
    ] = 200
    socket_deflate_from_bytes: Annotated[
        int,
        whole(64, MIB, "bytes"),
        "Frames of this size and larger are compressed for clients that offer it.",
    ] = KIB


@dataclass(frozen=True, kw_only=True)
class RoomSettings:
    """Rooms"""

    rooms_per_socket_limit: Annotated[int, whole(1, 1000, "rooms"), "Rooms that one WebSocket may be in."] = (
        20
    )
    free_rooms_limit: Annotated[
        int,
        whole(0, 1_000_000, "rooms"),
        "Maximum number of free rooms, which belong to no screening.",
    ] = 1000
    free_rooms_per_address: Annotated[
        int, whole(1, 1_000_000, "rooms"), "Free rooms that one address may create per hour."
    ] = 50
    free_room_seats_limit: Annotated[
        int, whole(1, 100_000, "seats"), "Seats that may be selected in a free room at the same time."
    ] = 1000
    free_room_idle_seconds: Annotated[
        float,
        seconds(1, 365 * DAY_SECONDS),
        "Time after which a free room without clients and selections is deleted.",
    ] = 3600.0
    guest_selections_limit: Annotated[
        int,
        whole(1, 1_000_000, "seats"),
        "Seats that guests of one address may select in rooms within FRONTROW_HOLD_SECONDS.",
    ] = 200
    user_info_limit_bytes: Annotated[
        int, whole(64, 8 * KIB, "bytes"), "Largest `user_info` that a client of a room may send."
    ] = KIB
