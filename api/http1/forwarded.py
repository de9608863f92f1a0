"""The `Forwarded` header field (RFC 7239), read from the right.

Its left part may come from a client, which can leave a quoted string open there to swallow what proxies
append. So parsing starts at the right: the last element is the shortest text behind a comma that is a valid
element. Nothing before that comma affects it.
"""

import re
from collections.abc import Iterator, Mapping

# A quoted value may hold commas; no real one holds more than this.
_COMMAS_LIMIT = 16
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - not a secret
# Many proxies write an IPv6 address or a port without the quotes that it needs.
_BARE = r'[^\s",;=\\]+'
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"[ \t]*({_TOKEN})=({_BARE}|{_QUOTED})[ \t]*")
_ESCAPED = re.compile(r"\\(.)")


def elements_from_the_right(field: str) -> Iterator[Mapping[str, str]]:
    """The field's elements, last one first, up to the first that is malformed.

    Yields:
        The values of an element by their names in lower case, without quotes.
    """
    left: str | None = field
    while left:
        pairs, left = _last_element(left)
        if pairs is None:
            return
        if pairs:
            yield pairs


def _last_element(field: str) -> tuple[dict[str, str] | None, str | None]:
    """The last element and the text before its comma; None for either if it is missing."""
    comma = len(field)
    for _ in range(_COMMAS_LIMIT):
        comma = field.rfind(",", 0, comma)
        pairs = _pairs(field, comma + 1)
        if pairs is not None:
            return pairs, field[:comma] if comma >= 0 else None
        if comma < 0:
            break
    return None, None


def _pairs(field: str, at: int) -> dict[str, str] | None:
    """The pairs from a position to the end; None if they are malformed. An empty element is valid."""
    pairs: dict[str, str] = {}
    if not field[at:].strip(" \t"):
        return pairs
    while match := _PAIR.match(field, at):
        name, value = match[1].lower(), match[2]
        if name in pairs:
            return None
        pairs[name] = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
        at = match.end()
        if at == len(field):
            return pairs
        if field[at] != ";":
            return None
        at += 1
    return None
