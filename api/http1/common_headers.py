"""Headers common to all responses: security headers, the date and the request id."""

import re
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count

from tornado.httputil import format_timestamp

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}", re.ASCII)


class FieldLines:
    """Header fields shared by many responses, encoded once.

    Args:
        fields: values by name; must not come from a client.

    Attributes:
        fields: values by name.
        text: the field lines, each with its line ending.
    """

    __slots__ = ("_without", "fields", "text")

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        self.text = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
        self._without: dict[str, FieldLines] = {}

    def without(self, names: Iterable[str]) -> "FieldLines":
        """Return the fields except for those that a response sets itself."""
        lines = self
        for name in names:
            if name in lines.fields:
                lines = lines._without_one(name)
        return lines

    def _without_one(self, name: str) -> "FieldLines":
        lines = self._without.get(name)
        if lines is None:
            kept = {other: value for other, value in self.fields.items() if other != name}
            lines = self._without[name] = FieldLines(kept)
        return lines


COMMON_HEADERS = FieldLines(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Server": "Frontrow",
        "Vary": "Origin, Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
)


@lru_cache(maxsize=2)
def http_date(second: int) -> str:
    """Return the value of the Date field (RFC 9110, section 6.6.1), formatted once per second.

    Args:
        second: seconds since the Unix epoch.
    """
    return format_timestamp(second)


_process = f"{secrets.token_hex(4)}-"
_numbers = count(1)


def new_request_id() -> str:
    """Return a unique request id. It is predictable, which is harmless."""
    return f"{_process}{next(_numbers)}"


def request_id_given(value: str | None) -> str | None:
    """Return the client's own request id; None unless it is short and has only harmless characters."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None
