"""The claims of this node: an open socket of a user, a client id in use, a request in flight.

A claim is granted by the node of its key and lasts until it is released. When keys move because the members
have changed, each node announces its claims to the new nodes of the keys, so a claim outlives the node that
granted it. The claims of a node that is gone end.

Each node announces all of its claims, to all nodes. This also corrects a node that has missed something, such
as the end of a claim. Announcing is repeated until every node has answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from time import monotonic
from typing import Any

from cluster.beats import NodeState
from cluster.granted_claims import HASHED_AT_ONCE, GrantedClaims, Keeper
from cluster.keys import KeyedCalls, Patience
from cluster.membership import View
from engine.errors import EngineError
from engine.guards import attempt

log = logging.getLogger("frontrow.cluster")

ANNOUNCED_AT_ONCE = 500
"""Claims in one message."""

ANNOUNCE_SECONDS = 2.0
"""Time limit for the answer of a node to an announcement or the end of a claim."""

AGAIN_SECONDS = 1.0
"""Pause after an announcement that failed."""


class Claim:
    """A claim of this node.

    Attributes:
        number: counts the claims of this node.
        key: the key.
        value: what the claim is about.
        lost: called when the claim is given to somebody else.
        made_at: on this node's clock.
        granted: False until the answer has come.
    """

    __slots__ = ("granted", "key", "lost", "made_at", "number", "value")

    def __init__(self, number: int, key: str, value: Any, lost: Callable[[], None], made_at: float) -> None:
        self.number = number
        self.key = key
        self.value = value
        self.lost = lost
        self.made_at = made_at
        self.granted = False


def _nothing() -> None:
    pass


class Claims:
    """The claims of one kind that this node has.

    Args:
        calls: to the nodes of keys.
        kind: what the keys are, see `KeyedCalls.on`.
        keeper: decides.
        refusals: the exceptions that it raises; they are made without arguments.
        patience: how long to wait for the node of a key.
        now: returns the time in seconds; monotonic.

    Attributes:
        granted: the claims that this node has granted.
    """

    def __init__(
        self,
        calls: KeyedCalls,
        kind: str,
        keeper: Keeper,
        refusals: Sequence[type[Exception]],
        patience: Patience,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._calls = calls
        self._links = calls.links
        self._node = calls.links.node
        self._kind = kind
        self._refusals = tuple(refusals)
        self._patience = patience
        self._now = now
        self._numbers = count(1)
        self._open: dict[int, Claim] = {}
        self._announcing: asyncio.Task[None] | None = None
        self._due = self._left_cluster = False
        self.granted = GrantedClaims(calls, kind, keeper, refusals, self._tell_lost, now)
        self._links.on(f"{kind}.lost", self._lost)
        calls.members.on_change(self._members_changed)

    def __len__(self) -> int:
        """Return the number of claims of this node."""
        return len(self._open)

    def take(self, key: str, value: Any, lost: Callable[[], None] = _nothing) -> Claim | Awaitable[Claim]:
        """Make a claim.

        Args:
            key: the key.
            value: what the claim is about; anything that msgpack can encode.
            lost: called when the claim is given to somebody else, perhaps before it is returned.

        Returns:
            The claim, to be passed to `leave`; an awaitable if another node has to be asked.

        Raises:
            Exception: one of the refusals.
            Unavailable: the node of the key does not answer.
        """
        claim = self._make(key, value, lost)
        if not self._calls.is_ready(self._kind, key):
            return self._ask_for(claim)
        self._settle(claim, self.granted.take(self._node, key, [claim.number, value]))
        return claim

    def assume(self, key: str, value: Any, lost: Callable[[], None] = _nothing) -> Claim:
        """Make a claim although the node of the key does not answer. It is announced later.

        Args: as for `take`.
        """
        claim = self._make(key, value, lost)
        claim.granted = True
        self._announce()
        return claim

    def leave(self, claim: Claim) -> None:
        """End a claim. Does nothing if it has ended, or was given to somebody else."""
        if self._open.pop(claim.number, None) is not None:
            self._end(claim)

    # This node's claims

    def _make(self, key: str, value: Any, lost: Callable[[], None]) -> Claim:
        claim = Claim(next(self._numbers), key, value, lost, self._now())
        self._open[claim.number] = claim
        return claim

    async def _ask_for(self, claim: Claim) -> Claim:
        try:
            node = self._calls.node_of(self._kind, claim.key)
            asked = [claim.number, claim.value]
            answer = await self._calls.call(self._kind, "take", claim.key, asked, self._patience)
        except BaseException:
            # It may have been granted.
            self.leave(claim)
            raise
        self._settle(claim, answer)
        if node != self._calls.node_of(self._kind, claim.key):
            self._announce()
        return claim

    def _settle(self, claim: Claim, answer: int) -> None:
        if answer:
            self._open.pop(claim.number, None)
            raise self._refusals[answer - 1]
        claim.granted = True

    def _end(self, claim: Claim) -> None:
        """Tell the node of the key that a claim has ended."""
        node = self._calls.node_of(self._kind, claim.key)
        if node == self._node:
            self.granted.leave(node, claim.number)
        else:
            told = self._links.call(node, f"{self._kind}.leave", claim.number, ANNOUNCE_SECONDS)
            told.add_done_callback(self._told)

    def _told(self, answer: "asyncio.Future[Any]") -> None:
        if not answer.cancelled() and answer.exception() is not None:
            self._announce()

    def _tell_lost(self, node: str, number: int) -> None:
        """Tell a node that its claim has been given to somebody else."""
        if node == self._node:
            self._lost(node, number)
        else:
            self._links.send(node, f"{self._kind}.lost", number)

    def _lost(self, sender: str, number: int) -> None:
        claim = self._open.pop(number, None)
        if claim is not None:
            attempt(claim.lost)

    # Announcing

    def _announce(self) -> None:
        """Announce everything soon, also if that is being done now."""
        self._due = True
        if not (self._announcing or self._left_cluster):
            self._announcing = asyncio.create_task(self._announce_while_due(), name="announce claims")

    async def _announce_while_due(self) -> None:
        try:
            while self._due:
                self._due = False
                if not await self._announce_everything():
                    self._due = True
                    await asyncio.sleep(AGAIN_SECONDS)
        except Exception:
            log.exception("announcing claims of the kind %s failed", self._kind)
        finally:
            if self._announcing is asyncio.current_task():
                self._announcing = None

    async def _announce_everything(self) -> bool:
        """Announce all claims of this node to all nodes. Returns False if one of them did not answer."""
        # After a change of the members, the nodes of all keys are computed anew: not all in one turn.
        for number, claim in enumerate(tuple(self._open.values()), start=1):
            self._calls.node_of(self._kind, claim.key)
            if number % HASHED_AT_ONCE == 0:
                await asyncio.sleep(0)
        ring = self._calls.members.view.ring
        claims: dict[str, list[Claim]] = {node: [] for node in ring.nodes}
        waiting = [claim.number for claim in self._open.values() if not claim.granted]
        for claim in self._open.values():
            if claim.granted:
                claims.setdefault(self._calls.node_of(self._kind, claim.key), []).append(claim)
        newest = next(self._numbers)
        answers = await asyncio.gather(
            *(self._announce_to(node, ring.nodes, newest, waiting, theirs) for node, theirs in claims.items())
        )
        return all(answers)

    async def _announce_to(
        self, node: str, serving: tuple[str, ...], newest: int, waiting: list[int], claims: list[Claim]
    ) -> bool:
        """Announce the claims that belong to one node, and that it has granted no others.

        Args:
            node: its mark.
            serving: the nodes that serve.
            newest: number of the newest claim at this time; younger claims are not concerned.
            waiting: numbers of claims that have not been answered.
            claims: the claims.
        """
        for start in range(0, max(len(claims), 1), ANNOUNCED_AT_ONCE):
            end = start + ANNOUNCED_AT_ONCE
            now = self._now()
            rows = [
                [claim.number, claim.key, claim.value, now - claim.made_at]
                for claim in claims[start:end]
                if claim.number in self._open
            ]
            first = start == 0
            part = [newest if first else 0, waiting if first else [], end >= len(claims), rows, serving]
            if node == self._node:
                self.granted.announced(node, part)
                await asyncio.sleep(0)
                continue
            try:
                await self._links.call(node, f"{self._kind}.announce", part, ANNOUNCE_SECONDS)
            except EngineError:
                return False
        return True

    def _members_changed(self, before: View, after: View) -> None:
        self._left_cluster = after.states[self._node] is NodeState.GONE
        if before.ring.nodes == after.ring.nodes and not self._left_cluster:
            return
        if self._announcing is not None:
            self._announcing.cancel()
            self._announcing = None
        self._announce()
