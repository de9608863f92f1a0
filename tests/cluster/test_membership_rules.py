"""The rules of membership for a single node, to the second: the test carries its beats and sets its clock.

`test_membership.py` shows what the rules achieve in a cluster.
"""

from math import inf

import pytest

from cluster.beats import Beat, Facts, Load, NodeState, Rules, Timing
from cluster.membership import GONE_MEMORY_SECONDS, Membership
from tests.cluster.world import RULES

TIMING = Timing(node_heartbeat_seconds=10.0, node_gone_seconds=30.0)
"""Whole seconds: 3 to settle, a lease of 27, 9 for each answer of PostgreSQL, 10 to wait after a takeover."""

JOINING, SERVING, DRAINING, GONE = NodeState


class Subject:
    """The node `me`, which begins at 100 s."""

    def __init__(self) -> None:
        self.now = 100.0
        facts = Facts("me", "box", "here:1", "host", "1", 1, 50.0)
        self.node = Membership(facts, RULES, TIMING, lambda: self.now, Load)

    @property
    def seen(self) -> dict[str, str]:
        return {mark: str(state) for mark, state in self.node.view.states.items()}

    def beat(self, *, at: float) -> Beat:
        """Send a beat that comes back at once."""
        self.now = at
        sent = self.node.beat()
        self.node.heard(sent)
        return sent

    def hear(
        self,
        mark: str,
        number: int = 1,
        state: NodeState = SERVING,
        *,
        at: float | None = None,
        silent: tuple[str, ...] = (),
        rules: Rules | None = None,
        name: str = "",
        started_at: float = 0.0,
    ) -> bool:
        """Hear another node. Returns whether it gets a reply."""
        self.now = self.now if at is None else at
        facts = Facts(mark, name or mark, "there:1", "host", "1", 1, started_at)
        return self.node.heard(Beat(facts, number, state, Load(), silent, rules))

    def serve(self) -> None:
        """Serve from 103 s on."""
        self.beat(at=100.0)
        self.beat(at=103.0)
        self.node.confirmed(103.0)
        assert self.node.state is SERVING
        self.beat(at=103.0)


@pytest.fixture
def me() -> Subject:
    return Subject()


@pytest.fixture
def serving(me: Subject) -> Subject:
    me.serve()
    return me


# Beats


def test_a_new_node_announces_itself_at_once(me: Subject) -> None:
    told: list[bool] = []
    me.node.on_change(lambda before, after: told.append(before.version + 1 == after.version))
    assert (me.node.version, me.seen, me.node.view.ring.nodes) == (0, {"me": "joining"}, ())
    assert me.node.lease_until == -inf
    assert me.node.urgent and me.node.tick()
    first = me.node.beat()
    assert (first.number, first.state, first.rules) == (1, JOINING, RULES)
    assert not me.node.urgent and not me.node.tick()
    assert me.node.reply() == first
    assert me.node.beat().number == 2
    me.node.drain()
    assert told == [True]


def test_rules_are_only_sent_by_joining_nodes_and_in_replies(serving: Subject) -> None:
    assert serving.node.beat().rules is None
    assert serving.node.reply().rules == RULES
    assert serving.node.version == 1


def test_beats_are_sent_at_intervals(me: Subject) -> None:
    me.beat(at=100.0)
    for me.now, due in ((102.5, False), (103.0, True)):
        assert me.node.tick() is due, "a joining node beats each time it could have settled"
    me.serve()
    for me.now, due in ((112.5, False), (113.0, True)):
        assert me.node.tick() is due
    me.node.lapsed()
    me.hear("other", silent=("me",))
    me.node.beat()
    assert me.node.state is JOINING
    for me.now, due in ((122.5, False), (123.0, True)):
        assert me.node.tick() is due, "one that has served before keeps its pace"


def test_an_extra_beat_is_due_when_another_node_could_be_gone(serving: Subject) -> None:
    serving.hear("other", at=103.5)
    serving.beat(at=124.0)
    for serving.now, due in ((133.0, False), (133.5, True)):
        assert serving.node.tick() is due
    serving.node.beat()
    assert not serving.node.tick(), "it is on its way"
    serving.hear("other", 2, GONE)
    serving.beat(at=134.0)
    serving.now = 143.5
    assert not serving.node.tick()


def test_an_extra_beat_waits_as_long_after_the_node_could_not_hear(serving: Subject) -> None:
    serving.hear("other")
    serving.node.interrupted()
    serving.beat(at=106.0)
    for at in (115.0, 130.0):
        serving.beat(at=at)
    for serving.now, due in ((133.0, False), (135.5, False), (136.0, True)):
        assert serving.node.tick() is due


# Joining


def test_a_node_has_settled_when_all_others_must_have_answered(me: Subject) -> None:
    me.beat(at=100.0)
    me.beat(at=102.5)
    assert not me.node.wants_confirmation
    me.beat(at=103.0)
    assert me.node.wants_confirmation


@pytest.mark.parametrize(
    ("state", "rules", "settled"),
    [
        (SERVING, None, False),
        (JOINING, None, False),
        (SERVING, RULES, True),
        (DRAINING, None, True),
        (GONE, None, True),
    ],
)
def test_only_nodes_whose_rules_are_known_may_serve_together(
    me: Subject, state: NodeState, rules: Rules | None, settled: bool
) -> None:
    me.beat(at=100.0)
    me.hear("other", 1, state, rules=rules)
    me.beat(at=103.0)
    assert me.node.wants_confirmation is settled


def test_a_node_that_serves_does_not_wait_for_the_rules_of_others(serving: Subject) -> None:
    serving.hear("other", 1, JOINING)
    assert not serving.node.wants_confirmation
    serving.now = 104.0
    serving.node.lapsed()
    assert serving.node.wants_confirmation


def test_a_node_serves_once_postgres_has_answered_a_question_of_now(me: Subject) -> None:
    me.beat(at=100.0)
    me.beat(at=103.0)
    me.node.confirmed(99.5)
    assert (me.node.state, me.node.lease_until) == (JOINING, 108.5)
    me.node.confirmed(100.0)
    assert (me.node.state, me.node.urgent, me.node.lease_until) == (SERVING, True, 130.0)
    assert me.node.view.ring.nodes == ("me",)
    me.node.beat()
    me.node.confirmed(103.0)
    assert not me.node.urgent, "nothing new to tell"
    assert not me.node.wants_confirmation
    assert not me.node.heard(Beat(me.node.facts, 1, JOINING))


# Refusals


def test_a_refused_node_keeps_quiet(me: Subject) -> None:
    me.beat(at=100.0)
    me.hear("other", rules={**RULES, "FRONTROW_HOLD_SECONDS": 1.0})
    refusal = me.node.refusal
    assert refusal is not None and "FRONTROW_HOLD_SECONDS" in refusal
    me.hear("third", rules={**RULES, "FRONTROW_HOLD_SECONDS": 2.0})
    assert me.node.refusal == refusal, "the first reason stays"
    me.beat(at=103.0)
    assert not (me.node.wants_confirmation or me.node.urgent)
    me.node.confirmed(103.0)
    assert (me.node.state, me.node.lease_until) == (JOINING, -inf)
    me.now = 120.0
    assert not me.node.tick()


@pytest.mark.parametrize(
    ("mark", "name", "state", "started_at", "refused"),
    [
        ("zz", "box", SERVING, 99.0, True),
        ("zz", "box", JOINING, 49.0, True),
        ("aa", "box", JOINING, 50.0, True),
        ("zz", "box", JOINING, 50.0, False),
        ("aa", "box", JOINING, 51.0, False),
        ("aa", "box", DRAINING, 49.0, False),
        ("aa", "box", GONE, 49.0, False),
        ("aa", "other", SERVING, 49.0, False),
    ],
)
def test_of_two_nodes_with_one_name_the_older_stays(
    me: Subject, mark: str, name: str, state: NodeState, started_at: float, refused: bool
) -> None:
    me.hear(mark, 1, state, name=name, started_at=started_at)
    assert bool(me.node.refusal) is refused


def test_a_name_is_also_compared_after_the_rules_were(me: Subject) -> None:
    me.hear("other", 1, JOINING, name="box", started_at=60.0, rules=RULES)
    assert me.node.refusal is None
    me.hear("other", 2, SERVING, name="box", started_at=60.0)
    assert me.node.refusal is not None


def test_a_node_that_serves_warns_once_of_one_that_does_not_fit(
    serving: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {**RULES, "FRONTROW_HOLD_SECONDS": 1.0}
    serving.hear("other", 1, JOINING, name="box")
    assert not caplog.messages
    serving.hear("other", 2, JOINING, rules=wrong)
    serving.hear("other", 3, JOINING, rules=wrong)
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "a node that should not be in this cluster"
    ]
    assert (serving.node.refusal, serving.node.state) == (None, SERVING)


# Others


def test_who_gets_a_reply(serving: Subject) -> None:
    assert serving.hear("other", 1, SERVING)
    assert not serving.hear("other", 2, SERVING)
    assert serving.hear("third", 1, JOINING)
    assert serving.hear("third", 2, JOINING)
    assert not serving.hear("other", 3, GONE)
    assert not serving.hear("fourth", 1, GONE)
    serving.beat(at=140.0)
    assert serving.seen["third"] == "gone"
    assert serving.hear("third", 3, SERVING), "it does not know that it was considered gone"
    assert serving.seen["third"] == "gone"
    serving.hear("fifth", 1, SERVING, silent=("me",))
    assert serving.node.state is JOINING
    assert not serving.hear("sixth", 1, JOINING), "a joining node beats anyway"


def test_the_table_shows_others_as_they_are_seen_here(serving: Subject) -> None:
    serving.hear("b", name="z")
    serving.hear("a", name="z", rules=RULES)
    serving.hear("c", name="a")
    serving.beat(at=133.0)
    rows = [(beat.facts.mark, str(beat.state), beat.rules) for beat in serving.node.table()]
    assert rows == [("c", "gone", None), ("me", "serving", None), ("a", "gone", None), ("b", "gone", None)]
    assert serving.node.label("me") == serving.node.label("unknown").replace("unknown", "me") == "box (me)"
    assert serving.node.label("a") == "z (a)"


def test_the_number_of_nodes_is_limited(serving: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.membership.NODES_LIMIT", 2)
    assert serving.hear("a") and serving.hear("b")
    assert not serving.hear("c")
    assert set(serving.seen) == {"me", "a", "b"}
    serving.hear("a", 2, DRAINING)
    assert serving.seen["a"] == "draining"


def test_a_beat_that_was_overtaken_is_ignored_and_a_reply_is_not(serving: Subject) -> None:
    serving.hear("other", 5)
    assert not serving.hear("other", 4, DRAINING, at=110.0), "it needs no reply either"
    assert serving.seen["other"] == "serving"
    serving.beat(at=133.0)
    assert serving.seen["other"] == "gone"
    serving.hear("third", 5, at=133.0)
    serving.hear("third", 5, DRAINING, at=140.0)
    assert serving.seen["third"] == "draining"
    serving.beat(at=169.5)
    assert serving.seen["third"] == "draining"


def test_a_silent_node_is_gone_after_its_time_and_may_join_again(serving: Subject) -> None:
    serving.hear("other", 1)
    serving.beat(at=132.5)
    assert (serving.seen["other"], serving.node.urgent) == ("serving", False)
    before = serving.node.view
    serving.beat(at=133.0)
    assert serving.seen["other"] == "gone"
    assert serving.node.urgent and serving.node.reply().silent == ("other",), "it is told"
    assert serving.node.view.version == before.version + 1
    assert serving.node.view.ring.nodes == ("me",)
    serving.hear("other", 2, SERVING)
    assert serving.seen["other"] == "gone"
    serving.hear("other", 3, JOINING)
    assert (serving.seen["other"], serving.node.reply().silent) == ("joining", ())
    assert serving.hear("other", 4, GONE) is False
    assert (serving.seen["other"], serving.node.reply().silent) == ("gone", ()), "it said so itself"
    assert not serving.hear("other", 5, JOINING), "nobody is there to read a reply"
    assert serving.seen["other"] == "gone"


def test_a_node_that_is_gone_is_forgotten_after_its_time(serving: Subject) -> None:
    serving.hear("other", 1, GONE)
    serving.beat(at=103.0 + GONE_MEMORY_SECONDS - 0.5)
    assert serving.seen["other"] == "gone"
    serving.beat(at=103.0 + GONE_MEMORY_SECONDS)
    assert "other" not in serving.seen


# Taking over


def test_a_screening_is_taken_without_asking_only_from_a_node_that_is_gone(serving: Subject) -> None:
    assert serving.node.may_take("me")
    serving.hear("other", 1)
    serving.hear("third", 1, GONE)
    assert [serving.node.may_take(mark) for mark in ("other", "third", "unheard")] == [False, True, False]
    serving.beat(at=129.5)
    assert [serving.node.may_take(mark) for mark in ("other", "unheard")] == [False, False]
    serving.beat(at=130.0)
    assert [serving.node.may_take(mark) for mark in ("other", "unheard")] == [False, True]
    serving.beat(at=133.0)
    assert serving.node.may_take("other")
    for serving.now, may in ((159.5, True), (160.0, False)):
        assert serving.node.may_take("other") is may, "without NATS nobody is known to be gone"
        assert serving.node.may_take("third") is may
    assert serving.node.may_take("me")
    serving.beat(at=161.0)
    assert serving.node.may_take("other")
    serving.node.leave()
    assert not serving.node.may_take("other") and not serving.node.may_take("third")


def test_a_node_waits_before_it_answers_for_what_it_took_without_asking(serving: Subject) -> None:
    serving.hear("third", 1, GONE)
    serving.hear("other", 1)
    assert serving.node.may_answer("me", 103.0) and serving.node.may_answer("third", 103.0)
    assert not serving.node.may_answer("other", 103.0)
    serving.beat(at=133.0)
    for serving.now, may in ((142.5, False), (143.0, True)):
        assert serving.node.may_answer("other", 133.0) is may
    assert not serving.node.may_answer("other", 133.5), "nothing is known of the time since"
    serving.beat(at=144.0)
    assert not serving.node.may_answer("other", 134.5)
    assert serving.node.may_answer("unheard", 134.0)
    serving.hear("other", 2, JOINING)
    assert not serving.node.may_answer("other", 133.0)


# The lease


def test_the_lease_follows_the_beats(serving: Subject) -> None:
    told: list[tuple[float, float]] = []
    serving.node.on_lease(lambda seconds: told.append((serving.now, seconds)))
    assert serving.node.lease_until == 130.0
    serving.node.tick()
    sent = serving.node.beat()
    serving.now = 110.0
    serving.node.heard(sent)
    assert serving.node.lease_until == 130.0, "it counts from when the beat was sent"
    serving.beat(at=111.0)
    serving.node.leave()
    assert told == [(111.0, 27.0), (111.0, -inf)]
    assert serving.node.state is GONE
    assert not (serving.node.tick() or serving.node.urgent or serving.node.wants_confirmation)
    assert serving.seen == {"me": "gone"}


def test_each_answer_of_postgres_is_worth_a_short_lease(serving: Subject) -> None:
    for serving.now, wants in ((118.0, False), (118.5, True)):
        assert serving.node.wants_confirmation is wants, "its beats do not come back"
    serving.node.confirmed(125.0)
    assert (serving.node.lease_until, serving.node.lease_seconds(110.0)) == (134.0, 130.0 - 118.5)
    serving.node.confirmed(124.0)
    assert serving.node.lease_until == 134.0


def test_a_lease_that_lapsed_is_confirmed_before_beats_count_again(serving: Subject) -> None:
    serving.beat(at=130.0)
    assert serving.node.wants_confirmation, "the others could have taken over at this time"
    assert serving.node.lease_until == 112.0
    serving.node.confirmed(129.5)
    assert serving.node.lease_until == 138.5
    serving.node.confirmed(130.0)
    assert (serving.node.lease_until, serving.node.wants_confirmation) == (157.0, False)
    serving.now = 131.0
    serving.node.lapsed()
    assert serving.node.lease_seconds(130.5) == 8.5
    assert serving.node.lease_seconds(131.0) == 26.0


def test_a_node_that_postgres_does_not_confirm_lets_others_serve(serving: Subject) -> None:
    serving.beat(at=113.0)
    serving.node.lapsed()
    serving.node.tick()
    assert serving.node.lease_until == 112.0
    for at in (125.0, 140.0):
        serving.beat(at=at)
    for serving.now, state in ((141.5, SERVING), (142.0, JOINING)):
        assert serving.node.tick() is (state is JOINING)
        assert (serving.node.state, serving.node.urgent) == (state, state is JOINING)


def test_a_node_without_nats_does_not_step_down(serving: Subject) -> None:
    serving.now = 200.0
    serving.node.tick()
    assert serving.node.state is SERVING


def test_a_node_that_was_not_heard_begins_anew(serving: Subject, caplog: pytest.LogCaptureFixture) -> None:
    serving.hear("other", 1, SERVING, at=104.0, silent=("me", "third"))
    assert (serving.node.state, serving.node.urgent, serving.node.lease_until) == (JOINING, True, 112.0)
    assert len(caplog.messages) == 1
    serving.node.beat()
    serving.node.confirmed(104.0)
    assert serving.node.state is SERVING
    serving.hear("other", 2, SERVING, at=105.0, silent=("me",))
    assert serving.node.state is SERVING, "it may only be deaf, and keep saying so"
    assert serving.node.wants_confirmation and serving.node.lease_until == 113.0
    serving.hear("other", 2, SERVING, at=106.0, silent=("me",))
    assert serving.node.state is JOINING, "a reply: the other one hears this node, and waits for it to join"
    serving.hear("other", 3, SERVING, at=107.0)
    serving.node.confirmed(107.0)
    serving.hear("other", 4, SERVING, at=108.0, silent=("me",))
    assert serving.node.state is JOINING, "it was heard in between"
    assert len(caplog.messages) == 3


def test_a_draining_node_answers_but_owns_nothing_new(serving: Subject) -> None:
    serving.node.drain()
    assert (serving.node.state, serving.node.urgent, serving.node.lease_until) == (DRAINING, True, 130.0)
    assert (serving.seen, serving.node.view.ring.nodes) == ({"me": "draining"}, ())
    assert serving.node.owner_of(1) is None
    last = serving.node.leave()
    assert (last.state, last.number) == (GONE, 4)
