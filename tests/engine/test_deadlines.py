"""Deadlines against a sorted list, in whatever order they are noted, changed and popped."""

from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines import Deadlines
from engine.records import Hold
from tests.engine.conftest import NOW

SECONDS = st.integers(1, 20).map(float)


def hold(hold_id: int, seconds: float) -> Hold:
    return Hold(hold_id, hold_id, 1, hold_id, "user:7", NOW, NOW + seconds)


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
    deadlines = Deadlines()
    holds = [hold(number, 100.0 + number) for number in range(1000)]
    for record in holds:
        deadlines.append(record.expires_at, record)
        deadlines.insert(record.expires_at - 50, record._replace(expires_at=record.expires_at - 50))
    live = {holds[700]}
    deadlines.keep_bounded(len(live), live.__contains__)
    assert len(deadlines) == 1
    assert deadlines.earliest == holds[700].expires_at
    assert deadlines.pop_due(NOW + 2000) == [holds[700]]
