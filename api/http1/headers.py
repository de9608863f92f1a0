"""Header fields for Tornado's handlers, filled by the parser without validating them a second time."""

from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPHeaders

_NAMES_KEPT = 1024


class RequestHeaders(HTTPHeaders):
    """The fields of one request.

    The parser calls `on_header` with names and values that it has validated. `HTTPHeaders.add` would match
    each against the grammar again, at several times the cost of parsing it.
    """

    def __init__(self) -> None:
        self._as_list: dict[str, list[str]] = {}
        self._combined_cache: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a field line; called by `httptools`. The value may have trailing blanks."""
        key, text = _canonical(name), value.decode("latin-1").rstrip(" \t")
        values = self._as_list.get(key)
        if values is None:
            self._as_list[key] = [text]
        else:
            values.append(text)

    def get(self, key: str, default: Any = None) -> Any:
        """The combined value of a field, or `default`; an absent field raises no exception internally."""
        values = self._as_list.get(key)
        if values is not None and len(values) == 1:
            return values[0]
        if values is None and _is_canonical(key):
            return default
        return self[key] if key in self else default


@lru_cache(_NAMES_KEPT)
def _canonical(name: bytes) -> str:
    """The field name as Tornado capitalises it, e.g. "If-None-Match"."""
    return "-".join(word.capitalize() for word in name.decode("ascii").split("-"))


@lru_cache(_NAMES_KEPT)
def _is_canonical(name: str) -> bool:
    return name == _canonical(name.encode("latin-1", "replace"))
