"""The bounds of requests, handed to whatever takes something from a client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of requests.

    Attributes:
        body_bytes: largest body.
        upload_bytes: largest body with a file.
        header_bytes: largest block of headers.
        header_timeout_seconds: how long a client may take for its headers, or idle between requests.
        body_timeout_seconds: how long a client may take for its body.
        seats_per_request: most seats that one request may name.
        answer_wait_seconds: how long a request waits for the database; what it asked for goes on.
        recent_answers_bytes: memory for answers to keyed requests (older ones are in the database).
        keys_in_flight: keyed requests at work at one time.
    """

    body_bytes: int = 65_536
    upload_bytes: int = 2 * 1024 * 1024
    header_bytes: int = 16_384
    header_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 10.0
    seats_per_request: int = 100
    answer_wait_seconds: float = 2.0
    recent_answers_bytes: int = 16 * 1024 * 1024
    keys_in_flight: int = 10_000
