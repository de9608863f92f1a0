"""A Hypothesis state machine: whatever happens, no two nodes may answer for one screening at the same time.

Nodes join, leave, drain, crash, are paused and resumed; NATS loses a node, delays or loses its messages;
PostgreSQL is slow or away. Clocks run at the same speed, or at speeds that differ by 1 %.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.cluster.world import Node, World

SCREENINGS = (1, 2, 3)
FEWEST, MOST = 2, 4
SECONDS = st.sampled_from([0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 2.7, 2.75, 3.0, 3.5, 5.0])
NODE = st.integers(0, MOST - 1)


class Faults(RuleBasedStateMachine):
    rates = (1.0,)

    @initialize(number=st.integers(FEWEST, 3))
    def start(self, number: int) -> None:
        self.world = World()
        self.world.screenings = SCREENINGS
        for _ in range(number):
            self._join()
        self.world.run(6.0)

    def _join(self) -> Node:
        return self.world.join(rate=self.rates[len(self.world.nodes) % len(self.rates)])

    def _node(self, number: int) -> Node:
        running = [node for node in self.world.nodes if not node.crashed]
        return running[number % len(running)]

    @property
    def _count(self) -> int:
        return sum(not node.crashed for node in self.world.nodes)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(number=NODE)
    def one_is_paused_or_resumed(self, number: int) -> None:
        node = self._node(number)
        node.paused = not node.paused

    @rule(number=NODE)
    def one_loses_nats_or_finds_it_again(self, number: int) -> None:
        node = self._node(number)
        if node.nats:
            self.world.cut(node)
        else:
            self.world.restore(node)

    @rule()
    def nats_restarts(self) -> None:
        for node in self.world.nodes:
            self.world.cut(node)
            self.world.restore(node)

    @rule(up=st.booleans(), number=NODE)
    def one_has_a_slow_or_fast_link(self, up: bool, number: int) -> None:
        node = self._node(number)
        if up:
            node.slow_up = not node.slow_up
        else:
            node.slow_down = not node.slow_down

    @rule(number=NODE)
    def a_beat_is_lost(self, number: int) -> None:
        node = self._node(number)
        node.say(node.membership.beat())
        if node.up:
            node.up.pop()

    @rule(number=NODE)
    def one_loses_postgres_or_finds_it_again(self, number: int) -> None:
        node = self._node(number)
        node.postgres = not node.postgres

    @rule()
    def postgres_is_slow_or_fast(self) -> None:
        self.world.postgres_slow = not self.world.postgres_slow

    @rule(number=NODE)
    def one_crashes_and_another_starts(self, number: int) -> None:
        self.world.crash(self._node(number))
        self._join()

    @rule(number=NODE)
    def one_leaves(self, number: int) -> None:
        if self._count > FEWEST and not self._node(number).paused:
            self._node(number).leave()

    @rule()
    def one_joins(self) -> None:
        if self._count < MOST:
            self._join()

    @rule(number=NODE)
    def one_is_drained(self, number: int) -> None:
        self._node(number).membership.drain()

    def teardown(self) -> None:
        """Assert that every screening has an owner again when all faults are over."""
        if not hasattr(self, "world"):
            return
        self.world.postgres_slow = False
        for node in self.world.nodes:
            node.paused = node.slow_up = node.slow_down = False
            node.postgres = True
            if not node.crashed:
                self.world.restore(node)
        self._join()
        self.world.run(12.0)
        for screening in SCREENINGS:
            assert self.world.owner(screening) is not None


class FaultsAtDifferentSpeeds(Faults):
    rates = (1.0, 1.01, 0.9995)


Faults.TestCase.settings = FaultsAtDifferentSpeeds.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestOneOwner = Faults.TestCase
TestOneOwnerAtDifferentSpeeds = FaultsAtDifferentSpeeds.TestCase
