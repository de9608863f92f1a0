"""Asks all other nodes of the cluster the same question, and gathers their replies.

Everything that counts or must be known over all nodes goes through here: totals, sweeps, flushes, caches.
Messages without an answer are sent by `Links.broadcast`.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

from cluster.beats import NodeState
from cluster.errors import NodeUnreachable
from cluster.links import Links
from cluster.membership import View
from engine.errors import EngineError, OutcomeUnknown


class Members(Protocol):
    """The members of the cluster; `cluster.membership.Membership` documents them."""

    @property
    def view(self) -> View:
        """The present members."""


class Everybody:
    """All other nodes that are not gone: joining ones too, which may have served before.

    Args:
        links: of this node.
        members: of its cluster.
    """

    def __init__(self, links: Links, members: Members) -> None:
        self._links = links
        self._members = members

    def others(self) -> list[str]:
        """Return the marks of the other nodes that are not gone."""
        states = self._members.view.states
        return [mark for mark in states if mark != self._links.node and states[mark] is not NodeState.GONE]

    async def ask(self, kind: str, value: Any, seconds: float) -> dict[str, Any]:
        """Return the replies of the other nodes by mark, without those that fail or do not answer in time.

        Args:
            kind: the kind of call; see `Links.on`.
            value: anything that msgpack can encode.
            seconds: how long to wait.
        """
        replies = await self._replies(kind, value, seconds)
        return {node: reply for node, reply in replies.items() if not isinstance(reply, BaseException)}

    async def ask_all(self, kind: str, value: Any, seconds: float) -> dict[str, Any]:
        """Return the replies of all other nodes by mark. A node that has gone meanwhile may be missing.

        Args: as for `ask`.

        Raises:
            NodeUnreachable: a node failed or did not answer in time.
            EngineError: what the handler of a node raised.
        """
        replies = await self._replies(kind, value, seconds)
        living = set(self.others())
        for node, reply in replies.items():
            if isinstance(reply, BaseException) and node in living:
                if isinstance(reply, EngineError) and not isinstance(reply, OutcomeUnknown):
                    raise reply
                raise NodeUnreachable(node) from reply
        return {node: reply for node, reply in replies.items() if not isinstance(reply, BaseException)}

    async def _replies(self, kind: str, value: Any, seconds: float) -> dict[str, Any]:
        others = self.others()
        calls: list[Awaitable[Any]] = [self._links.call(node, kind, value, seconds) for node in others]
        return dict(zip(others, await asyncio.gather(*calls, return_exceptions=True), strict=True))
