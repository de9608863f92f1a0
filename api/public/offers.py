"""What ticket types are and whose they are, remembered, so that a reservation costs no query.

An id is never used again and a type never changes its event, so what is remembered can only be out of date in
what is shown: names, prices, and who is invited. Changes made here are seen at once, those made by another
server after `FRESH_SECONDS`.
"""

from collections.abc import Callable

from api.identity.tokens import Identity
from api.public.shapes import id_of
from api.recency import RecentlyUsed
from api.rows import Invitations, Offer, TicketTypeRows
from engine.errors import NotFound

FRESH_SECONDS = 2.0
_MEMORY_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024


class Offers:
    """The offers that were asked for lately.

    Args:
        rows: where all are stored.
        now: the time in seconds.
    """

    def __init__(self, rows: TicketTypeRows, now: Callable[[], float]) -> None:
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
