"""Limits on what clients may send and use.

Most fields are filled from the setting of the same name, which docs/settings.md describes. The docstrings
here describe only the others.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Limits on HTTP requests. Compared by identity; a server has one.

    Attributes:
        header_bytes: largest request head, including the request line.
        request_line_bytes: longest request line; must fit a token of 8 KiB.
        header_count: most header fields.
        recent_answers_bytes: memory for responses to requests with an idempotency key; older ones are read
            from the database.
        keys_in_flight: concurrent requests with an idempotency key.
    """

    body_limit_bytes: int = 65_536
    upload_limit_bytes: int = 2 * 1024 * 1024
    connections_limit: int = 20_000
    connections_per_address_limit: int = 0
    header_bytes: int = 16_384
    request_line_bytes: int = 12_288
    header_count: int = 100
    header_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 10.0
    keep_alive_seconds: float = 60.0
    write_timeout_seconds: float = 10.0
    seats_per_request_limit: int = 100
    ask_timeout_seconds: float = 2.0
    recent_answers_bytes: int = 16 * 1024 * 1024
    keys_in_flight: int = 10_000
    guest_hold_minutes: int = 10
    guest_hold_minutes_limit: int = 30
    guest_reservations_per_request_limit: int = 10
    guest_metadata_limit_bytes: int = 2048
    phone_region: str = ""
    guest_requests_per_address: int = 1200
    guest_requests_per_session: int = 240
    guest_creations_per_address: int = 240


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Limits on WebSockets.

    Attributes:
        bad_messages: unparseable messages allowed before the socket is closed.
        catch_up_seconds: time for a client to be admitted and to read the changes that it missed.
    """

    sockets_limit: int = 20_000
    sockets_per_user_limit: int = 50
    sockets_per_address_limit: int = 200
    socket_message_limit_bytes: int = 16_384
    socket_outbox_limit_bytes: int = 65_536
    socket_ping_seconds: float = 20.0
    socket_frames_per_second: float = 50.0
    socket_frames_at_once: int = 200
    socket_deflate_from_bytes: int = 1024
    socket_subscriptions_limit: int = 100
    rooms_per_socket_limit: int = 20
    user_info_limit_bytes: int = 1024
    bad_messages: int = 20
    catch_up_seconds: float = 10.0
    ask_timeout_seconds: float = 2.0
