"""Claims: what a socket or a request of some node has of a key until it lets go.

The node of the key grants a claim. When keys move to other nodes because the members have changed, each node
announces its claims to the new ones, so a claim outlives the node that granted it. A node that is gone has no
claims any more.

A node does not grant a key that has moved to it before all others have announced their claims, if that is
demanded (`careful`).

Each node announces all of its claims, to all nodes: so a node that has missed something, such as the end of a
claim, is put right too. Announcing is repeated until every node has answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from time import monotonic
from typing import Any, Protocol

from cluster.beats import NodeState
from cluster.hashing import Ring
from cluster.keys import KeyedCalls, Patience
from cluster.membership import View
from engine.errors import EngineError
from engine.guards import attempt

log = logging.getLogger("frontrow.cluster")

ANNOUNCED_AT_ONCE = 500
"""Claims in one message."""

HASHED_AT_ONCE = 100
"""Keys whose nodes are computed in one turn of the event loop."""

ANNOUNCE_SECONDS = 2.0
"""How long a node may take to answer an announcement or the end of a claim."""

AGAIN_SECONDS = 1.0
"""Pause after an announcement that failed."""

SETTLE_SECONDS = 5.0
"""After this time all nodes know of a change of the members: claims that do not belong here are dropped, and
announcements are not waited for any more."""


class Keeper(Protocol):
    """Decides about the claims of this node's share of the keys."""

    def take(self, key: str, value: Any, lost: Callable[[], None]) -> Any:
        """Grant a claim.

        Args:
            key: the key.
            value: what the claim is about.
            lost: called when the claim is given to somebody else; `leave` is not called then.

        Returns:
            What `leave` needs; not None.

        Raises:
            Exception: one of the refusals of `Claims`.
        """

    def restore(self, key: str, value: Any, seconds: float, lost: Callable[[], None]) -> Any:
        """Enter a claim that another node has granted.

        Args: as for `take`.
            seconds: how long ago it was granted.

        Returns:
            What `leave` needs; None if there is another claim instead, after `lost` has been called.
        """

    def leave(self, granted: Any) -> None:
        """End a claim."""


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
    """The claims of one kind: those of this node, and those that it has granted.

    Args:
        calls: to the nodes of keys.
        kind: what the keys are, see `KeyedCalls.on`.
        keeper: decides.
        refusals: the exceptions that it raises; they are made without arguments.
        patience: how long to wait for the node of a key.
        careful: whether a key that has moved is not granted before all claims have been announced.
        now: returns the time in seconds; monotonic.
    """

    def __init__(
        self,
        calls: KeyedCalls,
        kind: str,
        keeper: Keeper,
        refusals: Sequence[type[Exception]],
        patience: Patience,
        *,
        careful: bool = True,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._calls = calls
        self._links = calls.links
        self._node = calls.links.node
        self._kind = kind
        self._keeper = keeper
        self._refusals = tuple(refusals)
        self._patience = patience
        self._now = now
        self._numbers = count(1)
        self._open: dict[int, Claim] = {}
        # By node and number: the key, and what the keeper has returned.
        self._granted: dict[str, dict[int, tuple[str, Any]]] = {}
        # By node: claims that it has not announced yet, while it is announcing.
        self._unannounced: dict[str, set[int]] = {}
        # By node: the serving nodes for which it has announced all of its claims.
        self._announced_for: dict[str, tuple[str, ...]] = {}
        self._settled = False
        # The owners before the last change, if all claims were known then.
        self._known: Ring | None = None
        self._changed_at = now()
        self._announcing: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._due = self._left_cluster = False
        calls.on(kind, {"take": self._taken}, self._knows_claims_of if careful else lambda key: True)
        self._links.on(f"{kind}.leave", self._left)
        self._links.on(f"{kind}.announce", self._announced)
        self._links.on(f"{kind}.lost", self._lost)
        calls.members.on_change(self._members_changed)

    def __len__(self) -> int:
        """Return the number of claims of this node."""
        return len(self._open)

    @property
    def granted_count(self) -> int:
        """Number of claims that this node has granted."""
        return sum(map(len, self._granted.values()))

    def take(self, key: str, value: Any, lost: Callable[[], None] = _nothing) -> Claim | Awaitable[Claim]:
        """Make a claim.

        Args:
            key: the key.
            value: what the claim is about: what msgpack can encode.
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
        self._settle(claim, self._taken(self._node, key, [claim.number, value]))
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
            self._left(node, claim.number)
        else:
            told = self._links.call(node, f"{self._kind}.leave", claim.number, ANNOUNCE_SECONDS)
            told.add_done_callback(self._told)

    def _told(self, answer: "asyncio.Future[Any]") -> None:
        if not answer.cancelled() and answer.exception() is not None:
            self._announce()

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
                self._announced(node, part)
                await asyncio.sleep(0)
                continue
            try:
                await self._links.call(node, f"{self._kind}.announce", part, ANNOUNCE_SECONDS)
            except EngineError:
                return False
        return True

    # Claims that this node has granted

    def _taken(self, sender: str, key: str, asked: list[Any]) -> int:
        """Grant a claim. Returns 0, or the number of the refusal, counted from 1."""
        number, value, *_newer = asked
        granted = self._granted.setdefault(sender, {})
        if number not in granted:
            try:
                granted[number] = key, self._keeper.take(key, value, partial(self._take_away, sender, number))
            except self._refusals as refusal:
                return self._refusals.index(type(refusal)) + 1
        return 0

    def _left(self, sender: str, number: int) -> None:
        entry = self._granted.get(sender, {}).pop(number, None)
        if entry is not None:
            self._keeper.leave(entry[1])

    def _take_away(self, node: str, number: int) -> None:
        """Tell a node that its claim has been given to somebody else."""
        self._granted.get(node, {}).pop(number, None)
        if node == self._node:
            self._lost(node, number)
        else:
            self._links.send(node, f"{self._kind}.lost", number)

    def _announced(self, sender: str, part: list[Any]) -> None:
        """Enter the claims of another node.

        Args:
            sender: its mark.
            part: the number of its newest claim if this is the first part; numbers of claims that it waits
                for; whether this is the last part; number, key, value and age of claims; and the nodes that
                serve, as it sees them.
        """
        newest, waiting, last, rows, serving, *_newer = part
        granted = self._granted.setdefault(sender, {})
        if newest:
            self._unannounced[sender] = {number for number in granted if number < newest} - set(waiting)
        unannounced = self._unannounced.get(sender, set())
        for number, key, value, seconds, *_newer in rows:
            unannounced.discard(number)
            if number not in granted:
                entered = self._keeper.restore(key, value, seconds, partial(self._take_away, sender, number))
                if entered is not None:
                    granted[number] = key, entered
        if last:
            self._announced_for[sender] = tuple(serving)
            for number in self._unannounced.pop(sender, ()):
                self._left(sender, number)

    def _knows_claims_of(self, key: str) -> bool:
        """Tell whether the other nodes' claims of a key of this node are known here."""
        return (
            self._all_announced(self._calls.members.view)
            or (self._known is not None and self._known.node_of(f"{self._kind} {key}") == self._node)
            or self._now() - self._changed_at >= SETTLE_SECONDS
        )

    def _all_announced(self, view: View) -> bool:
        """Tell whether all other nodes have announced their claims since these nodes serve."""
        self._settled = self._settled or all(
            node == self._node
            or state not in (NodeState.SERVING, NodeState.DRAINING)
            or self._announced_for.get(node) == view.ring.nodes
            for node, state in view.states.items()
        )
        return self._settled

    def _members_changed(self, before: View, after: View) -> None:
        for node in tuple(self._granted):
            if after.states.get(node) is NodeState.GONE and before.states.get(node) is not NodeState.GONE:
                self._drop(node)
        if after.states[self._node] is NodeState.GONE:
            self._left_cluster = True
            self._cancel_tasks()
        if before.ring.nodes == after.ring.nodes or self._left_cluster:
            return
        self._known = before.ring if self._all_announced(before) else None
        self._settled = False
        self._changed_at = self._now()
        # Announcements for the members as they were are outdated, even if the same nodes serve again later.
        outdated = before.ring.nodes
        self._announced_for = {
            node: serving for node, serving in self._announced_for.items() if serving != outdated
        }
        self._cancel_tasks()
        self._announce()
        self._settling = asyncio.create_task(self._drop_strangers(), name="drop claims")

    def _cancel_tasks(self) -> None:
        for task in filter(None, (self._announcing, self._settling)):
            task.cancel()
        self._announcing = self._settling = None

    def _drop(self, node: str) -> None:
        """End the claims of a node that is gone."""
        self._unannounced.pop(node, None)
        self._announced_for.pop(node, None)
        for _, granted in self._granted.pop(node, {}).values():
            self._keeper.leave(granted)

    async def _drop_strangers(self) -> None:
        """End the claims of keys that belong to other nodes now, and late ones of nodes that are gone."""
        await asyncio.sleep(SETTLE_SECONDS)
        for node, granted in tuple(self._granted.items()):
            if self._calls.members.view.states.get(node, NodeState.GONE) is NodeState.GONE:
                self._drop(node)
                continue
            for position, (number, (key, _)) in enumerate(tuple(granted.items()), start=1):
                if not self._calls.is_own(self._kind, key):
                    self._left(node, number)
                if position % HASHED_AT_ONCE == 0:
                    await asyncio.sleep(0)
