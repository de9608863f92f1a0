"""Pages by position: the entries after the last one that a client has seen, in the order of a list.

A page number counts entries, so an entry that is inserted or deleted before it moves all others, and a reader
skips some or sees some twice. A position is the sort key of the last entry, with the id that makes it unique:
whatever happens to other entries, all that stay are read exactly once. And the database starts at the
position, where for a page number it has to read and drop all entries before it.

Keys travel as text, in the form that the database gives them, so that they are exact.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Key = Sequence[str | None]
"""The sort key of an entry."""

_DIRECTION = re.compile(r"( DESC)?( NULLS LAST)?\Z")
_PARENTHESES = {"(": 1, ")": -1}


class _Part(NamedTuple):
    """One expression of an order. `nulls` is True if it may be null; nulls come last then."""

    expression: str
    descending: bool
    nulls: bool


class Keyset:
    """An order of a list, in which one entry comes after another.

    Args:
        order: SQL as in ORDER BY, without expressions that are null unless they are NULLS LAST. The last
            expression is unique.
        columns: SQL expressions by the names that `order` may call them.
    """

    def __init__(self, order: str, columns: Mapping[str, str] | None = None) -> None:
        self._parts: list[_Part] = []
        for part in _split(order):
            expression, descending, nulls_last, _ = _DIRECTION.split(part, maxsplit=1)
            expression = (columns or {}).get(expression, expression)
            self._parts.append(_Part(expression, bool(descending), bool(nulls_last)))

    @property
    def selected(self) -> str:
        """The expressions that select an entry's key."""
        return ", ".join(f"({part.expression})::text" for part in self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def after(self, key: Key) -> tuple[str, Mapping[str, Any]]:
        """Return the condition for entries after the one with this key, and its parameters."""
        parameters = {f"key_{number}": value for number, value in enumerate(key)}
        if (
            not any(part.nulls for part in self._parts)
            and len({part.descending for part in self._parts}) == 1
        ):
            # A comparison of rows is a range of an index with the same columns.
            expressions = ", ".join(part.expression for part in self._parts)
            places = ", ".join(f"%({name})s" for name in parameters)
            return f"({expressions}) {(self._parts[0].descending and '<') or '>'} ({places})", parameters
        return self._after(key, 0), parameters

    def _after(self, key: Key, number: int) -> str:
        expression, descending, nulls = self._parts[number]
        place = f"%(key_{number})s"
        rest = self._after(key, number + 1) if number + 1 < len(self._parts) else "false"
        if key[number] is None:
            return f"({expression}) IS NULL AND ({rest})"
        after = f"({expression}) {'<' if descending else '>'} {place}"
        if nulls:
            after = f"{after} OR ({expression}) IS NULL"
        return f"{after} OR (({expression}) = {place} AND ({rest}))"


def _split(order: str) -> list[str]:
    """Split at commas outside of parentheses."""
    parts, depth = [""], 0
    for character in order:
        depth += _PARENTHESES.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
