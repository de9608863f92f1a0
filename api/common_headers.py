"""What every answer says in its head, whoever wrote it."""

import secrets
from collections.abc import Mapping
from functools import lru_cache
from itertools import count

from tornado.httputil import format_timestamp

REQUEST_ID_HEADER = "X-Request-ID"

COMMON_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "Frontrow",
    "Vary": "Origin, Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@lru_cache(maxsize=2)
def http_date(second: int) -> str:
    """The Date field (RFC 9110, section 6.6.1), made once a second.

    Args:
        second: since the Unix epoch.
    """
    return format_timestamp(second)


_process = secrets.token_hex(4)
_numbers = count(1)


def new_request_id() -> str:
    """An id that no other request has; who can guess the next one gains nothing by it."""
    return f"{_process}{next(_numbers):08x}"
