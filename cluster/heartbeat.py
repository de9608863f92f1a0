"""Sends and receives the heartbeats of a node, and keeps its lease: the part of membership that does I/O.

A beat goes to all others, and then to this node itself by way of NATS. Its return proves that NATS has
carried both, and that everything that NATS received earlier has been delivered here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from cluster.beats import Beat, NodeState
from cluster.errors import NodeRefused
from cluster.membership import Membership, View
from engine.errors import EngineError
from engine.guards import OutageLog

log = logging.getLogger("frontrow.cluster")

BEAT, ROLL_CALL, TABLE, DRAIN = "beat", "roll_call", "table", "drain"
"""Kinds of messages: a beat; a request for a beat; calls for the table of members, and to drain this node."""

JOIN_SECONDS = 15.0
"""Time limit for joining the cluster."""

_TICKS_PER_HEARTBEAT = 4


class Network(Protocol):
    """Messages between nodes; `cluster.links.Links` documents it."""

    @property
    def node(self) -> str:
        """The mark of this node."""

    def on(self, kind: str, handler: Callable[[str, Any], Any]) -> None:
        """Call `handler` with sender and value of each message of a kind; its result is the answer."""

    def send(self, node: str, kind: str, value: Any) -> None:
        """Send a message to one node, possibly this one, without waiting."""

    def broadcast(self, kind: str, value: Any) -> None:
        """Send a message to all other nodes, without waiting."""

    def forget(self, node: str) -> None:
        """Fail all calls to a node that is gone."""


class Heartbeat:
    """Keeps a node in its cluster.

    Args:
        network: carries the messages.
        membership: decides.
        confirm: asks PostgreSQL which screenings this node still owns and drops the others. Raises an
            `EngineError` if that cannot be found out; it is called again.
        now: the clock of `membership`.
    """

    def __init__(
        self,
        network: Network,
        membership: Membership,
        confirm: Callable[[], Awaitable[object]],
        now: Callable[[], float],
    ) -> None:
        self._network = network
        self._membership = membership
        self._confirm = confirm
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._confirming: asyncio.Task[None] | None = None
        self._confirm_outages = OutageLog(log, "asking PostgreSQL what this node still owns")
        self._decided = asyncio.Event()
        network.on(BEAT, self._heard)
        network.on(ROLL_CALL, self._called)
        network.on(TABLE, self._table)
        network.on(DRAIN, self._drain)
        membership.on_change(self._changed)

    async def join(self) -> None:
        """Join the cluster; afterwards this node serves.

        Raises:
            NodeRefused: its settings or name do not fit the cluster, or NATS or PostgreSQL did not answer.
        """
        self._task = asyncio.create_task(self._run(), name="heartbeat")
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await self._decided.wait()
        except TimeoutError:
            await self.leave()
            raise NodeRefused(
                f"This node could not join the cluster within {JOIN_SECONDS:g} s: NATS has not returned its "
                "heartbeats, or PostgreSQL or another node has not answered"
            ) from None
        if self._membership.refusal:
            await self.leave()
            raise NodeRefused(f"This node cannot join the cluster: {self._membership.refusal}")

    def drain(self) -> None:
        """Own nothing any more. The others are told at once: they refuse screenings that are not theirs."""
        self._membership.drain()
        self._decide()

    async def leave(self) -> None:
        """Say goodbye; from now on this node answers for nothing."""
        for task in filter(None, (self._task, self._confirming)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._membership.state is not NodeState.GONE:
            self._network.broadcast(BEAT, self._membership.leave().plain())

    def interrupted(self) -> None:
        """Take note that messages may have been lost. To be called when NATS is connected again."""
        self._membership.interrupted()
        self._beat()

    async def _run(self) -> None:
        pause_seconds = self._membership.timing.node_heartbeat_seconds / _TICKS_PER_HEARTBEAT
        while True:
            try:
                if self._membership.tick():
                    self._beat()
                self._confirm_if_needed()
            except Exception:
                log.exception("the heartbeat failed; it goes on")
            await asyncio.sleep(pause_seconds)

    def _decide(self) -> None:
        """Send a beat that must not wait, and end `join` once it is decided."""
        if self._membership.urgent:
            self._beat()
        if self._membership.refusal or self._membership.state is NodeState.SERVING:
            self._decided.set()

    def _confirm_if_needed(self) -> None:
        if self._membership.wants_confirmation and self._confirming is None:
            self._confirming = asyncio.create_task(self._confirm_ownership(), name="confirm ownership")

    async def _confirm_ownership(self) -> None:
        asked_at = self._now()
        try:
            async with asyncio.timeout(self._membership.timing.node_gone_seconds):
                await self._confirm()
            self._membership.confirmed(asked_at)
            self._confirm_outages.succeeded()
        except (EngineError, TimeoutError) as failure:
            self._confirm_outages.failed(failure)
        except Exception as defect:
            self._confirm_outages.failed(defect, defect=True)
        finally:
            self._confirming = None
        self._decide()

    def _beat(self) -> None:
        beat = self._membership.beat().plain()
        self._network.broadcast(BEAT, beat)
        # In the next turn, since messages of one turn may be sent in another order.
        asyncio.get_running_loop().call_soon(self._network.send, self._network.node, BEAT, beat)

    def _heard(self, sender: str, value: Any) -> None:
        beat = Beat.parsed(value)
        if beat.facts.mark != sender:
            raise ValueError(f"{sender} has sent a beat of {beat.facts.mark}")
        if self._membership.heard(beat):
            self._network.send(sender, BEAT, self._membership.reply().plain())
        if sender == self._network.node:
            self._confirm_if_needed()
        self._decide()

    def _called(self, sender: str, _: Any) -> None:
        self._network.send(sender, BEAT, self._membership.reply().plain())

    def _table(self, _sender: str, _: Any) -> list[Any]:
        return [beat.plain() for beat in self._membership.table()]

    def _drain(self, _sender: str, _: Any) -> None:
        log.warning("this node was told to drain")
        self.drain()

    def _changed(self, before: View, after: View) -> None:
        for mark, state in after.states.items():
            earlier = before.states.get(mark)
            if state is not earlier:
                log.info("node %s is %s", self._membership.label(mark), state)
            if state is NodeState.GONE and earlier not in (None, NodeState.GONE):
                self._network.forget(mark)
