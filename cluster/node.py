"""One server as a node of a cluster: its connection to NATS, its links, its heartbeat, and what it owns.

The order of a node's life: `Node(...)`, `own` with the screenings of its server, `join`, `drain`, `leave`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from cluster.answering import Answering
from cluster.beats import Facts, Load, Rules, Timing
from cluster.connection import Connection
from cluster.errors import NodeRefused
from cluster.everybody import Everybody
from cluster.figures import ClusterServers
from cluster.flushing import ClusterFlushing
from cluster.forwarding import Forwarding, ForwardObserver, Layouts
from cluster.heartbeat import Heartbeat
from cluster.links import Links
from cluster.membership import Membership, View
from cluster.peers import NodePeers
from cluster.publishing import ChangePublisher, WatchObserver
from cluster.readiness import NodeReadiness
from cluster.screenings import RoutedScreenings
from cluster.sharing import Door, Offers, Revocations, share_door, share_offers, share_revocations
from cluster.totals import ClusterTotals, Totals
from cluster.watching import Feed, Watching
from engine.clock import since_boot
from engine.directory import ScreeningDirectory
from engine.errors import EngineError
from engine.figures import ServerFigures
from engine.ports import Clock, Flushing
from engine.tracing import Tracer

log = logging.getLogger("frontrow.cluster")

STRANGER_SECONDS = 5.0
"""Time for which a joining node waits until it hears the other nodes that use the database."""

_LOOK_SECONDS = 0.1


class NodeObserver(ForwardObserver, WatchObserver, Protocol):
    """Counts what happens between nodes."""


class Node:
    """A node of a cluster.

    Args:
        connection: to NATS; the node starts and stops it.
        cluster: name of the cluster.
        facts: about this node.
        rules: the settings that all nodes must share.
        timing: of heartbeats.
        mark_of: returns the mark of a server by the name that it writes into its screenings' rows.
        now: a clock without steps that goes on while the process is stopped, in seconds.

    Attributes:
        mark: identity of this node.
        connection, links, membership, peers, everybody: for the parts of the server that deal with others.
        readiness: tells whether this node should be sent requests.
        load: returns how busy this node is, as the fields of `Load`.
    """

    def __init__(
        self,
        connection: Connection,
        cluster: str,
        facts: Facts,
        rules: Rules,
        timing: Timing,
        mark_of: Callable[[str], str],
        now: Callable[[], float] = since_boot,
    ) -> None:
        self.mark = facts.mark
        self.connection = connection
        self._now = now
        self.links = Links(connection, cluster, facts.mark, now)
        self.load: Callable[[], tuple[int, int, float]] = Load
        self.membership = Membership(facts, rules, timing, now, lambda: Load(*self.load()))
        self.peers = NodePeers(self.links, self.membership, mark_of, now)
        self.everybody = Everybody(self.links, self.membership)
        self._heartbeat = Heartbeat(self.links, self.membership, self._confirm, now)
        self._rebalancing: asyncio.Task[None] | None = None
        self._moved = False
        self._joined = False
        connection.on_regained(self._heartbeat.interrupted)
        self.readiness = NodeReadiness(connection, self.membership, now)

    def publisher(self, observer: WatchObserver) -> ChangePublisher:
        """Return the publisher for the directory of this server."""
        self._publisher = ChangePublisher(
            self.links,
            self.membership,
            lambda screening_id: self._directory.position_of(screening_id),
            observer,
        )
        return self._publisher

    def own(
        self,
        directory: ScreeningDirectory,
        feed: Feed,
        clock: Clock,
        layouts: Layouts,
        observer: NodeObserver,
        ask_timeout_seconds: float,
        tracer: Tracer | None = None,
    ) -> RoutedScreenings:
        """Let this node answer for its share of the screenings. Returns those of the whole cluster.

        Args:
            directory: the screenings of this server, with the publisher above.
            feed: sends changes to the sockets of this server.
            clock: the time of day.
            layouts, observer, ask_timeout_seconds: as for `Forwarding` and `RoutedScreenings`.
            tracer: as for `Answering`.
        """
        self._directory = directory
        self.peers.serve(directory, self._publisher.flush)
        Answering(self.links, directory, tracer)
        self.membership.on_lease(self._lease_changed)
        self.membership.on_change(self._members_changed)
        forwarding = Forwarding(self.links, self.membership, layouts, observer)
        screenings = RoutedScreenings(directory, forwarding, self.links, self.membership, ask_timeout_seconds)
        self._watching = Watching(
            self.links, self.membership, self._publisher, feed, screenings.ask, clock, observer
        )
        self.connection.on_regained(self._watching.reconnected)
        return screenings

    def share(self, revocations: Revocations, offers: Offers, door: Door) -> None:
        """Send the other nodes at once everything that has to hold on all of them, and apply what they send.

        Args:
            revocations, offers, door: of this server.
        """
        share_revocations(revocations, self.links)
        share_offers(offers, self.links, self.everybody)
        share_door(door, self.links)

    def flushing(self, journal: Flushing, seconds: float) -> Flushing:
        """Return the object that waits for the journals of all nodes.

        Args:
            journal: of this server.
            seconds: time limit for one flush.
        """
        return ClusterFlushing(journal, self.links, self.everybody, seconds)

    def totals(self, own: Totals) -> Totals:
        """Return the totals of all nodes.

        Args:
            own: the totals of this server.
        """
        return ClusterTotals(own, self.links, self.everybody)

    def servers(
        self, own: Callable[[], ServerFigures], set_log_level: Callable[[str, str], None]
    ) -> ClusterServers:
        """Return the nodes of the cluster, as operators see them.

        Args:
            own: returns the figures of this server.
            set_log_level: changes what this server logs.
        """
        return ClusterServers(own, set_log_level, self.links, self.everybody, self.membership)

    async def join(self, living: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        """Connect to NATS and join the cluster.

        Args:
            living: returns the nodes that use the database at present: what they are called in messages, by
                mark.

        Raises:
            NatsUnavailable: NATS cannot be used.
            NodeRefused: the settings or the name do not fit the cluster, or there is a node that uses the
                database but not these NATS servers.
            StoreUnavailable: the database cannot be reached.
        """
        await self.connection.start()
        await self._heartbeat.join()
        await self._require_one_cluster(living)
        self._joined = True
        self._rebalance()
        self._watching.start()

    async def _require_one_cluster(self, living: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        """Wait until all nodes that use the database have been heard."""
        last_at = self._now() + STRANGER_SECONDS
        while strangers := [
            name for mark, name in (await living()).items() if mark not in self.membership.view.states
        ]:
            if self._now() > last_at:
                await self._heartbeat.leave()
                raise NodeRefused(
                    f"The database is also served by {strangers[0]}, which these NATS servers do not reach; "
                    "give all nodes the same FRONTROW_NATS_URL, or stop that process"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Hand over everything to the other nodes, as far as that is possible.

        Args:
            seconds: time limit; what is left is taken by the others afterwards.
        """
        self._heartbeat.drain()
        try:
            async with asyncio.timeout(seconds):
                await self._rebalanced()
        except TimeoutError:
            log.warning("%d screenings were not handed over in time", self._directory.active_count)

    async def leave(self) -> None:
        """Say goodbye and disconnect. Everything has to be written before."""
        self._joined = False
        if self._rebalancing is not None:
            self._rebalancing.cancel()
            await asyncio.wait([self._rebalancing])
        self._watching.stop()
        await self._heartbeat.leave()
        self.links.stop()
        await self.connection.stop()

    @property
    def states(self) -> Mapping[str, int]:
        """Number of nodes by state, as this node sees them."""
        return Counter(map(str, self.membership.view.states.values()))

    @property
    def lease_seconds(self) -> float:
        """Time for which this node may still answer for its screenings; 0 or less if it may not."""
        return self.membership.lease_until - self._now()

    # Ownership

    async def _confirm(self) -> None:
        lease_seconds = partial(self.membership.lease_seconds, self._now())
        if await self._directory.owned.confirm(lease_seconds):
            self.readiness.deposed()

    def _lease_changed(self, seconds_left: float) -> None:
        if not self._directory.owned.set_lease(seconds_left) and seconds_left > 0:
            self.membership.lapsed()

    def _members_changed(self, before: View, after: View) -> None:
        if before.ring is not after.ring and self._joined:
            self._rebalance()

    def _rebalance(self) -> None:
        """Give away screenings that belong to others now, and load those that have become this node's."""
        self._moved = True
        if self._rebalancing is None or self._rebalancing.done():
            self._rebalancing = asyncio.create_task(self._rebalanced_until_settled(), name="rebalancing")

    async def _rebalanced_until_settled(self) -> None:
        while self._moved:
            self._moved = False
            try:
                if await self._directory.give_away(self.peers.give):
                    self._moved = True  # these were being loaded
                    await asyncio.sleep(_LOOK_SECONDS)
                await self._directory.load_lapsing()
            except EngineError as failure:
                log.warning("not all screenings could be moved to their owners: %s", failure)

    async def _rebalanced(self) -> None:
        while self._rebalancing is not None and not self._rebalancing.done():
            await asyncio.wait([self._rebalancing])
