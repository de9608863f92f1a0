"""A cluster in memory: nodes with clocks of their own, NATS as queues, PostgreSQL as a table of owners.

Only the network, the database and time are simulated. Each node runs a real `Membership` and follows the
rules for taking screenings: it raises the epoch of a screening only if it may, and answers only when it may.
Nothing waits: `run` lets time pass in small steps, and `check` finds two owners of one screening.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cluster.beats import Beat, Facts, Load, NodeState, Rules, Timing
from cluster.membership import Membership

TIMING = Timing()
RULES: Rules = {"FRONTROW_HOLD_SECONDS": 300.0, "FRONTROW_JWT_SECRET": ["aaaa"]}
STEP_SECONDS = 0.1


@dataclass
class Take:
    """A screening that a node is taking over.

    `released`: its owner has handed it over. `raised_at`: by the clock of the node; None until PostgreSQL has
    answered.
    """

    screening: int
    owner: str | None
    known_epoch: int
    released: bool
    raised_at: float | None = None
    epoch: int = 0


@dataclass
class Question:
    """A node asks PostgreSQL what it owns; `rows` are what PostgreSQL has seen."""

    asked_at: float
    rows: dict[int, tuple[int, str | None]] | None = None


@dataclass
class Node:
    """A node. The flags are its faults: `paused`, without `nats` or `postgres`, or with slow links.

    `deposed` has the owners from whom screenings were taken without their help, until this node answers.
    """

    world: "World"
    membership: Membership
    rate: float
    up: deque[tuple[str | None, Beat]] = field(default_factory=deque)
    down: deque[Beat | None] = field(default_factory=deque)
    owned: dict[int, int] = field(default_factory=dict)
    takes: list[Take] = field(default_factory=list)
    deposed: dict[int, str] = field(default_factory=dict)
    question: Question | None = None
    paused: bool = False
    nats: bool = True
    postgres: bool = True
    slow_up: bool = False
    slow_down: bool = False
    crashed: bool = False

    @property
    def mark(self) -> str:
        return self.membership.facts.mark

    @property
    def state(self) -> NodeState:
        return self.membership.state

    def now(self) -> float:
        return self.world.now * self.rate

    @property
    def answers(self) -> bool:
        """True while the node's lease is valid. A paused node counts: it may go on at any time."""
        return not self.crashed and self.now() < self.membership.lease_until

    def seen(self) -> dict[str, str]:
        """The states of all nodes as this one sees them."""
        return {mark: str(state) for mark, state in self.membership.view.states.items()}

    def say(self, beat: Beat, to: str | None = None) -> None:
        if self.nats:
            self.up.append((to, beat))

    def receive(self) -> None:
        """Process everything that has come."""
        while self.down:
            beat = self.down.popleft()
            if beat is None:
                self.membership.interrupted()
                self.say(self.membership.beat())
            elif self.membership.heard(beat):
                self.say(self.membership.reply(), beat.facts.mark)
            if self.membership.urgent:
                self.say(self.membership.beat())

    def tick(self) -> None:
        if self.membership.tick():
            self.say(self.membership.beat())
        if self.membership.wants_confirmation and self.question is None:
            self.question = Question(self.now())

    def leave(self) -> None:
        """Stop in order: everything owned has been written, so others may take it at once."""
        self.owned.clear()
        self.say(self.membership.leave())
        self.world.carry(self)
        self.crashed = True

    # Owning

    def touch(self, screening: int) -> None:
        """Somebody asks for a screening here: take it if it is this node's."""
        mine = self.membership.owner_of(screening) == self.mark
        if not mine or not self.answers or screening in self.owned or not self.postgres:
            return
        if any(take.screening == screening for take in self.takes):
            return
        epoch, owner = self.world.rows.get(screening, (0, None))
        if owner == self.mark:
            # It may have been taken before, but not have been answered for.
            owner = self.deposed.get(screening, owner)
        free = owner is None or self.membership.may_take(owner)
        released = owner is None or (not free and self.world.release(self, owner, screening))
        if free or released:
            first = self.deposed.get(screening)
            self.takes.append(Take(screening, first or owner, epoch, released and first is None))

    def finish_takes(self) -> None:
        """Answer for what has been taken, as soon as that is allowed."""
        for take in tuple(self.takes):
            if take.raised_at is None or not self.answers:
                continue
            owner = take.owner or self.mark
            if (
                take.released
                or self.membership.may_answer(owner, take.raised_at)
                or (
                    self.membership.view.states.get(owner) not in (None, NodeState.GONE)
                    and self.world.release(self, owner, take.screening)
                )
            ):
                self.owned[take.screening] = take.epoch
                self.deposed.pop(take.screening, None)
                self.takes.remove(take)

    def drop_what_is_lost(self, question: Question) -> None:
        assert question.rows is not None
        rows = question.rows
        self.owned = {
            screening: epoch
            for screening, epoch in self.owned.items()
            if rows.get(screening, (0, None)) == (epoch, self.mark)
            # Taken after the question.
            or epoch > rows.get(screening, (0, None))[0]
        }
        # A node gives up what it was taking before the question, as it does with what it owned.
        self.takes = [
            take
            for take in self.takes
            if take.raised_at is None or take.epoch > rows.get(take.screening, (0, None))[0]
        ]
        self.membership.confirmed(question.asked_at)


class World:
    """Nodes, NATS, PostgreSQL and time.

    Attributes:
        rows: (epoch, owner) of each screening.
        postgres_slow: questions and new epochs wait.
    """

    def __init__(self, timing: Timing = TIMING) -> None:
        self.now = 1000.0
        self.timing = timing
        self.nodes: list[Node] = []
        self.rows: dict[int, tuple[int, str | None]] = {}
        self.postgres_slow = False
        self.screenings: tuple[int, ...] = ()
        self._marks = (f"{number:08x}" for number in count(1))

    def join(self, name: str = "", rate: float = 1.0, rules: Rules = RULES, started_at: float = 0.0) -> Node:
        """Start a node; it has to be `run` to take part."""
        mark = next(self._marks)
        facts = Facts(mark, name or mark, f"{mark}.example:8000", "host", "1.0", 1, started_at or self.now)
        node = Node(self, None, rate)  # type: ignore[arg-type]
        node.membership = Membership(facts, rules, self.timing, node.now, lambda: Load(len(node.owned)))
        self.nodes.append(node)
        return node

    def serving(self, number: int, **options: Any) -> list[Node]:
        """Start nodes and wait until they serve."""
        nodes = [self.join(**options) for _ in range(number)]
        self.run(1.5)
        assert {node.state for node in nodes} == {NodeState.SERVING}
        return nodes

    @property
    def running(self) -> Iterator[Node]:
        return (node for node in self.nodes if not node.crashed and not node.paused)

    def carry(self, node: Node) -> None:
        """NATS takes what a node has sent."""
        while node.up:
            to, beat = node.up.popleft()
            for other in self.nodes:
                if other.nats and not other.crashed and to in (None, other.mark):
                    other.down.append(beat)

    def cut(self, node: Node) -> None:
        """Disconnect a node from NATS; what is on its way is lost."""
        node.nats = False
        node.up.clear()
        node.down.clear()

    def restore(self, node: Node) -> None:
        if not node.nats:
            node.nats = True
            node.down.append(None)

    def crash(self, node: Node) -> None:
        self.cut(node)
        node.crashed = True

    def release(self, asking: Node, owner: str, screening: int) -> bool:
        """Ask an owner to hand over; False if it cannot be reached."""
        for other in self.running:
            if other.mark == owner and other.nats and asking.nats:
                other.owned.pop(screening, None)
                other.takes = [take for take in other.takes if take.screening != screening]
                if screening in other.deposed:
                    asking.deposed[screening] = other.deposed.pop(screening)
                return True
        return False

    def query(self, node: Node) -> None:
        """PostgreSQL works for one node."""
        if not node.postgres or self.postgres_slow:
            return
        for take in tuple(node.takes):
            if take.raised_at is None:
                epoch, _ = self.rows.get(take.screening, (0, None))
                if epoch != take.known_epoch:
                    node.takes.remove(take)
                    continue
                self.rows[take.screening] = (epoch + 1, node.mark)
                take.epoch, take.raised_at = epoch + 1, node.now()
                if not take.released and take.owner:
                    node.deposed[take.screening] = take.owner
        if node.question and node.question.rows is None:
            node.question.rows = dict(self.rows)
        elif node.question:
            question, node.question = node.question, None
            node.drop_what_is_lost(question)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_SECONDS
            self.turn()

    def turn(self) -> None:
        """Every node does what it can, and the invariant is checked after each."""
        for node in [node for node in self.nodes if not node.crashed]:
            if not node.slow_up:
                self.carry(node)
            if node.paused:
                continue
            if not node.slow_down:
                node.receive()
                self.check()
            node.tick()
            self.query(node)
            node.finish_takes()
            self.check()
            for screening in self.screenings:
                node.touch(screening)

    def check(self) -> None:
        """No two nodes may answer for one screening."""
        for screening in self.screenings:
            owners = [node.mark for node in self.nodes if screening in node.owned and node.answers]
            assert len(owners) <= 1, f"screening {screening} is owned by {owners}"

    def owner(self, screening: int) -> Node | None:
        """The node that answers for a screening."""
        found = [node for node in self.running if screening in node.owned and node.answers]
        return found[0] if found else None
