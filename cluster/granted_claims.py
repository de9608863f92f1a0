"""The claims that this node has granted, to all nodes, because their keys are its own.

After a key has moved here, another node may have a claim of it that is not known yet. So such
a key is not granted before all other nodes have announced their claims. `cluster.claims` has the claims of
this node.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol

from cluster.beats import NodeState
from cluster.hashing import Ring
from cluster.keys import KeyedCalls
from cluster.membership import View

HASHED_AT_ONCE = 100
"""Keys whose nodes are computed in one turn of the event loop."""

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
            The value to pass to `leave`; not None.

        Raises:
            Exception: one of the refusals of `GrantedClaims`.
        """

    def restore(self, key: str, value: Any, seconds: float, lost: Callable[[], None]) -> Any:
        """Enter a claim that another node has granted.

        Args: as for `take`.
            seconds: how long ago it was granted.

        Returns:
            The value to pass to `leave`. None if another claim exists instead; then `lost` was called.
        """

    def leave(self, granted: Any) -> None:
        """End a claim."""


class GrantedClaims:
    """The claims of one kind that this node has granted.

    Args:
        calls: to the nodes of keys.
        kind: what the keys are, see `KeyedCalls.on`.
        keeper: decides.
        refusals: the exceptions that it raises; they are made without arguments.
        lost: called with a node and the number of its claim that has been given to somebody else.
        now: returns the time in seconds; monotonic.
    """

    def __init__(
        self,
        calls: KeyedCalls,
        kind: str,
        keeper: Keeper,
        refusals: Sequence[type[Exception]],
        lost: Callable[[str, int], None],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._calls = calls
        self._node = calls.links.node
        self._kind = kind
        self._keeper = keeper
        self._refusals = tuple(refusals)
        self._lost = lost
        self._now = now
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
        self._settling: asyncio.Task[None] | None = None
        calls.on(kind, {"take": self.take}, self._knows_claims_of)
        calls.links.on(f"{kind}.leave", self.leave)
        calls.links.on(f"{kind}.announce", self.announced)
        calls.members.on_change(self._members_changed)

    def __len__(self) -> int:
        return sum(map(len, self._granted.values()))

    def take(self, sender: str, key: str, asked: list[Any]) -> int:
        """Grant a claim. Returns 0, or the number of the refusal, counted from 1."""
        number, value, *_newer = asked
        granted = self._granted.setdefault(sender, {})
        if number not in granted:
            try:
                granted[number] = key, self._keeper.take(key, value, partial(self._take_away, sender, number))
            except self._refusals as refusal:
                return self._refusals.index(type(refusal)) + 1
        return 0

    def leave(self, sender: str, number: int) -> None:
        """End a claim of a node. Does nothing if it has ended."""
        entry = self._granted.get(sender, {}).pop(number, None)
        if entry is not None:
            self._keeper.leave(entry[1])

    def _take_away(self, node: str, number: int) -> None:
        self._granted.get(node, {}).pop(number, None)
        self._lost(node, number)

    def announced(self, sender: str, part: list[Any]) -> None:
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
                self.leave(sender, number)

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
        known = before.ring if self._all_announced(before) else None
        for node in tuple(self._granted):
            if after.states.get(node) is NodeState.GONE and before.states.get(node) is not NodeState.GONE:
                self._drop(node)
        if before.ring.nodes == after.ring.nodes:
            return
        self._known = known
        self._settled = False
        self._changed_at = self._now()
        # Announcements for the members as they were are outdated, even if the same nodes serve again later.
        outdated = before.ring.nodes
        self._announced_for = {
            node: serving for node, serving in self._announced_for.items() if serving != outdated
        }
        if self._settling is not None:
            self._settling.cancel()
        if after.states[self._node] is not NodeState.GONE:
            self._settling = asyncio.create_task(self._drop_strangers(), name="drop claims")

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
                    self.leave(node, number)
                if position % HASHED_AT_ONCE == 0:
                    await asyncio.sleep(0)
