"""Requests that are refused before they reach a handler.

ApiError
├── MalformedRequest 400, RequestTimedOut 408, BodyTooLarge 413, TargetTooLong 414
├── HeadersTooLarge 431, VersionNotSupported 505
└── TooManyConnections 503
"""

from api.errors import RETRY_SOON, ApiError


class MalformedRequest(ApiError):
    """Not HTTP, or HTTP that another server could parse differently (RFC 9112, section 11.2).

    Args:
        reason: what is wrong with the request.
    """

    status, code = 400, "malformed_request"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Malformed request: {reason}")


class RequestTimedOut(ApiError):
    """The request was started but not completed in time.

    Args:
        part: the part that is incomplete, e.g. "body".
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
    """The request line is too long.

    Args:
        limit_bytes: longest request line allowed.
    """

    status, code = 414, "uri_too_long"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request line must not exceed {limit_bytes} bytes", data={"limit": limit_bytes})


class HeadersTooLarge(ApiError):
    """The head of the request is too long, or has too many fields."""

    status, code = 431, "headers_too_large"


class VersionNotSupported(ApiError):
    """The request's HTTP version is not 1.x."""

    status, code = 505, "http_version_not_supported"
    detail = "Only HTTP/1.1 and HTTP/1.0 are supported"


class TooManyConnections(ApiError):
    """The limit on HTTP connections, in total or per address, is reached."""

    status, code, retryable = 503, "too_many_connections", True
    detail = "Too many connections are open; close some or try again"
    headers = RETRY_SOON
