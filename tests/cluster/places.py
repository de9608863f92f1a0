"""Nodes with calls about keys and claims of keys, for tests: each believes in the members that it is told.

They are in virtual time (`tests.cluster.virtual`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from cluster.beats import NodeState
from cluster.claims import Claim, Claims
from cluster.hashing import Ring
from cluster.keys import KeyedCalls, Patience
from cluster.membership import View
from tests.cluster.virtual import Node, nodes

PATIENT = Patience(20.0, retries=True)


class Taken(Exception):
    """Another node has the key."""


class Full(Exception):
    """There are too many claims; never raised here."""


class OneEach:
    """Grants each key once; of two claims that were granted elsewhere the one that is known stays.

    Attributes:
        held: what the claims of the keys are about.
        ages: seconds since claims were granted elsewhere.
        before_taking: called before a claim is decided.
    """

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.ages: list[float] = []
        self.before_taking: Callable[[], None] = lambda: None

    def take(self, key: str, value: Any, lost: Callable[[], None]) -> str:
        self.before_taking()
        if key in self.held:
            raise Taken
        self.held[key] = value
        return key

    def restore(self, key: str, value: Any, seconds: float, lost: Callable[[], None]) -> str | None:
        self.ages.append(seconds)
        if key in self.held:
            lost()
            return None
        self.held[key] = value
        return key

    def leave(self, granted: str) -> None:
        del self.held[granted]


class Place:
    """A node, and the members that it believes in.

    `hashed` counts how often it has looked for a key's node.
    """

    def __init__(self, node: Node) -> None:
        self.links = node.links
        self.connection = node.connection
        self.cable = node.connection.cable
        self.name = node.name
        self.view = View(0, MappingProxyType({node.name: NodeState.SERVING}), Ring([node.name]))
        self.hashed = 0
        self._handlers: list[Callable[[View, View], None]] = []
        self.calls = KeyedCalls(node.links, self)
        self.asked: list[tuple[str, str, Any]] = []
        self.calls.on("letter", {"write": self._write})
        self.keeper = OneEach()
        now = asyncio.get_running_loop().time
        self.claims = Claims(self.calls, "box", self.keeper, (Taken, Full), PATIENT, now)

    def _write(self, sender: str, key: str, value: Any) -> str:
        self.asked.append((sender, key, value))
        return f"{self.name} has {key}"

    # The interface of `Membership`

    def node_of(self, key: str) -> str | None:
        self.hashed += 1
        return self.view.ring.node_of(key)

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        self._handlers.append(handler)

    def believe_in(
        self, *places: "Place", gone: tuple["Place", ...] = (), joining: tuple[str, ...] = ()
    ) -> None:
        states = dict.fromkeys(joining, NodeState.JOINING)
        states |= {place.name: NodeState.SERVING for place in places}
        states.update({place.name: NodeState.GONE for place in gone})
        states.setdefault(self.name, NodeState.JOINING)
        serving = [name for name in states if states[name] is NodeState.SERVING]
        before, self.view = self.view, View(self.view.version + 1, MappingProxyType(states), Ring(serving))
        for handler in self._handlers:
            handler(before, self.view)

    def leave(self) -> None:
        self.believe_in(gone=(self,))

    def key_of(self, kind: str, place: "Place") -> str:
        """Return a key that belongs to a node, as this one sees it."""
        keys = (f"{kind}-{number}" for number in range(1000))
        return next(key for key in keys if self.calls.node_of(kind, key) == place.name)

    async def take(self, key: str, lost: Callable[[], None] = lambda: None) -> Claim:
        claim = self.claims.take(key, self.name, lost)
        return await claim if isinstance(claim, Awaitable) else claim


@asynccontextmanager
async def places(number: int = 2) -> AsyncIterator[list[Place]]:
    """Nodes that believe in each other."""
    async with nodes(number) as made:
        theirs = [Place(node) for node in made]
        for place in theirs:
            place.believe_in(*theirs)
        yield theirs
        for place in theirs:
            place.leave()
