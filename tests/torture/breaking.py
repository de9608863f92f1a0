"""Known bad histories by name: the kind of finding that must come, and the function that tells the story."""

from collections.abc import Callable

from tests.torture.stories import Story

BAD: dict[str, tuple[str, Callable[[Story], None]]] = {}
"""Filled by `bad_histories` and `bad_several`."""

Telling = Callable[[Story], None]


def breaks(kind: str) -> Callable[[Telling], Telling]:
    """Decorate a function that tells a history which breaks a promise.

    Args:
        kind: of the finding.
    """

    def note(tell: Telling) -> Telling:
        BAD[tell.__name__] = kind, tell
        return tell

    return note
