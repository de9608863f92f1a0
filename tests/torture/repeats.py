"""Requests that were sent more than once take effect once.

Bookings are repeated with their payment or reservation, cancellations with their ticket, everything else with
its idempotency key. An answer to a repeat may be that of the first request, from a time when the seat was in
another state. So for the models, requests that are repeats of each other are one request that lasts from the
first invocation to the first success; a refusal may have been true at any time since the first of them.
`ledger` checks that all of them got the same answer.

Once a move with a key is answered, its attempts without an answer do nothing any more. Attempts at a move
without a key are requests of their own: one without an answer may still be carried out when a later one was
answered, and then takes the ticket from wherever it is.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from math import inf

from tests.torture.history import Operation

BOOKINGS = frozenset({"book", "book_held"})

_REFUSED = 409
_RETRYABLE = frozenset({429, 503})
"""Refusals after which the same request may still succeed."""


def without_repeats(operations: Iterable[Operation]) -> list[Operation]:
    """Return the operations with repeats put together, in the order of their invocations."""
    once: list[Operation] = []
    repeats: dict[Hashable, list[Operation]] = defaultdict(list)
    begun: dict[Hashable, float] = {}
    refused: set[Hashable] = set()
    rounds: dict[Hashable, list[Operation]] = {}
    for operation in sorted(operations, key=lambda operation: operation.invoked_at):
        if _is_move_without_key(operation):
            _add_attempt(operation, once, rounds)
            continue
        if (same := _same(operation)) is None:
            once.append(operation)
            continue
        begun_at = begun.setdefault(same, operation.invoked_at)
        if operation.refused:
            once.append(replace(operation, invoked_at=begun_at))
            if operation.status not in _RETRYABLE:
                refused.add(same)
        else:
            repeats[same].append(operation)
    for same, group in repeats.items():
        once += _together(group, refused=same in refused)
    for attempts in rounds.values():
        once += _one_and_late(attempts)
    return sorted(once, key=lambda operation: operation.invoked_at)


def _same(operation: Operation) -> Hashable:
    """Return the key that repeats of a request have in common; None if it cannot be repeated."""
    wanted = operation.screening, operation.seats, operation.ticket_type, operation.quantity
    if operation.action in BOOKINGS and operation.reservation is not None:
        return operation.user, "reservation", operation.reservation, *wanted
    if operation.action in BOOKINGS and operation.payment_id is not None:
        return operation.user, "payment", operation.payment_id, *wanted
    if operation.action == "cancel" and (operation.ticket_type is not None or operation.ticket is not None):
        return "cancel", operation.ticket, operation.payment_id, *wanted
    if operation.key is not None:
        return operation.user, "key", operation.key, operation.action, *wanted
    return None


def _is_move_without_key(operation: Operation) -> bool:
    return operation.action == "move" and operation.key is None


def _add_attempt(
    operation: Operation, once: list[Operation], rounds: dict[Hashable, list[Operation]]
) -> None:
    """Put an attempt at a move beside those before it, unless one of them had been answered by then."""
    if operation.refused:
        once.append(operation)
        return
    same = operation.user, operation.ticket, operation.screening, operation.seats
    attempts = rounds.get(same, [])
    if any(other.returned_at < operation.invoked_at for other in attempts):
        once += _one_and_late(attempts)
        rounds[same] = [operation]
    else:
        rounds[same] = [*attempts, operation]


def _one_and_late(attempts: list[Operation]) -> Iterator[Operation]:
    """One of the attempts has moved the ticket by the first success; those without an answer may do it again.

    What an attempt takes the ticket from then is not known, so it has no seat to come from.
    """
    succeeded = [operation for operation in attempts if operation.succeeded]
    if not succeeded:
        yield from attempts
        return
    first = min(succeeded, key=lambda operation: operation.returned_at)
    yield replace(first, invoked_at=min(operation.invoked_at for operation in attempts))
    for operation in attempts:
        if operation.unknown:
            since = max(operation.invoked_at, first.returned_at)
            yield replace(operation, invoked_at=since, from_screening=None, from_seat=None)
        elif operation is not first:
            yield operation


def _together(group: list[Operation], *, refused: bool) -> list[Operation]:
    succeeded = [operation for operation in group if operation.succeeded]
    if not succeeded and refused and group[0].action == "move":
        # The refusal is final: the seats may have looked reserved for it, and that is all.
        return [replace(operation, returned_at=operation.invoked_at, status=_REFUSED) for operation in group]
    if not succeeded:
        # Of a ticket type only the first may take effect. A seat cannot be booked twice anyway.
        return group[:1] if group[0].ticket_type is not None else group
    first = min(succeeded, key=lambda operation: operation.returned_at)
    action = "book" if any(operation.action == "book" for operation in group) else first.action
    begun_at = min(operation.invoked_at for operation in group)
    unanswered = any(operation.unknown for operation in group)
    merged = replace(first, invoked_at=begun_at, action=action, was_unanswered=unanswered)
    if first.action in BOOKINGS or first.action in ("cancel", "move"):
        return [merged]
    # A crash may lose the key of a hold, so that a repeat holds the seat again, or not.
    others = [operation for operation in group if operation is not first]
    return [merged, *(replace(operation, returned_at=inf, status=None) for operation in others)]
