"""Settles the money when tickets move: which payments are kept for which ticket, and which refunds are owed.

A ticket keeps in `Ticket.paid` how many cents of which payments have been kept for it, so a payment never
owes more than it has paid. Tickets that move together settle among themselves first: if one of them becomes
cheaper, the difference pays for another that becomes dearer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from engine.purchases import RESERVATION_PAYMENT
from engine.records import Owed, Ticket

Paid = tuple[tuple[str, int], ...]
"""Payments and cents, oldest first."""


def is_recorded(payment_id: str) -> bool:
    """Return whether the payment is known. A purchased reservation of places may have been paid elsewhere."""
    return not payment_id.startswith(RESERVATION_PAYMENT)


class _Part(NamedTuple):
    ticket_id: int
    payment_id: str
    cents: int


def kept_for(ticket: Ticket) -> Paid:
    """Return how many cents of which payments have been kept for a ticket, even if not `is_recorded`."""
    if ticket.paid is not None:
        return ticket.paid
    payment_id = ticket.payment_id
    if not payment_id or not ticket.price_cents:
        return ()
    return ((payment_id, ticket.price_cents),)


def settled(
    tickets: Sequence[Ticket], prices_cents: Sequence[int], payment_id: str | None
) -> tuple[list[Paid], tuple[Owed, ...]]:
    """Distribute the money over tickets that move together.

    Args:
        tickets: as they are.
        prices_cents: of their new seats.
        payment_id: the payment of the difference if these cost more in all; None without.

    Returns:
        The payments that are kept for each ticket afterwards, and the amounts that are owed.
    """
    kept = [list(kept_for(ticket)) for ticket in tickets]
    spare: list[_Part] = []
    for ticket, price_cents, own in zip(tickets, prices_cents, kept, strict=True):
        if price_cents < ticket.price_cents:
            spare += _given_up(ticket.id, own, price_cents)
    fresh_cents = sum(prices_cents) - sum(ticket.price_cents for ticket in tickets)
    for ticket, price_cents, own in zip(tickets, prices_cents, kept, strict=True):
        missing_cents = price_cents - ticket.price_cents
        while missing_cents > 0 and spare:
            part = spare.pop(0)
            used_cents = min(part.cents, missing_cents)
            _add(own, part.payment_id, used_cents)
            missing_cents -= used_cents
            if used_cents < part.cents:
                spare.insert(0, part._replace(cents=part.cents - used_cents))
        if payment_id is not None and missing_cents > 0 and fresh_cents > 0:
            used_cents = min(fresh_cents, missing_cents)
            _add(own, payment_id, used_cents)
            fresh_cents -= used_cents
    return [tuple(own) for own in kept], tuple(Owed(*part) for part in spare if is_recorded(part.payment_id))


def _given_up(ticket_id: int, kept: list[tuple[str, int]], price_cents: int) -> list[_Part]:
    """Take the amount above its price from the payments kept for a ticket, the latest payment first."""
    excess_cents = sum(cents for _, cents in kept) - price_cents
    parts = []
    while excess_cents > 0:
        payment_id, cents = kept.pop()
        part_cents = min(cents, excess_cents)
        if part_cents < cents:
            kept.append((payment_id, cents - part_cents))
        parts.append(_Part(ticket_id, payment_id, part_cents))
        excess_cents -= part_cents
    return parts


def _add(kept: list[tuple[str, int]], payment_id: str, cents: int) -> None:
    for place, (earlier_id, earlier_cents) in enumerate(kept):
        if earlier_id == payment_id:
            kept[place] = (payment_id, earlier_cents + cents)
            return
    kept.append((payment_id, cents))
