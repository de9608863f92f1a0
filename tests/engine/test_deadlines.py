"""Deadlines against plain lists, in whatever order they are noted, changed, warned of and popped."""

import random
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines import Deadlines, Lapsing, deadline_of
from engine.events import SeatsHeld
from engine.records import Hold, Ticket, TicketStatus
from tests.engine.conftest import NOW

SECONDS = st.integers(1, 20).map(float)
WARNING_SECONDS = 5.0


def hold(hold_id: int, seconds: float, began: float = 0.0) -> Hold:
    return Hold(hold_id, hold_id, 1, hold_id, "user:7", NOW + began, NOW + seconds)


class PlainDeadlines:
    """Plain model of `Deadlines` that goes through all records each time."""

    def __init__(self, warning_seconds: float) -> None:
        self.warning_seconds = warning_seconds
        self.unwarned: list[Lapsing] = []
        self.warned: list[Lapsing] = []
        self.alarms: dict[str, float] = {}
        self.warned_at = 0.0

    def add(self, record: Hold, known_from: float) -> None:
        is_known = record.expires_at - self.warning_seconds <= known_from
        (self.warned if is_known else self.unwarned).append(record)

    def pop_due(self, now: float) -> list[Lapsing]:
        due = [record for record in self.all() if deadline_of(record) <= now]
        self.keep([record for record in self.all() if deadline_of(record) > now])
        return due

    def take_expiring(self, now: float) -> list[Lapsing]:
        expiring = [one for one in self.unwarned if deadline_of(one) - self.warning_seconds <= now]
        self.unwarned = [one for one in self.unwarned if one not in expiring]
        self.warned += expiring
        self.warned_at = now
        return expiring

    def pop_alarms(self, now: float) -> list[str]:
        due = [name for name, at in self.alarms.items() if at <= now]
        self.alarms = {name: at for name, at in self.alarms.items() if at > now}
        return due

    def keep(self, kept: list[Lapsing]) -> None:
        self.unwarned = [record for record in self.unwarned if record in kept]
        self.warned = [record for record in self.warned if record in kept]

    def all(self) -> list[Lapsing]:
        return self.unwarned + self.warned

    def times(self) -> tuple[float, float, float]:
        alarm_at = min(self.alarms.values(), default=inf)
        earliest = min([alarm_at, *map(deadline_of, self.all())])
        warning_at = min(
            [deadline_of(record) - self.warning_seconds for record in self.unwarned], default=inf
        )
        return alarm_at, earliest, min(earliest, warning_at)


def compare(seed: int) -> None:
    """Do the same to both, in a random order, and compare all that they say."""
    draw = random.Random(seed)
    warning_seconds = draw.choice([0.0, WARNING_SECONDS])
    deadlines, plain = Deadlines(warning_seconds), PlainDeadlines(warning_seconds)
    now = NOW
    for number in range(draw.randint(1, 60)):
        record = hold(number, now - NOW + draw.randint(1, 20), now - NOW)
        match draw.randrange(8):
            case 0 | 1 | 2:
                deadlines.append(record.expires_at, record)
                plain.add(record, record.reserved_at)
            case 3:
                deadlines.insert(record.expires_at, record)
                plain.add(record, record.reserved_at)
            case 4:
                record = record._replace(reserved_at=now - draw.randint(0, 20))
                deadlines.insert_again(record.expires_at, record)
                plain.add(record, max(record.reserved_at, plain.warned_at))
            case 5:
                name, at = draw.choice("ab"), draw.choice([inf, now + draw.randint(1, 20)])
                deadlines.set_alarm(name, at)
                plain.alarms[name] = at
            case 6 | 7:
                now += draw.randint(0, 4)
                assert sorted(deadlines.pop_alarms(now)) == sorted(plain.pop_alarms(now))
                in_order(deadlines.pop_due(now), plain.pop_due(now))
                in_order(deadlines.take_expiring(now), plain.take_expiring(now))
        until = now + draw.randint(0, 20)
        known = [one for one in plain.all() if deadline_of(one) <= until]
        assert sorted(deadlines.up_to(until)) == sorted(known)
        assert (deadlines.alarm_at, deadlines.earliest, deadlines.next_at) == plain.times()
        assert len(deadlines) == len(plain.all())


def in_order(found: list[Lapsing], expected: list[Lapsing]) -> None:
    """Check that records are those that are expected, the earliest deadline first."""
    assert set(found) == set(expected)
    assert [deadline_of(record) for record in found] == sorted(map(deadline_of, expected))


def test_they_are_as_plain_lists() -> None:
    for seed in range(300):
        compare(seed)


@given(noted=st.lists(st.tuples(SECONDS, st.booleans())), moments=st.lists(SECONDS).map(sorted))
def test_everything_comes_up_once_and_in_order(noted: list[tuple[float, bool]], moments: list[float]) -> None:
    deadlines = Deadlines()
    holds = [hold(number, seconds) for number, (seconds, _) in enumerate(noted)]
    for record, (_, in_turn) in zip(holds, noted, strict=True):
        (deadlines.append if in_turn else deadlines.insert)(record.expires_at, record)
    waiting = sorted(holds, key=lambda record: record.expires_at)
    for seconds in (*moments, 20.0):
        assert deadlines.earliest == (waiting[0].expires_at if waiting else float("inf"))
        due = [record for record in waiting if record.expires_at <= NOW + seconds]
        popped = deadlines.pop_due(NOW + seconds)
        assert [record.expires_at for record in popped] == [record.expires_at for record in due]
        assert set(popped) == set(due)
        waiting = waiting[len(due) :]
    assert len(deadlines) == 0


def test_stale_ones_are_dropped_wherever_they_wait_and_live_ones_are_not() -> None:
    draw = random.Random(1)
    deadlines = Deadlines(WARNING_SECONDS)
    holds = [hold(number, draw.randint(10, 1000)) for number in range(1000)]
    for number, record in enumerate(sorted(holds[:500])):
        deadlines.append(record.expires_at + 1000, record._replace(expires_at=record.expires_at + 1000))
        deadlines.insert(holds[500 + number].expires_at, holds[500 + number])
    deadlines.take_expiring(NOW + 500)
    live = set(holds[500::5])
    deadlines.keep_bounded(len(live), live.__contains__)
    assert len(deadlines) == len(live)
    for seconds in range(10, 1001):
        due = {record for record in live if record.expires_at == NOW + seconds}
        later = [record.expires_at for record in live if record.expires_at >= NOW + seconds]
        assert deadlines.earliest == min(later, default=inf)
        assert set(deadlines.pop_due(NOW + seconds)) == due


def test_stale_ones_are_dropped_when_they_are_by_far_the_most() -> None:
    deadlines = Deadlines()
    holds = [hold(number, 100.0) for number in range(69)]
    live = set(holds[:2])
    for record in holds[:68]:
        deadlines.insert(record.expires_at, record)
    deadlines.keep_bounded(len(live), live.__contains__)
    assert len(deadlines) == 68
    deadlines.insert(holds[68].expires_at, holds[68])
    deadlines.keep_bounded(len(live), live.__contains__)
    assert len(deadlines) == 2


def test_records_of_all_kinds_may_lapse_at_the_same_moment() -> None:
    pending = Ticket(1, 1, 1, 1, "user:7", 0, TicketStatus.PENDING, NOW, payment_deadline=NOW + 9)
    held = SeatsHeld(1, 1, 1, NOW, "user:7", 1, (1,), NOW + 9)
    records = [hold(1, 9), held, held._replace(note="a note"), pending]
    deadlines = Deadlines()
    for record in records:
        deadlines.insert(NOW + 9, record)
    assert sorted(map(type, deadlines.pop_due(NOW + 9)), key=str) == sorted(map(type, records), key=str)
    assert deadline_of(pending._replace(payment_deadline=None)) == inf
