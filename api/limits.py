"""Limits on what clients may send and use.

A field that operators can set has the name of its setting (`frontrow.settings`), and is filled by it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The bounds of requests. A server has one such object, which is equal to itself alone.

    Attributes:
        body_limit_bytes: largest body.
        upload_limit_bytes: largest body with a file.
        connections_limit: HTTP connections that may be open; WebSockets are counted by themselves.
        connections_per_address_limit: those of one address, or network of IPv6 addresses; 0 for no bound.
        header_bytes: largest head of a request, its first line included.
        request_line_bytes: longest first line; it has to hold a token of 8 KiB.
        header_count: most header fields.
        header_timeout_seconds: how long a client may take for its headers; on Tornado's HTTP layer also how
            long it may be idle between requests.
        body_timeout_seconds: how long a client may take for its body.
        keep_alive_seconds: how long a connection is kept for the next request.
        write_timeout_seconds: how long a client may take next to nothing of what is sent to it.
        seats_per_request_limit: most seats that one request may name.
        ask_timeout_seconds: how long a request waits for its answer; what it asked for goes on.
        recent_answers_bytes: memory for answers to keyed requests (older ones are in the database).
        keys_in_flight: keyed requests at work at one time.
        guest_hold_minutes: how long tickets of events are reserved, unless the guest says.
        guest_hold_minutes_limit: the longest that a guest may say, at first and for an extension.
        guest_reservations_per_request_limit: most reservations that one request may make.
        guest_metadata_limit_bytes: longest metadata of a reservation.
        guest_requests_per_address: requests to the public API from one address per minute.
        guest_requests_per_session: the same for one guest session or user.
        guest_creations_per_address: sessions and reservations made from one address per minute.
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
        sockets_limit: open sockets of the whole server.
        sockets_per_user_limit: open sockets of one user.
        sockets_per_address_limit: open sockets of all guests of one address.
        socket_message_limit_bytes: largest message of a client.
        socket_outbox_limit_bytes: how much may wait to be sent; also what the kernel is asked to buffer.
        socket_ping_seconds: how often the server pings, and how long it waits for the pong.
        socket_frames_per_second: frames of any kind that a client may send in the long run.
        socket_frames_at_once: frames that it may send after a pause.
        socket_deflate_from_bytes: frames of this size and larger are compressed for clients that offer it.
        socket_subscriptions_limit: events that one socket may watch at the same time.
        rooms_per_socket_limit: rooms that one socket may be in.
        user_info_limit_bytes: how much a client of a room may tell others about its user.
        bad_messages: messages that cannot be parsed before the socket is closed.
        catch_up_seconds: how long a client may take to read what it missed.
        ask_timeout_seconds: how long it may wait for the database before it is told to try again.
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
