"""Decisions of membership, with clocks set by hand: who is there, who owns what, and who may answer."""

from collections import Counter
from types import SimpleNamespace

import pytest

from cluster.beats import Beat, Facts, Load, NodeState, Timing, disagreement
from cluster.echoes import OUTSTANDING_LIMIT
from cluster.membership import GONE_MEMORY_SECONDS, Membership
from tests.cluster.world import RULES, World

GONE_SECONDS = Timing().node_gone_seconds


@pytest.fixture
def world() -> World:
    world = World()
    world.screenings = (1, 2, 3, 4)
    return world


class TestJoining:
    def test_a_node_alone_serves_soon(self, world: World) -> None:
        node = world.join()
        assert (node.state, node.membership.owner_of(1), node.answers) == (NodeState.JOINING, None, False)
        world.run(1.0)
        assert (node.state, node.membership.owner_of(1), node.answers) == (NodeState.SERVING, node.mark, True)

    def test_all_nodes_see_the_same_members_and_owners(self, world: World) -> None:
        nodes = world.serving(3)
        for node in nodes:
            assert node.seen() == dict.fromkeys((other.mark for other in nodes), "serving")
            for key in range(100):
                assert node.membership.owner_of(key) == nodes[0].membership.owner_of(key)
                assert node.membership.node_of(f"user:{key}") == nodes[0].membership.node_of(f"user:{key}")

    def test_a_node_does_not_serve_before_the_others_have_answered(self, world: World) -> None:
        (first,) = world.serving(1)
        first.paused = True
        second = world.join()
        first.slow_up = True
        world.run(0.5)
        first.say(first.membership.beat())
        world.carry(first)
        world.run(1.0)
        assert second.state is NodeState.JOINING
        first.paused = first.slow_up = False
        world.run(1.5)
        assert second.state is NodeState.SERVING

    def test_every_change_is_told_with_the_members_before_and_after(self, world: World) -> None:
        (first,) = world.serving(1)
        changes = []
        first.membership.on_change(lambda before, after: changes.append((before, after)))
        second = world.join()
        world.run(1.5)
        assert [after.states.get(second.mark) for _, after in changes] == ["joining", "serving"]
        assert [after.version - before.version for before, after in changes] == [1, 1]
        assert first.membership.version == changes[-1][1].version
        assert changes[0][0].ring is changes[0][1].ring

    @pytest.mark.parametrize(
        ("rules", "message"),
        [
            ({"FRONTROW_HOLD_SECONDS": 9.0}, "FRONTROW_HOLD_SECONDS is 9.0 here, but 300.0 on node first"),
            ({"FRONTROW_JWT_SECRET": ["bbbb"]}, "FRONTROW_JWT_SECRET is not the one of node first"),
            ({"FRONTROW_JWT_SECRET": []}, "FRONTROW_JWT_SECRET is not the one of node first"),
        ],
    )
    def test_a_node_with_other_settings_is_refused(self, world: World, rules: dict, message: str) -> None:
        world.serving(1, name="first")
        stranger = world.join(rules={**RULES, **rules})
        world.run(5.0)
        assert stranger.membership.refusal.startswith(message)
        assert (stranger.state, stranger.answers) == (NodeState.JOINING, False)

    def test_secrets_can_be_changed_one_node_after_the_other(self) -> None:
        """First the new secret is accepted everywhere, then it is used."""
        other = Facts("1", "a", "h:1", "h", "1", 1, 0.0)
        for here, there in ((["old", "new"], ["old"]), (["new", "old"], ["old", "new"])):
            assert disagreement({"KEY": here}, {"KEY": there}, other) is None
            assert disagreement({"KEY": there}, {"KEY": here}, other) is None
        assert disagreement({"KEY": ["new", "old"]}, {"KEY": ["old"]}, other)

    def test_a_setting_that_one_release_does_not_know_is_not_compared(self, world: World) -> None:
        world.serving(1)
        newer = world.join(rules={**RULES, "FRONTROW_NEW": 1})
        world.run(1.0)
        assert newer.state is NodeState.SERVING


class TestNames:
    def test_the_second_node_of_a_name_is_refused(self, world: World) -> None:
        (first,) = world.serving(1, name="box")
        second = world.join("box")
        world.run(1.0)
        assert "is also named box; give each node a FRONTROW_NODE_NAME" in second.membership.refusal
        assert (first.state, first.membership.refusal) == (NodeState.SERVING, None)

    def test_of_two_that_start_at_once_one_serves(self, world: World) -> None:
        nodes = [world.join("box", started_at=1.0), world.join("box", started_at=1.0)]
        world.run(2.0)
        assert [node.state for node in nodes] == [NodeState.SERVING, NodeState.JOINING]

    @pytest.mark.parametrize("end", ["crash", "leave", "drain"])
    def test_a_node_may_start_again_under_its_name(self, world: World, end: str) -> None:
        (first,) = world.serving(1, name="box")
        {"crash": lambda: world.crash(first), "leave": first.leave, "drain": first.membership.drain}[end]()
        world.run(0.1)
        second = world.join("box")
        world.run(1.0)
        assert second.state is NodeState.SERVING


class TestLeaving:
    def test_a_goodbye_is_known_at_once(self, world: World) -> None:
        first, second = world.serving(2)
        second.leave()
        world.run(0.2)
        assert first.seen()[second.mark] == "gone"
        assert first.membership.owner_of(1) == first.mark
        assert first.membership.may_take(second.mark)
        assert first.membership.may_answer(second.mark, first.now())

    def test_a_silent_node_is_gone_after_its_time(self, world: World) -> None:
        first, second = world.serving(2)
        world.run(3.0)
        world.crash(second)
        world.run(GONE_SECONDS - 1.1)
        assert first.seen()[second.mark] == "serving"
        assert not first.membership.may_take(second.mark)
        world.run(1.5)
        assert first.seen()[second.mark] == "gone"
        assert first.membership.may_take(second.mark)

    def test_a_node_that_was_never_heard_is_gone_after_the_same_time(self, world: World) -> None:
        """The node may own screenings, be paused right now, and go on."""
        (node,) = world.serving(1)
        assert not node.membership.may_take("unheard")
        world.run(GONE_SECONDS + 1.0)
        assert node.membership.may_take("unheard")

    def test_a_draining_node_owns_nothing_new_but_answers(self, world: World) -> None:
        first, second = world.serving(2)
        second.membership.drain()
        world.run(0.4)
        assert first.seen()[second.mark] == second.seen()[second.mark] == "draining"
        assert {first.membership.owner_of(key) for key in range(100)} == {first.mark}
        assert second.answers
        world.run(5.0)
        assert second.answers

    def test_late_beats_do_not_bring_a_node_back(self, world: World) -> None:
        first, second = world.serving(2)
        late = second.membership.beat()
        later = second.membership.beat()
        second.leave()
        world.run(0.2)
        first.membership.heard(late)
        assert first.seen()[second.mark] == "gone"
        third = world.join()
        world.run(1.0)
        overtaken = third.membership.beat()
        world.crash(third)
        world.run(GONE_SECONDS + 1.5)
        for beat in (later, overtaken, third.membership.beat()):
            first.membership.heard(beat)
        assert first.seen()[third.mark] == "gone"

    def test_a_beat_that_was_overtaken_changes_nothing(self, world: World) -> None:
        first, second = world.serving(2)
        before = second.membership.beat()
        second.membership.drain()
        first.membership.heard(second.membership.beat())
        first.membership.heard(before)
        assert first.seen()[second.mark] == "draining"

    def test_nodes_that_are_gone_are_forgotten(self, world: World) -> None:
        first, second = world.serving(2)
        second.leave()
        world.run(1.0)
        assert [str(beat.state) for beat in first.membership.table()] == ["serving", "gone"]
        world.run(GONE_MEMORY_SECONDS)
        assert [beat.facts.mark for beat in first.membership.table()] == [first.mark]


class TestPauses:
    def test_a_paused_node_answers_only_after_asking_what_it_owns(self, world: World) -> None:
        first, second = world.serving(2)
        world.run(5.0)
        lost = next(key for key in world.screenings if world.owner(key) is second)
        second.paused = True
        world.run(GONE_SECONDS + 2.0)
        assert world.owner(lost) is first
        world.postgres_slow, second.paused = True, False
        world.run(0.5)
        assert not second.answers, "its beats come back, but PostgreSQL has not answered"
        assert lost in second.owned
        world.postgres_slow = False
        world.run(1.0)
        assert second.answers
        assert world.rows[lost][1] == (second.mark if world.owner(lost) is second else first.mark)

    def test_a_pause_within_the_lease_costs_nothing(self, world: World) -> None:
        first, second = world.serving(2)
        world.run(5.0)
        owned = dict(second.owned)
        second.paused = True
        world.run(1.5)
        second.paused = False
        world.run(0.1)
        assert second.answers and second.owned == owned
        assert first.seen()[second.mark] == "serving"

    def test_a_paused_node_does_not_think_that_the_others_are_gone(self, world: World) -> None:
        first, second = world.serving(2)
        second.paused = True
        world.run(20.0)
        changes = []
        second.membership.on_change(lambda before, after: changes.append(after.states[first.mark]))
        second.paused = False
        second.tick()
        assert not second.membership.may_take(first.mark)
        world.run(1.0)
        assert set(changes) <= {NodeState.SERVING}

    def test_a_node_that_is_back_serves_again(self, world: World) -> None:
        first, second = world.serving(2)
        second.paused = True
        world.run(10.0)
        assert first.seen()[second.mark] == "gone"
        second.paused = False
        world.run(1.0)
        assert first.seen()[second.mark] == second.seen()[second.mark] == "serving"

    def test_nobody_takes_the_place_of_a_gone_node_before_its_lease_has_ended(self, world: World) -> None:
        first, second = world.serving(2)
        world.run(5.0)
        world.crash(second)
        until = second.membership.lease_until
        while not first.membership.may_take(second.mark):
            world.run(0.1)
        assert first.now() > until


class TestLosingNats:
    def test_a_node_that_is_cut_off_takes_nothing_over(self, world: World) -> None:
        first, second = world.serving(2)
        world.cut(first)
        for _ in range(20):
            world.run(0.5)
            assert not first.membership.may_take(second.mark)
        assert first.seen()[second.mark] == "serving"

    def test_it_goes_on_while_postgres_confirms(self, world: World) -> None:
        (node,) = world.serving(1)
        world.run(5.0)
        world.cut(node)
        for _ in range(60):
            world.run(0.5)
            assert node.answers
        node.postgres = False
        world.run(1.0)
        assert not node.answers

    def test_it_stops_if_postgres_does_not_confirm(self, world: World) -> None:
        (node,) = world.serving(1)
        node.postgres = False
        world.run(10.0)
        assert node.answers, "while NATS carries its beats, the lease needs no database"
        world.cut(node)
        world.run(GONE_SECONDS)
        assert not node.answers

    def test_it_has_not_heard_what_was_lost_meanwhile(self, world: World) -> None:
        """The others may have been heard by everybody but this node."""
        first, second = world.serving(2)
        world.run(2.0)
        world.cut(first)
        world.run(GONE_SECONDS + 1.0)
        world.restore(first)
        second.slow_up = True
        world.run(GONE_SECONDS - 0.5)
        assert not first.membership.may_take(second.mark)
        world.run(1.5)
        assert first.membership.may_take(second.mark)

    def test_a_lost_beat_of_its_own_shows_a_loss(self, world: World) -> None:
        first, second = world.serving(2)
        world.run(2.0)
        world.crash(second)
        world.run(GONE_SECONDS - 1.0)
        first.membership.beat()
        world.run(1.5)
        assert first.seen()[second.mark] == "serving"
        world.run(GONE_SECONDS)
        assert first.seen()[second.mark] == "gone"

    def test_a_short_loss_between_two_beats_counts_too(self, world: World) -> None:
        """A beat of another node may have been lost, although none of its own was."""
        first, second = world.serving(2)
        world.run(2.0)
        world.crash(second)
        world.run(GONE_SECONDS - 1.0)
        while first.up or first.down:
            world.run(0.1)
        world.cut(first)
        world.restore(first)
        world.run(1.7)
        assert first.seen()[second.mark] == "serving"
        world.run(GONE_SECONDS)
        assert first.seen()[second.mark] == "gone"

    def test_all_go_on_when_nats_has_been_away(self, world: World) -> None:
        nodes = world.serving(3)
        world.run(5.0)
        owners = [world.owner(key) for key in world.screenings]
        versions = [node.membership.version for node in nodes]
        for node in nodes:
            world.cut(node)
        world.run(60.0)
        for node in nodes:
            world.restore(node)
        world.run(3.0)
        assert [world.owner(key) for key in world.screenings] == owners
        assert [node.membership.version for node in nodes] == versions

    def test_one_that_sees_others_and_is_not_seen_asks_before_it_answers(self, world: World) -> None:
        """Beats of the second no longer reach the first, although they come back to the second."""
        first, second = world.serving(2)
        world.run(5.0)
        for _ in range(80):
            world.now += 0.1
            world.turn()
            first.down = type(first.down)(
                beat for beat in first.down if beat and beat.facts.mark == first.mark
            )
            if first.seen()[second.mark] == "gone":
                break
        assert first.seen()[second.mark] == "gone"
        world.postgres_slow = True
        world.run(0.2)
        assert not second.answers
        assert second.state is NodeState.JOINING


class TestLease:
    def test_is_told_whenever_it_changes(self, world: World) -> None:
        (node,) = world.serving(1)
        told: list[float] = []
        node.membership.on_lease(told.append)
        world.run(2.0)
        assert told == pytest.approx([2.7, 2.7], abs=0.2)
        node.leave()
        assert told[-1] <= 0

    def test_counts_from_the_sending_of_a_beat(self) -> None:
        """Not from its return, which may be much later."""
        clock = SimpleNamespace(now=100.0)
        facts = Facts("1", "a", "h:1", "h", "1", 1, 0.0)
        node = Membership(facts, RULES, Timing(), lambda: clock.now, Load)
        sent = []
        for clock.now in (100.0, 101.0):
            sent.append(node.beat())
            node.heard(sent[-1])
        assert node.wants_confirmation
        node.confirmed(clock.now)
        assert node.lease_until == pytest.approx(101.0 + 2.7)
        beat, clock.now = node.beat(), 102.5
        node.heard(beat)
        assert node.lease_until == pytest.approx(101.0 + 2.7)
        node.heard(sent[0])
        assert node.lease_until == pytest.approx(101.0 + 2.7)

    def test_is_confirmed_again_if_it_has_expired_where_it_is_obeyed(self, world: World) -> None:
        (node,) = world.serving(1)
        node.membership.lapsed()
        assert node.membership.wants_confirmation
        world.run(2.0)
        assert not node.membership.wants_confirmation
        assert node.answers

    def test_an_answer_of_postgres_is_worth_the_beats_that_came_back_meanwhile(self, world: World) -> None:
        (node,) = world.serving(1)
        asked_at = node.now()
        world.run(2.0)
        assert node.membership.lease_seconds(asked_at) == pytest.approx(
            node.membership.lease_until - node.now()
        )
        node.membership.lapsed()
        left = node.membership.lease_seconds(asked_at)
        assert left < 0


class TestLimits:
    def test_two_hundred_nodes(self, world: World) -> None:
        (node,) = world.serving(1)
        others = [Facts(f"n{number}", f"n{number}", "h:1", "h", "1", 1, 0.0) for number in range(199)]
        for facts in others:
            assert node.membership.heard(Beat(facts, 1, NodeState.SERVING))
        shares = Counter(node.membership.owner_of(screening) for screening in range(4000))
        assert len(shares) == 200 and max(shares.values()) < 50
        for facts in others[100:]:
            node.membership.heard(Beat(facts, 2, NodeState.GONE))
        assert len({node.membership.owner_of(screening) for screening in range(4000)}) == 101
        world.run(GONE_SECONDS + 1.5)
        assert {node.membership.owner_of(screening) for screening in range(100)} == {node.mark}

    def test_beats_that_do_not_come_back_are_forgotten(self, world: World) -> None:
        (node,) = world.serving(1)
        first = node.membership.beat()
        for _ in range(OUTSTANDING_LIMIT):
            node.membership.beat()
        before = node.membership.lease_until
        world.now += 1.0
        node.membership.heard(first)
        assert node.membership.lease_until == before


class TestBeats:
    BEAT = Beat(
        Facts("1", "a", "h:1", "h", "1.0", 1, 5.0),
        7,
        NodeState.DRAINING,
        Load(1, 2, 0.5),
        ("2",),
        {"KEY": ["x"]},
    )

    def test_travel_as_plain_values(self) -> None:
        assert Beat.parsed(self.BEAT.plain()) == self.BEAT

    def test_of_a_newer_release_are_understood(self) -> None:
        plain = self.BEAT.plain()
        plain[0].append("new")
        plain[3].append("new")
        assert Beat.parsed([*plain, "new"]) == self.BEAT

    def test_of_an_older_release_are_understood(self) -> None:
        older = Beat.parsed(self.BEAT.plain()[:3])
        assert (older.load, older.silent, older.rules) == (Load(), (), None)
