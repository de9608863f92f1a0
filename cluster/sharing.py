"""Tells all other nodes at once that tokens were revoked, that offers have changed, and who was admitted.

All of this is in PostgreSQL too, where a node finds it later if a message is lost: revocations after
`FRONTROW_REVOCATION_REFRESH_SECONDS` or when NATS is connected again, offers after 2 s, and counts of the
door at the next scan.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, Protocol

from cluster.everybody import Everybody
from cluster.links import Links
from engine.accounts import RevokedToken, RevokedUser
from engine.errors import StoreUnavailable

REVOKED, FORGET_OFFERS, ADMITTED = "revoked", "forget_offers", "admitted"
"""Kinds of messages: a revocation; a call that is answered once the cache of offers is empty; the ids of
screenings to which somebody was admitted."""

FORGET_SECONDS = 0.3
"""Time for which a change of an offer waits until all nodes have forgotten the old one."""

_KINDS: dict[str, type[RevokedToken] | type[RevokedUser]] = {"token": RevokedToken, "user": RevokedUser}


class Revocations(Protocol):
    """The revocations known to a node; `api.identity.revocations.Revocations` documents them."""

    def adopt(self, revoked: RevokedToken | RevokedUser) -> None:
        """Enforce a revocation that another node has made."""

    async def refresh(self) -> None:
        """Load what other nodes have stored. Raises StoreUnavailable."""

    def on_revoked(self, handler: Callable[[RevokedToken | RevokedUser], None]) -> None:
        """Call `handler` with each revocation that is made on this node."""


class Offers(Protocol):
    """The cache of offers of a node; `api.public.offers.Offers` documents it."""

    def clear(self) -> None:
        """Clear this node's cache."""

    def on_forget(self, handler: Callable[[], Awaitable[object]]) -> None:
        """Await `handler` whenever an offer has been changed on this node."""


class Door(Protocol):
    """Tells who watches how many were admitted; `api.sales.admissions.Door` documents it."""

    def on_told(self, tell: Callable[[Collection[int]], None]) -> None:
        """Call `tell` with the screenings to which somebody was admitted here."""

    def changed(self, screening_ids: Collection[int]) -> None:
        """Read the counts of these screenings again, if somebody watches them here."""


def share_revocations(revocations: Revocations, links: Links) -> None:
    """Tell the other nodes about the revocations of this one, and adopt theirs.

    Args:
        revocations: of this node.
        links: to the other nodes. When NATS is connected again, what was missed is read from the database.
    """
    refreshing: set[asyncio.Task[None]] = set()

    def tell(revoked: RevokedToken | RevokedUser) -> None:
        kind = "token" if isinstance(revoked, RevokedToken) else "user"
        links.broadcast(REVOKED, (kind, *revoked))

    def told(_: str, value: Any) -> None:
        revoked = _KINDS[value[0]]
        revocations.adopt(revoked(*value[1 : 1 + len(revoked._fields)]))

    async def refresh() -> None:
        with suppress(StoreUnavailable):  # the regular refresh comes soon
            await revocations.refresh()

    def regained() -> None:
        task = asyncio.create_task(refresh(), name="refresh of revocations")
        refreshing.add(task)
        task.add_done_callback(refreshing.discard)

    revocations.on_revoked(tell)
    links.on(REVOKED, told)
    links.on_regained(regained)


def share_offers(offers: Offers, links: Links, everybody: Everybody) -> None:
    """Let all nodes forget an offer that is changed on one, before the change is answered.

    Args:
        offers: the cache of this node.
        links: to the other nodes.
        everybody: asks them.
    """
    offers.on_forget(lambda: everybody.ask(FORGET_OFFERS, None, FORGET_SECONDS))
    links.on(FORGET_OFFERS, lambda *_: offers.clear())


def share_door(door: Door, links: Links) -> None:
    """Tell the other nodes the screenings to which somebody was admitted; they read the counts by themselves.

    Args:
        door: of this node.
        links: to the other nodes.
    """
    door.on_told(lambda screening_ids: links.broadcast(ADMITTED, list(screening_ids)))
    links.on(ADMITTED, lambda _, screening_ids: door.changed(screening_ids))
