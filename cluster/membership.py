"""Membership: the nodes of the cluster, the owners of screenings and keys, and the lease of this node.

The decisions are here, without I/O: beats and time come in. `cluster.heartbeat` sends, receives and waits.
All times are seconds of one clock that has no steps and continues while the process is stopped or the machine
suspended (`engine.clock.since_boot`). Clocks of different nodes are never compared.

The lease. A node may answer as an owner while its own beats come back: each one extends the lease to
`lease_seconds` after it was *sent*. Others consider it gone after a longer time without beats, so it stops
before anybody takes over. Once the lease has lapsed, beats alone do not revive it: others may have taken over
meanwhile, so the node first asks PostgreSQL which epochs are still its own (`confirmed`). While NATS is away,
each such question is worth a short lease of its own.

Silence. A node must not take its own deafness for the silence of others. Silence is therefore measured only
up to the last of its own beats that came back (`cluster.echoes`).

The epochs in PostgreSQL assume nothing of all this: if it failed, a hold could be promised in vain, but never
a seat sold twice.
"""

import logging
from collections.abc import Callable, Mapping
from itertools import chain
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from cluster.beats import Beat, Facts, Load, NodeState, Rules, Timing, disagreement
from cluster.echoes import Echoes
from cluster.hashing import Ring
from engine.guards import attempt

NODES_LIMIT = 1000
"""Nodes in the table, including those that have been gone for less than `GONE_MEMORY_SECONDS`."""

GONE_MEMORY_SECONDS = 60.0
"""Time for which a node that is gone stays in the table: for operators, and to recognise late beats."""

log = logging.getLogger("frontrow.cluster")


class View(NamedTuple):
    """The members at one time.

    Attributes:
        version: counts changes; equal only on one node.
        states: of all known nodes by mark, including this one.
        ring: the owners, which are the serving nodes.
    """

    version: int
    states: Mapping[str, NodeState]
    ring: Ring


class _Peer:
    """Another node.

    Attributes:
        beat: its latest beat.
        heard_at: when a beat was last received.
        state: its state here; other than in `beat` once it is gone.
        left: True if it said that it is gone, False if it went silent.
        agreed: True once its rules have been compared.
    """

    __slots__ = ("agreed", "beat", "heard_at", "left", "state")

    def __init__(self, beat: Beat, heard_at: float) -> None:
        self.beat = beat
        self.heard_at = heard_at
        self.state = beat.state
        self.left = False
        self.agreed = False


class Membership:
    """The membership as one node sees it.

    Args:
        facts: about this node.
        rules: the settings that all nodes must share.
        timing: of heartbeats.
        now: the clock, in seconds.
        load: returns how busy this node is.

    Attributes:
        view: the present members.
        refusal: why this node must not join, as a sentence for its operator; None if it may.
    """

    def __init__(
        self, facts: Facts, rules: Rules, timing: Timing, now: Callable[[], float], load: Callable[[], Load]
    ) -> None:
        self.facts = facts
        self.timing = timing
        self.refusal: str | None = None
        self._rules = rules
        self._now = now
        self._load = load
        self._peers: dict[str, _Peer] = {}
        self._on_change: list[Callable[[View, View], None]] = []
        self._on_lease: list[Callable[[float], None]] = []
        # This node's beats
        self._number = 0
        self._sent_at = -inf
        self._urgent = True
        self._echoes = Echoes(timing, now)
        self._confirmed_at = -inf
        self._lease_until = -inf
        # This node's state
        self._admitted = self._served = self._draining = self._left = False
        self.view = View(0, MappingProxyType({facts.mark: NodeState.JOINING}), Ring(()))

    # Owners

    def owner_of(self, screening_id: int) -> str | None:
        """Return the mark of the node that should own a screening; None if no node serves."""
        return self.view.ring.owner_of(screening_id)

    def node_of(self, key: str) -> str | None:
        """Return the mark of the node that counts or claims a key; None if no node serves."""
        return self.view.ring.node_of(key)

    @property
    def version(self) -> int:
        """Counts the changes of `view`."""
        return self.view.version

    @property
    def state(self) -> NodeState:
        """The state of this node."""
        if self._left:
            return NodeState.GONE
        if self._draining:
            return NodeState.DRAINING
        return NodeState.SERVING if self._admitted else NodeState.JOINING

    def label(self, mark: str) -> str:
        """Return the name and the mark of a node, for messages to operators."""
        peer = self._peers.get(mark)
        facts = self.facts if peer is None else peer.beat.facts
        return f"{facts.name} ({mark})"

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        """Call `handler` with the members before and after each change."""
        self._on_change.append(handler)

    def table(self) -> list[Beat]:
        """Return the latest beat of every known node, with its state as this node sees it."""
        others = [peer.beat._replace(state=peer.state, rules=None) for peer in self._peers.values()]
        return sorted([self._beat(None), *others], key=lambda beat: (beat.facts.name, beat.facts.mark))

    # The lease

    @property
    def lease_until(self) -> float:
        """Time until which this node may answer as an owner."""
        return self._lease_until

    def lease_seconds(self, confirmed_at: float) -> float:
        """Return for how many seconds this node may answer for the screenings that PostgreSQL says it owns.

        Args:
            confirmed_at: when PostgreSQL was asked.
        """
        return self._lease(confirmed_at) - self._now()

    def lapsed(self) -> None:
        """Take note that the lease has expired by the clock of those who obey it: it has to be confirmed."""
        self._echoes.not_heard()

    def on_lease(self, handler: Callable[[float], None]) -> None:
        """Call `handler` with the seconds that are left whenever the lease changes; 0 or less ends it now."""
        self._on_lease.append(handler)

    @property
    def wants_confirmation(self) -> bool:
        """True if PostgreSQL has to be asked which epochs this node owns, and `confirmed` called then."""
        if self._left or self.refusal or not self._settled:
            return False
        return not self._admitted or self._confirmed_at < self._echoes.unbroken_since or self._echoes.deaf

    def confirmed(self, asked_at: float) -> None:
        """Take note that this node knows which screenings it owns, and has dropped all others.

        Args:
            asked_at: when the question was sent to PostgreSQL.
        """
        self._confirmed_at = max(self._confirmed_at, asked_at)
        if not self._admitted and not self.refusal and asked_at >= self._echoes.unbroken_since:
            self._admitted = self._served = self._urgent = True
        self._update()

    def may_take(self, owner: str) -> bool:
        """Tell whether this node may raise the epoch of a screening without asking its owner to hand it over.

        Only if the owner is this node or gone, and this node hears NATS.

        Args:
            owner: the mark in the screening's row.
        """
        if owner == self.facts.mark:
            return True
        peer = self._peers.get(owner)
        if self._left or self._now() >= self._echoes.fresh_until:
            return False
        return (peer is not None and peer.left) or self._silent_enough(owner)

    def may_answer(self, owner: str, raised_at: float) -> bool:
        """Return whether this node may answer for a screening that it took without asking.

        False for `takeover_seconds`, in which an owner without NATS finds out that it was deposed. Stays
        False if the owner was heard after all: it must hand over first.

        Args:
            owner: the mark of the node that had it.
            raised_at: when PostgreSQL had raised the epoch.
        """
        peer = self._peers.get(owner)
        if owner == self.facts.mark or (peer is not None and peer.left):
            return True
        waited = self._now() - raised_at >= self.timing.takeover_seconds
        return waited and self._echoes.heard_until >= raised_at and self._silent_enough(owner)

    # Beats

    def beat(self) -> Beat:
        """Return the next beat, which is sent now to all nodes including this one."""
        self._number += 1
        self._urgent = False
        self._sent_at = self._echoes.sent(self._number)
        return self._beat(None if self._admitted else self._rules)

    @property
    def urgent(self) -> bool:
        """True if a beat must not wait for the next `tick`."""
        return self._urgent and not self._left and not self.refusal

    def reply(self) -> Beat:
        """Return the latest beat once more, for a node that asks who is there."""
        return self._beat(self._rules)

    def heard(self, beat: Beat) -> bool:
        """Process a received beat. Return True if the sender needs a `reply` at once."""
        mark = beat.facts.mark
        if mark == self.facts.mark:
            if self._echoes.came_back(beat.number):
                self._update()
            return False
        peer = self._peers.get(mark)
        if peer is None:
            if len(self._peers) >= NODES_LIMIT:
                log.error("node %s at %s is ignored: there are too many", beat.facts.name, beat.facts.address)
                return False
            peer = self._peers[mark] = _Peer(beat, self._now())
            changed = returning = True
        else:
            changed, returning = False, peer.state is NodeState.GONE
        self._compare(peer, beat)
        if peer.left or beat.number < peer.beat.number:
            return False
        told_before = self.facts.mark in peer.beat.silent and peer.beat.number < beat.number
        peer.heard_at = self._now()
        peer.beat = beat
        if beat.state is NodeState.GONE:
            peer.left, returning = True, False
        # A node that was considered gone begins anew: it is told, and says that it is joining. Late beats of
        # a node that does not exist any more do not bring it back.
        if peer.state is not NodeState.GONE or beat.state is not NodeState.SERVING:
            changed = changed or peer.state is not beat.state
            peer.state = beat.state
        if self.facts.mark in beat.silent:
            changed = True
            self._told_gone(known=told_before)
        if changed or self.refusal:
            self._update()
        # The beats of a joining node go to everybody with its rules, so it need not reply.
        return self._admitted and (returning or peer.state is NodeState.JOINING)

    def interrupted(self) -> None:
        """Take note that messages may have been lost, for example because NATS was disconnected."""
        self._echoes.interrupted()

    def tick(self) -> bool:
        """Let time pass; to be called several times per heartbeat. Return True if a beat is due."""
        now, gone_seconds = self._now(), self.timing.node_gone_seconds
        if self._admitted and not self._echoes.deaf and now - self._lease_until >= gone_seconds:
            # It hears NATS, but PostgreSQL does not confirm: let others own its screenings.
            self._admitted, self._urgent = False, True
        self._update()
        if self._left or self.refusal:
            return False
        timing = self.timing
        pause_seconds = timing.node_heartbeat_seconds if self._served else timing.settle_seconds
        if self._urgent or now - self._sent_at >= pause_seconds:
            return True
        # A beat of its own tells whether the others are silent or this node is deaf.
        suspected_at = (
            max(peer.heard_at, self._echoes.listening_since) + gone_seconds
            for peer in self._peers.values()
            if peer.state is not NodeState.GONE
        )
        return any(self._sent_at < at <= now for at in suspected_at)

    def drain(self) -> None:
        """Own nothing any more; the screenings in memory have to be handed over."""
        self._draining = self._urgent = True
        self._update()

    def leave(self) -> Beat:
        """End the lease and return the last beat."""
        self._left = True
        self._update()
        return self.beat()

    def _beat(self, rules: Rules | None) -> Beat:
        silent = tuple(
            mark for mark, peer in self._peers.items() if peer.state is NodeState.GONE and not peer.left
        )
        return Beat(self.facts, self._number, self.state, self._load(), silent, rules)

    def _told_gone(self, *, known: bool) -> None:
        """Another node does not hear this one and may take over: ask PostgreSQL before answering again."""
        self._echoes.not_heard()
        if not known and self._admitted:
            log.warning("another node has not heard this one; asking PostgreSQL what it still owns")
            self._admitted, self._urgent = False, True

    def _compare(self, peer: _Peer, beat: Beat) -> None:
        """Find out whether this node and another one can be in one cluster."""
        other = beat.facts
        if (peer.agreed and self._served) or beat.state in (NodeState.DRAINING, NodeState.GONE):
            return
        fault = None
        if other.name == self.facts.name and (
            beat.state is NodeState.SERVING
            or (other.started_at, other.mark) < (self.facts.started_at, self.facts.mark)
        ):
            place = f"the node at {other.address} on {other.host}"
            fault = f"{place} is also named {other.name}; give each node a FRONTROW_NODE_NAME of its own"
        if beat.rules is not None:
            peer.agreed = True
            fault = fault or disagreement(self._rules, beat.rules, other)
        if fault and not self._served:
            self.refusal = self.refusal or fault
        elif fault and beat.rules is not None:
            log.warning("a node that should not be in this cluster: %s", fault)

    @property
    def _settled(self) -> bool:
        """True if this node has listened long enough to have heard all others, and fits with them."""
        heard_seconds = self._echoes.heard_until - self._echoes.joined_at
        return heard_seconds >= self.timing.settle_seconds and (
            self._served
            or all(
                peer.agreed or peer.state is NodeState.GONE or peer.state is NodeState.DRAINING
                for peer in self._peers.values()
            )
        )

    def _silent_enough(self, mark: str) -> bool:
        peer = self._peers.get(mark)
        heard_at = -inf if peer is None else peer.heard_at
        return self._echoes.silent_seconds(heard_at) >= self.timing.node_gone_seconds

    def _update(self) -> None:
        """Bring states, view and lease up to date, and tell whoever wants to know."""
        now = self._now()
        for mark, peer in tuple(self._peers.items()):
            if peer.state is not NodeState.GONE:
                if self._silent_enough(mark):
                    log.warning("node %s at %s is gone", peer.beat.facts.name, peer.beat.facts.address)
                    peer.state = NodeState.GONE
                    self._urgent = True
            elif now - peer.heard_at >= GONE_MEMORY_SECONDS:
                del self._peers[mark]
        self._publish_lease(now)
        own = (self.facts.mark, self.state)
        states = dict(chain([own], ((mark, peer.state) for mark, peer in self._peers.items())))
        if states != self.view.states:
            serving = [mark for mark, state in states.items() if state is NodeState.SERVING]
            before = self.view
            ring = before.ring if set(before.ring.nodes) == set(serving) else Ring(serving)
            self.view = View(before.version + 1, MappingProxyType(states), ring)
            for handler in self._on_change:
                attempt(handler, before, self.view)

    def _lease(self, confirmed_at: float) -> float:
        """Return when the lease ends if PostgreSQL was last asked at some time what this node owns."""
        if self._left or self.refusal:
            return -inf
        echoed = self._echoes.fresh_until if confirmed_at >= self._echoes.unbroken_since else -inf
        return max(echoed, confirmed_at + self.timing.confirmed_seconds)

    def _publish_lease(self, now: float) -> None:
        lease = self._lease(self._confirmed_at)
        if lease != self._lease_until:
            self._lease_until = lease
            for handler in self._on_lease:
                attempt(handler, lease - now)
