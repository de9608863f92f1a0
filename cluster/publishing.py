"""Sends the changes of this node's screenings to their watchers: sockets here, and other nodes.

This is the engine's publisher in a cluster. A screening that nobody watches costs one dictionary lookup per
change. For other nodes a change is encoded once, and sent to each node that has sockets watching, however
many these are.

    node with sockets ── watch: [[screening, epoch, seq, hashes], ...] ──► owner
                      ◄── reply: the screenings with another position ──
                      ◄── change: [screening, epoch, seq, change] ──

Every change names the position before it, so the receiver notices if it has missed some (`cluster.watching`).
It repeats `watch` with its positions every few seconds: so a lost last change is noticed too, and nodes that
do not watch any more are forgotten. `hashes` is 1 if a socket wants hashes of what everybody sees, else 0;
nodes of earlier releases do not say it, and are sent hashes.

The position is that of the last visible change, (epoch, seq). If this node has taken a screening twice in a
row, its watchers have missed nothing in between, so the position before the first change of the second epoch
is the last one of the first epoch.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cluster.beats import NodeState
from cluster.links import Links
from cluster.membership import View
from cluster.turns import TurnsLater
from cluster.wire import encode_change
from engine.guards import guarded
from engine.views import SeatsChanged

CHANGE, WATCH, UNWATCH = "change", "watch", "unwatch"
"""Kinds of messages."""

GATHER_SECONDS = 0.005
"""After changes were sent to other nodes, the next ones are gathered for so long: a message costs as much as
ten changes in it. The feed at the other end gathers for longer."""

WATCH_SECONDS = 15.0
"""Time for which a node is sent the changes of a screening after its last `watch`."""


class Position(NamedTuple):
    """Number of a screening's last visible change; positions sort by time."""

    epoch: int
    seq: int


NOWHERE = Position(0, 0)
"""Stands for an unknown position in messages; no screening has it."""


class Members(Protocol):
    """The members of the cluster; `cluster.membership.Membership` documents them."""

    def owner_of(self, screening_id: int) -> str | None:
        """Return the node that should own a screening."""

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        """Call `handler` with the members before and after each change."""


class WatchObserver(Protocol):
    """Counts the changes that travel between nodes."""

    def changes_sent(self, count: int) -> None:
        """Count changes sent to other nodes: one per change and node."""

    def change_received(self) -> None:
        """Count a change of another node."""

    def gap_found(self) -> None:
        """Changes of a screening did not arrive here."""

    def gap_filled(self) -> None:
        """The owner has sent the changes that had been missed."""

    def screening_reloaded(self) -> None:
        """The changes that had been missed are not kept any more: watchers are sent all seats."""


_Sending = tuple[Sequence[str], tuple[Any, ...]]
"""Nodes, and the change that they are sent."""


class _Watch(NamedTuple):
    """Another node that watches a screening.

    Args:
        until: when it is forgotten, on the event loop's clock.
        hashes: its sockets want hashes.
    """

    until: float
    hashes: bool


class _Audience:
    """The watchers of a screening.

    Attributes:
        position: of the last change; None if it is not known.
        here: True if sockets of this node watch.
        nodes: other nodes.
    """

    __slots__ = ("here", "nodes", "position")

    def __init__(self) -> None:
        self.position: Position | None = None
        self.here = False
        self.nodes: dict[str, _Watch] = {}


class ChangePublisher:
    """An `engine.ports.Publisher` for the watchers in the whole cluster.

    Args:
        links: to the other nodes.
        members: who owns what.
        position_of: returns the position of a screening that is in memory
            (`ScreeningDirectory.position_of`).
        observer: counts.
        watch_seconds: how long a node is sent changes after its last `watch`.

    Attributes:
        here: called with the position before a change and the change, if sockets of this node watch.
        hashes_here: returns whether sockets of this node want hashes of a screening.
    """

    def __init__(
        self,
        links: Links,
        members: Members,
        position_of: Callable[[int], tuple[int, int] | None],
        observer: WatchObserver,
        *,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self.here: Callable[[Position, SeatsChanged], None] = lambda before, change: None
        self.hashes_here: Callable[[int], bool] = lambda screening_id: False
        self._links = links
        self._members = members
        self._position_of = position_of
        self._observer = guarded(observer)
        self._watch_seconds = watch_seconds
        self._loop = asyncio.get_running_loop()
        self._audiences: dict[int, _Audience] = {}
        self._due: TurnsLater[_Sending] = TurnsLater(self._send_soon)
        self._gathered: list[_Sending] = []
        self._timer: asyncio.TimerHandle | None = None
        links.on(WATCH, self._watch)
        links.on(UNWATCH, self._unwatch)
        members.on_change(self._members_changed)

    def publish(self, change: SeatsChanged) -> None:
        """Tell the watchers of a change."""
        audience = self._audiences.get(change.screening_id)
        if audience is None:
            return
        epoch, before = change.epoch, audience.position
        if before is None or before.epoch not in (epoch, epoch - 1):
            before = Position(epoch, 0)
        audience.position = Position(epoch, change.seq)
        if audience.here:
            self.here(before, change)
        if audience.nodes:
            value = (change.screening_id, *before, encode_change(change))
            self._due.add((tuple(audience.nodes), value))

    def wants_hashes(self, screening_id: int) -> bool:
        """Return whether sockets that watch a screening want hashes, here or on other nodes."""
        audience = self._audiences.get(screening_id)
        if audience is None:
            return False
        return self.hashes_here(screening_id) or any(watch.hashes for watch in audience.nodes.values())

    def _send_soon(self, due: list[_Sending]) -> None:
        """Send changes now, or together with others if some have just been sent."""
        self._gathered += due
        if self._timer is None:
            self._send_gathered()

    def _send_gathered(self) -> None:
        if not self._gathered:
            self._timer = None
            return
        self._send()
        self._timer = self._loop.call_later(GATHER_SECONDS, self._send_gathered)

    def _send(self) -> None:
        due, self._gathered = self._gathered, []
        send = self._links.send
        count = 0
        for nodes, value in due:
            count += len(nodes)
            for node in nodes:
                send(node, CHANGE, value)
        self._observer.changes_sent(count)

    def flush(self) -> None:
        """Send all changes now, before anything else tells their positions or hands the screening over."""
        self._due.flush()
        self._send()

    # The sockets of this node

    def watch_here(self, screening_id: int) -> Position | None:
        """Call `here` with the changes of a screening from now on, whether or not this node should own it.

        Returns:
            The position of the screening, if this node knows it.
        """
        audience = self._audience(screening_id)
        audience.here = True
        return self._known(screening_id, audience)

    def unwatch_here(self, screening_id: int) -> None:
        """Do not call `here` any more."""
        audience = self._audiences.get(screening_id)
        if audience is not None:
            audience.here = False
            self._drop_if_empty(screening_id, audience)

    # Other nodes

    def _watch(self, node: str, rows: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
        """Send a node the changes of screenings for a while.

        Args:
            node: its name.
            rows: screening, epoch and seq: the position that the node knows; whether it wants hashes.

        Returns:
            The screenings that have another position, with this.
        """
        # The node must not learn of a position before it has been sent the change.
        self.flush()
        until = self._loop.time() + self._watch_seconds
        differing = []
        for screening_id, epoch, seq, *newer in rows:
            audience = self._audience(screening_id)
            audience.nodes[node] = _Watch(until, not newer or newer[0] == 1)
            known = self._known(screening_id, audience)
            if known is None or ((epoch, seq) != known and (epoch, seq) != self._position_of(screening_id)):
                differing.append((screening_id, *(known or NOWHERE)))
        return differing

    def _unwatch(self, node: str, screening_id: int) -> None:
        audience = self._audiences.get(screening_id)
        if audience is not None and audience.nodes.pop(node, None) is not None:
            self._drop_if_empty(screening_id, audience)

    def forget_silent(self) -> None:
        """Forget nodes that have not repeated their `watch` for too long. To be called every few seconds."""
        now = self._loop.time()
        for screening_id, audience in list(self._audiences.items()):
            silent = [node for node, watch in audience.nodes.items() if watch.until <= now]
            self._forget(screening_id, audience, silent)

    def _members_changed(self, before: View, after: View) -> None:
        states: Mapping[str, NodeState] = after.states
        for screening_id, audience in list(self._audiences.items()):
            if audience.position is not None and self._position_of(screening_id) is None:
                owners = {before.ring.owner_of(screening_id), after.ring.owner_of(screening_id)}
                if owners != {self._links.node}:
                    audience.position = None
            gone = [node for node in audience.nodes if states.get(node) is NodeState.GONE]
            self._forget(screening_id, audience, gone)

    def _forget(self, screening_id: int, audience: _Audience, nodes: Sequence[str]) -> None:
        for node in nodes:
            del audience.nodes[node]
        if nodes:
            self._drop_if_empty(screening_id, audience)

    def _audience(self, screening_id: int) -> _Audience:
        audience = self._audiences.get(screening_id)
        if audience is None:
            audience = self._audiences[screening_id] = _Audience()
        return audience

    def _drop_if_empty(self, screening_id: int, audience: _Audience) -> None:
        if not audience.here and not audience.nodes:
            del self._audiences[screening_id]

    def _known(self, screening_id: int, audience: _Audience) -> Position | None:
        """Return the position of a screening; None if another node may have changed it, or nobody knows."""
        loaded = self._position_of(screening_id)
        if loaded is None:
            if self._members.owner_of(screening_id) != self._links.node:
                audience.position = None
        elif audience.position is None or loaded != (audience.position.epoch + 1, 0):
            audience.position = Position(*loaded)
        return audience.position
