"""Calls about a key, such as an account or an address: the node of the key answers for all nodes.

The node of a key follows from the hash of the key over the serving nodes, so each node keeps a share of the
keys. While nodes learn of a change of the members, two may be asked about one key; a node answers only if the
key is its own as it sees the members, and the caller tries again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from cluster.errors import NoAnswer, NodeUnreachable
from cluster.links import Links
from cluster.membership import View
from engine.errors import Unavailable

RETRY_SECONDS = 0.05
"""Pause before a call is tried again."""

TELL_SECONDS = 0.3
"""Time for which to wait until the node of a key has been told something."""

_ASK = "ask_key"


class Members(Protocol):
    """The members of the cluster; `cluster.membership.Membership` documents them."""

    @property
    def view(self) -> View:
        """The present members."""

    def node_of(self, key: str) -> str | None:
        """Return the mark of the node of a key."""

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        """Call `handler` with the members before and after each change."""


class Patience(NamedTuple):
    """The patience of a caller.

    Attributes:
        seconds: for an answer.
        retries: True to try again in this time if the node cannot be reached; another one may have taken its
            place.
    """

    seconds: float
    retries: bool


Handler = Callable[[str, str, Any], Any]
"""Called with the mark of the asking node, the key and a value; returns anything that msgpack can encode."""


class KeyedCalls:
    """Calls the node of a key.

    Args:
        links: of this node.
        members: of its cluster.

    Attributes:
        links: the links.
        members: the members.
    """

    def __init__(self, links: Links, members: Members) -> None:
        self.links = links
        self.members = members
        self._handlers: dict[str, Handler] = {}
        self._ready: dict[str, Callable[[str], bool]] = {}
        links.on(_ASK, self._asked)

    def on(
        self, kind: str, handlers: Mapping[str, Handler], ready: Callable[[str], bool] = lambda key: True
    ) -> None:
        """Handle calls and messages about the keys of one kind.

        Args:
            kind: what the keys are, e.g. "account"; equal keys of different kinds have nothing to do with
                each other.
            handlers: by verb.
            ready: tells whether calls about a key of this node can be answered now; otherwise they wait.
        """
        self._ready[kind] = ready
        for verb, handler in handlers.items():
            self._handlers[f"{kind}.{verb}"] = handler

    def node_of(self, kind: str, key: str) -> str:
        """Return the mark of the node of a key: this node if no node serves."""
        return self.members.node_of(f"{kind} {key}") or self.links.node

    def is_own(self, kind: str, key: str) -> bool:
        """Tell whether a key is this node's."""
        return self.node_of(kind, key) == self.links.node

    def is_ready(self, kind: str, key: str) -> bool:
        """Tell whether this node can answer calls about a key."""
        return self.is_own(kind, key) and self._ready[kind](key)

    async def call(self, kind: str, verb: str, key: str, value: Any, patience: Patience) -> Any:
        """Call the handler on the node of a key, which may be this one. It may be called more than once.

        Args:
            kind, verb: name the handler.
            key: the key.
            value: anything that msgpack can encode.
            patience: how long to wait.

        Returns:
            The result of the handler.

        Raises:
            Unavailable: no node answered in time. The handler may have been called.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.seconds
        while True:
            node = self.node_of(kind, key)
            failure: Unavailable = NodeUnreachable(node)
            try:
                asked = [kind, verb, key, value]
                if node != self.links.node:
                    answer = await self.links.call(node, _ASK, asked, deadline - loop.time())
                    if answer:
                        return answer[0]
                elif self.is_ready(kind, key):
                    return self._handlers[f"{kind}.{verb}"](node, key, value)
            except NoAnswer:
                pass
            except Unavailable as error:
                if not (patience.retries and error.retryable):
                    raise
                failure = error
            if loop.time() + RETRY_SECONDS >= deadline:
                raise failure
            await asyncio.sleep(RETRY_SECONDS)

    def tell(self, kind: str, verb: str, key: str, value: Any) -> Awaitable[None] | None:
        """Call the handler on the node of a key. It is not called if that node does not answer.

        Await the result before answering the client: its next request may come to another node, whose call
        could arrive first.

        Args: as for `call`.

        Returns:
            None if the handler has been called.
        """
        node = self.node_of(kind, key)
        if node == self.links.node:
            self._handlers[f"{kind}.{verb}"](node, key, value)
            return None
        return self._tell(kind, verb, key, value)

    async def _tell(self, kind: str, verb: str, key: str, value: Any) -> None:
        with suppress(Unavailable):
            await self.call(kind, verb, key, value, Patience(TELL_SECONDS, retries=False))

    def _asked(self, sender: str, asked: list[Any]) -> list[Any]:
        """Return the handler's result in a list; an empty list if this node cannot answer now."""
        kind, verb, key, value, *_newer = asked
        if self.members.node_of(f"{kind} {key}") != self.links.node or not self._ready[kind](key):
            return []
        return [self._handlers[f"{kind}.{verb}"](sender, key, value)]
