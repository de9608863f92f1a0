"""Possible places of a ticket if an unanswered attempt to move it is carried out late.

The attempt then takes the ticket from where later requests have brought it, and requests after that find it
where the attempt has brought it. For the models, both are calls without an answer: they take effect or not.
"""

from collections import defaultdict
from collections.abc import Iterable

from tests.torture.history import Id, Operation

Place = tuple[str, Id]
"""Screening, as text, and seat."""


class LateMoves:
    """Moves without an answer, and what was asked of their tickets afterwards.

    Args:
        operations: all requests, repeats put together.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._of_ticket: dict[Id | None, list[Operation]] = defaultdict(list)
        for operation in operations:
            if operation.action in ("move", "cancel") and not operation.refused:
                self._of_ticket[operation.ticket].append(operation)

    def taken_from(self, attempt: Operation) -> set[Place]:
        """Return the seats to which later moves have brought the ticket of an attempt without an answer."""
        if not attempt.unknown:
            return set()
        later = [
            other
            for other in self._of_ticket[attempt.ticket]
            if other is not attempt and other.action == "move" and other.invoked_at >= attempt.invoked_at
        ]
        return {place for other in later for place in _places(other)}.difference(_places(attempt))

    def seats_before(self, operation: Operation) -> set[Place]:
        """Return the seats to which earlier attempts without an answer may have brought a ticket by now."""
        earlier = [
            other
            for other in self._of_ticket[operation.ticket]
            if other is not operation and other.action == "move" and other.unknown
            if other.invoked_at <= operation.invoked_at
        ]
        places = {place for other in earlier for place in _places(other)}
        return places.difference(_places(operation)) if operation.action == "move" else places


def _places(operation: Operation) -> list[Place]:
    return [(str(operation.screening), seat) for seat in operation.seats or ()]
