"""Mutations that change nothing anybody could notice, with the reasons: `equivalent.toml`."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutations import Mutation

LIST = Path(__file__).with_name("equivalent.toml")


class Equivalent(NamedTuple):
    """An entry of the list.

    Attributes:
        path: the file; None if it applies in all files.
        before: the line, or a part of it if `path` is None.
        after: what may stand there instead.
        reason: why nobody could notice.
    """

    path: str | None
    before: str
    after: str
    reason: str

    def covers(self, mutation: Mutation) -> bool:
        """Return whether the entry is about this mutation. Spaces do not matter: operators leave some."""
        if self.path is None:
            changed = mutation.before.replace(self.before, self.after, 1)
            return changed != mutation.before and _dense(changed) == _dense(mutation.after)
        entry = (self.path, _dense(self.before), _dense(self.after))
        return entry == (mutation.path, _dense(mutation.before), _dense(mutation.after))


@cache
def equivalents() -> tuple[Equivalent, ...]:
    """Return all entries of the list."""
    return tuple(_read(tomllib.loads(LIST.read_text())))


def _read(lists: dict[str, list[dict[str, str]]]) -> Iterator[Equivalent]:
    for path, entries in lists.items():
        for entry in entries:
            yield Equivalent(None if path == "everywhere" else path, **entry)


def is_equivalent(mutation: Mutation) -> bool:
    """Return whether a mutation is listed."""
    return any(entry.covers(mutation) for entry in equivalents())


def _dense(line: str) -> str:
    return "".join(line.split())
