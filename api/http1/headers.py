"""Header fields as Tornado's handlers read them, filled by the parser without being checked twice."""

from functools import lru_cache
from typing import Any

from tornado.httputil import HTTPHeaders

_NAMES_KEPT = 1024


class RequestHeaders(HTTPHeaders):
    """The fields of one request.

    `on_header` is the parser's door. It takes names and values that are known to be valid, whereas
    `HTTPHeaders.add` matches each against the grammar, at several times the cost of parsing it.
    """

    def __init__(self) -> None:
        self._as_list: dict[str, list[str]] = {}
        self._combined_cache: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field line, as `httptools` calls it. The value may still end in blanks."""
        key, text = _canonical(name), value.decode("latin-1").rstrip(" \t")
        values = self._as_list.get(key)
        if values is None:
            self._as_list[key] = [text]
        else:
            values.append(text)

    def get(self, key: str, default: Any = None) -> Any:
        """The combined value of a field; absent ones cost no exception."""
        values = self._as_list.get(key)
        if values is not None and len(values) == 1:
            return values[0]
        if values is None and _is_canonical(key):
            return default
        return self[key] if key in self else default


@lru_cache(_NAMES_KEPT)
def _canonical(name: bytes) -> str:
    """A field's name in Tornado's spelling, e.g. "If-None-Match"."""
    return "-".join(word.capitalize() for word in name.decode("ascii").split("-"))


@lru_cache(_NAMES_KEPT)
def _is_canonical(name: str) -> bool:
    return name == _canonical(name.encode("latin-1", "replace"))
