"""What is refused as HTTP, before a request has reached a handler.

ApiError
├── MalformedRequest 400, RequestTimedOut 408, BodyTooLarge 413, TargetTooLong 414
├── HeadersTooLarge 431, VersionNotSupported 505
└── TooManyConnections 503
"""

from api.errors import ApiError


class MalformedRequest(ApiError):
    """It is no HTTP, or HTTP that another server could understand differently (RFC 9112, section 11.2).

    Args:
        reason: what is wrong with it.
    """

    status, code = 400, "malformed_request"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Malformed request: {reason}")


class RequestTimedOut(ApiError):
    """It has begun, and did not come to its end in time.

    Args:
        part: which part of it is missing.
    """

    status, code, retryable = 408, "request_timeout", True

    def __init__(self, part: str) -> None:
        super().__init__(f"The {part} of the request took too long")


class BodyTooLarge(ApiError):
    """The body exceeds the limit."""

    status, code = 413, "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body must not exceed {limit_bytes} bytes", data={"limit": limit_bytes})


class TargetTooLong(ApiError):
    """The request line is longer than any path and query that are served here.

    Args:
        limit_bytes: what it may not exceed.
    """

    status, code = 414, "uri_too_long"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request line must not exceed {limit_bytes} bytes", data={"limit": limit_bytes})


class HeadersTooLarge(ApiError):
    """The head of the request is longer, or has more fields, than it may."""

    status, code = 431, "headers_too_large"


class VersionNotSupported(ApiError):
    """It is a request of another major version than 1."""

    status, code = 505, "http_version_not_supported"

    def __init__(self) -> None:
        super().__init__("Only HTTP/1.1 and HTTP/1.0 are spoken here")


class TooManyConnections(ApiError):
    """The bound on HTTP connections, in all or of one address, is reached."""

    status, code, retryable = 503, "too_many_connections", True

    def __init__(self) -> None:
        super().__init__("Too many connections are open; close some, or try again", {"Retry-After": "1"})
