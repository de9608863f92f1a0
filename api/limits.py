"""The bounds of requests, handed to whatever takes something from a client."""

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
