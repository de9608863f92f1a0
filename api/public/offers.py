"""What ticket types are and whose they are, remembered, so that a reservation costs no query.

An id is never used again and a type never changes its event, so what is remembered can only be out of date in
what is shown: names, prices, and who is invited. Changes made here are seen at once, those made by another
server after `FRESH_SECONDS`.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from api.identity.tokens import Identity
from api.public.shapes import id_of
from api.recency import RecentlyUsed
from engine.errors import NotFound

FRESH_SECONDS = 2.0
_MEMORY_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024


class Invitations(NamedTuple):
    """Who may know of an event.

    Attributes:
        private: whether only administrators and those who are invited may.
        user_ids: who is invited.
    """

    private: bool
    user_ids: frozenset[int]

    def admit(self, identity: Identity | None) -> bool:
        """Whether a caller may know of it."""
        if not self.private:
            return True
        return identity is not None and (identity.admin or identity.user_id in self.user_ids)


class Offer(NamedTuple):
    """A ticket type and its event."""

    ticket_type_id: int
    name: str
    price: Decimal
    event_id: int
    title: str
    venue: str
    starts_at: datetime
    invitations: Invitations


class OfferRows(Protocol):
    """Where offers are stored."""

    async def offer(self, ticket_type_id: int) -> dict[str, Any]:
        """As `persistence.catalogue.ticket_types.OFFERS` names it, or NotFound."""


class Offers:
    """The offers that were asked for lately.

    Args:
        rows: where all are stored.
        now: the time in seconds.
    """

    def __init__(self, rows: OfferRows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._known: RecentlyUsed[int, tuple[Offer, float]] = RecentlyUsed(_MEMORY_BYTES)
        self._changes = 0

    async def find(self, shown_id: str, identity: Identity | None) -> Offer:
        """An offer that a caller may know of.

        Args:
            shown_id: id of a ticket type, as it is on the wire.
            identity: the caller.

        Raises:
            NotFound: there is none, or none for the caller.
        """
        ticket_type_id = id_of(shown_id)
        if ticket_type_id is not None:
            offer = await self.of(ticket_type_id)
            if offer.invitations.admit(identity):
                return offer
        raise NotFound("ticket_type", shown_id)

    async def of(self, ticket_type_id: int) -> Offer:
        """An offer, whoever may know of it.

        Raises:
            NotFound: there is none.
        """
        known = self._known.get(ticket_type_id)
        if known is not None and self._now() < known[1]:
            return known[0]
        changes = self._changes
        row = await self._rows.offer(ticket_type_id)
        offer = Offer(
            row["id"],
            row["name"],
            row["price"],
            row["event_id"],
            row["title"],
            row["venue"],
            row["starts_at"],
            Invitations(row["private"], frozenset(row["invited_user_ids"])),
        )
        if changes == self._changes:
            entry = (offer, self._now() + FRESH_SECONDS)
            self._known.put(ticket_type_id, entry, _OVERHEAD_BYTES + 8 * len(offer.invitations.user_ids))
        return offer

    def forget(self) -> None:
        """Look everything up again: an event or a ticket type has changed."""
        self._changes += 1
        self._known = RecentlyUsed(_MEMORY_BYTES)
