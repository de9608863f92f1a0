"""The other nodes as the engine knows them (`engine.ports.Peers`)."""

from collections.abc import Callable
from typing import Any

from cluster.errors import NoAnswer, NodeUnreachable
from cluster.links import Links
from cluster.membership import Membership
from cluster.messages import NotUnderstood
from cluster.wire import decode_reply, encode_reply
from engine.clock import since_boot
from engine.directory import ScreeningDirectory
from engine.errors import StoreUnavailable
from engine.handover import Handover

RELEASE, ACCEPT = "release", "accept"
"""Kinds of calls: give a screening up; take one over that was given up without being asked for."""

RELEASE_SECONDS = 2.5
"""Time that an owner has to give a screening up: longer than `engine.directory.RELEASE_SECONDS`."""

ACCEPT_SECONDS = 5.0


class NodePeers:
    """Finds the node that should own a screening, and gets the screening from its owner.

    Args:
        links: to the other nodes.
        membership: who is there.
        mark_of: returns the mark of a server by the name that it writes into its screenings' rows.
        now: the clock of `membership`.
    """

    def __init__(
        self,
        links: Links,
        membership: Membership,
        mark_of: Callable[[str], str],
        now: Callable[[], float] = since_boot,
    ) -> None:
        self._links = links
        self._membership = membership
        self._mark_of = mark_of
        self._now = now

    def serve(self, directory: ScreeningDirectory, flush_changes: Callable[[], None]) -> None:
        """Let others release and give screenings.

        Args:
            directory: the screenings of this server.
            flush_changes: sends the last changes of a screening, before the next owner makes others.
        """
        self._flush_changes = flush_changes

        async def release(_: str, screening_id: int) -> bytes:
            handover = await directory.release(screening_id)
            flush_changes()
            return encode_reply(handover)

        async def accept(_: str, data: bytes) -> None:
            await directory.accept(_handover(data))

        self._links.on(RELEASE, release)
        self._links.on(ACCEPT, accept)

    def belongs_here(self, screening_id: int) -> bool:
        """True if this node should own the screening."""
        return self._membership.owner_of(screening_id) == self._links.node

    def lives(self, name: str) -> bool:
        """True if a server may still answer for its screenings: they may only be taken with its help."""
        return not self._membership.may_take(self._mark_of(name))

    def watch_silence(self, name: str) -> Callable[[], bool]:
        """Return a function that tells whether a server certainly does not answer any more.

        To be called when the epoch of a screening has been raised that was that server's.
        """
        mark, raised_at = self._mark_of(name), self._now()
        return lambda: self._membership.may_answer(mark, raised_at)

    async def release(self, name: str, screening_id: int) -> Handover | None:
        """Ask a server to give a screening up. None if it is gone or cannot do so in time.

        Raises:
            NodeUnreachable: there is no connection to NATS, so nothing may be taken over.
        """
        try:
            data = await self._links.call(self._mark_of(name), RELEASE, screening_id, RELEASE_SECONDS)
            return _handover(data)
        except NodeUnreachable:
            if not self._links.connected:
                raise
            return None
        except (NoAnswer, StoreUnavailable, NotUnderstood):
            return None

    async def give(self, handover: Handover) -> None:
        """Let the node that should own a screening take it over at once.

        Raises:
            Unavailable: it has not done so. It takes the screening with the first command for it.
        """
        owner = self._membership.owner_of(handover.screening_id)
        if owner is not None and owner != self._links.node:
            self._flush_changes()
            await self._links.call(owner, ACCEPT, encode_reply(handover), ACCEPT_SECONDS)


def _handover(data: Any) -> Handover:
    handover = decode_reply(data, lambda *_: None)
    if type(handover) is not Handover:
        raise NotUnderstood(f"{type(handover).__name__} in the place of a handover")
    return handover
