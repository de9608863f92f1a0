"""Requests that were sent more than once take effect once.

Bookings are repeated with their payment or reservation, cancellations with their ticket, everything else with
its idempotency key. An answer to a repeat may be that of the first request, from a time when the seat was in
another state. So for the models, requests that are repeats of each other are one request that lasts from the
first invocation to the first success; a refusal may have been true at any time since the first of them.
`ledger` checks that all of them got the same answer.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from math import inf

from tests.torture.history import Operation

BOOKINGS = frozenset({"book", "book_held"})


def without_repeats(operations: Iterable[Operation]) -> list[Operation]:
    """Return the operations with repeats put together, in the order of their invocations."""
    once: list[Operation] = []
    repeats: dict[Hashable, list[Operation]] = defaultdict(list)
    begun: dict[Hashable, float] = {}
    for operation in sorted(operations, key=lambda operation: operation.invoked_at):
        if (same := _same(operation)) is None:
            once.append(operation)
            continue
        begun_at = begun.setdefault(same, operation.invoked_at)
        if operation.refused:
            once.append(replace(operation, invoked_at=begun_at))
        else:
            repeats[same].append(operation)
    for group in repeats.values():
        once += _together(group)
    return sorted(once, key=lambda operation: operation.invoked_at)


def _same(operation: Operation) -> Hashable:
    """What repeats of a request have in common; None if it cannot be repeated."""
    wanted = operation.screening, operation.seats, operation.ticket_type, operation.quantity
    if operation.action in BOOKINGS and operation.reservation is not None:
        return operation.user, "reservation", operation.reservation, *wanted
    if operation.action in BOOKINGS and operation.payment_id is not None:
        return operation.user, "payment", operation.payment_id, *wanted
    if operation.action == "cancel" and operation.ticket_type is not None:
        return "cancel", operation.ticket, operation.payment_id, *wanted
    if operation.key is not None:
        return operation.user, "key", operation.key, operation.action, *wanted
    return None


def _together(group: list[Operation]) -> list[Operation]:
    succeeded = [operation for operation in group if operation.succeeded]
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
