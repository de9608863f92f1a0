"""Limits on what clients may send and use.

A field with the name of a setting (`frontrow.settings`) is filled from that setting.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Limits on HTTP requests. Compared by identity; a server has one.

    Attributes:
        body_limit_bytes: largest request body.
        upload_limit_bytes: largest request body with a file.
        connections_limit: open HTTP connections; WebSockets have their own limits.
        connections_per_address_limit: open HTTP connections per IPv4 address or IPv6 network; 0 for no limit.
        header_bytes: largest request head, including the request line.
        request_line_bytes: longest request line; must fit a token of 8 KiB.
        header_count: most header fields.
        header_timeout_seconds: time for a client to send a request head; with Tornado's HTTP layer also the
            idle time between requests.
        body_timeout_seconds: time for a client to send a request body.
        keep_alive_seconds: idle time before a connection is closed.
        write_timeout_seconds: time a client may leave response bytes almost entirely unread.
        seats_per_request_limit: most seats in one request.
        ask_timeout_seconds: time a request waits for the engine's reply. The command still takes effect after
            the timeout.
        recent_answers_bytes: memory for responses to requests with an idempotency key; older ones are read
            from the database.
        keys_in_flight: concurrent requests with an idempotency key.
        guest_hold_minutes: default duration of a guest's reservation.
        guest_hold_minutes_limit: longest duration that a guest may request, initially or per extension.
        guest_reservations_per_request_limit: most reservations in one request.
        guest_metadata_limit_bytes: largest metadata of a reservation.
        guest_requests_per_address: requests to the public API per IP address and minute.
        guest_requests_per_session: requests to the public API per guest session or user and minute.
        guest_creations_per_address: sessions and reservations created per IP address and minute.
        phone_region: region of phone numbers without a country code, e.g. "DE"; empty to require the code.
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
        sockets_limit: open sockets of the server.
        sockets_per_user_limit: open sockets per user.
        sockets_per_address_limit: open sockets of guests per IP address.
        socket_message_limit_bytes: largest message from a client.
        socket_outbox_limit_bytes: most unsent bytes per socket; also requested as the kernel's buffer size.
        socket_ping_seconds: interval of the server's pings, and the time allowed for the pong.
        socket_frames_per_second: sustained rate of frames, of any kind, from a client.
        socket_frames_at_once: burst of frames allowed after a pause.
        socket_deflate_from_bytes: smallest frame that is compressed, if the client supports it.
        socket_subscriptions_limit: most events that a socket may subscribe to.
        rooms_per_socket_limit: most rooms that a socket may join.
        user_info_limit_bytes: largest `user_info` that a room client may share.
        bad_messages: unparseable messages allowed before the socket is closed.
        catch_up_seconds: time for a client to be admitted and to read the changes that it missed.
        ask_timeout_seconds: time a message waits for the engine's reply before the client is asked to retry.
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
