"""A cache of ticket types and their events, so that a reservation needs no database query.

Ids are never reused and a ticket type never changes its event, so only names, prices and invitations can be
stale. Changes made on this server are visible immediately; so are those of other nodes of a cluster, unless
their message is lost. Then they are visible after `FRESH_SECONDS`.
"""

from collections.abc import Awaitable, Callable

from api.identity.tokens import Identity
from api.lru_cache import LruCache
from api.public.shapes import id_of
from api.rows import Invitations, Offer, TicketTypeRows
from engine.errors import NotFound

FRESH_SECONDS = 2.0
_MEMORY_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024
_IDLE_SECONDS = 60.0


class Offers:
    """The cache of offers.

    Args:
        rows: reads stored offers.
        now: returns the time in seconds.
    """

    def __init__(self, rows: TicketTypeRows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._known: LruCache[int, tuple[Offer, float]] = LruCache(_MEMORY_BYTES, idle_seconds=_IDLE_SECONDS)
        self._changes = 0
        self._on_forget: list[Callable[[], Awaitable[object]]] = []

    async def find(self, shown_id: str, identity: Identity | None) -> Offer:
        """Return an offer that the caller may see.

        Args:
            shown_id: id of a ticket type, as clients send it.
            identity: the caller; None without a token.

        Raises:
            NotFound: the ticket type does not exist or the caller may not see its event.
        """
        ticket_type_id = id_of(shown_id)
        if ticket_type_id is not None:
            offer = await self.of(ticket_type_id)
            if offer.invitations.admit(identity):
                return offer
        raise NotFound("ticket_type", shown_id)

    async def of(self, ticket_type_id: int) -> Offer:
        """Return an offer, without checking who may see it.

        Raises:
            NotFound: the ticket type does not exist.
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

    def on_forget(self, handler: Callable[[], Awaitable[object]]) -> None:
        """Await `handler` whenever an event or a ticket type is changed on this server."""
        self._on_forget.append(handler)

    async def forget(self) -> None:
        """Clear the caches of all servers, because an event or a ticket type has changed."""
        self.clear()
        for handler in self._on_forget:
            await handler()

    def clear(self) -> None:
        """Clear the cache of this server."""
        self._changes += 1
        self._known = LruCache(_MEMORY_BYTES, idle_seconds=_IDLE_SECONDS)
