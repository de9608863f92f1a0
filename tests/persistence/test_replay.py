"""Rebuilding a screening from its log, event by event."""

import pytest

from engine.state_hash import state_digest
from persistence.replay import LoggedEvent, Replay, StoredHash, StoredSeat

HELD_BY_ADA = StoredSeat(1, "held", "user:1")


def event(
    seq: int, kind: str, before: str, after: str, *seats: int, actor: str = "user:1", **more: object
) -> LoggedEvent:
    return LoggedEvent(1, seq, kind, actor, seats, [before] * len(seats), after, **{"holder": None, **more})


def replayed(*events: LoggedEvent, trimmed: bool = False) -> Replay:
    replay = Replay(trimmed=trimmed)
    for one in events:
        replay.apply(one)
    return replay


def test_whoever_has_a_seat_keeps_it_when_somebody_else_extends_or_confirms() -> None:
    replay = replayed(
        event(1, "seats_held", "available", "held", 1),
        event(2, "holds_extended", "held", "held", 1, actor="system"),
        event(3, "tickets_issued", "available", "pending", 2, actor="user:9", holder="user:2"),
        event(4, "tickets_confirmed", "pending", "booked", 2, actor="service"),
    )
    replay.compare_tables([HELD_BY_ADA, StoredSeat(2, "booked", "user:2")])
    assert replay.difference is None


def test_hashes_are_those_of_the_seats_that_somebody_has() -> None:
    replay = replayed(
        event(1, "seats_held", "available", "held", 1, 2),
        event(2, "holds_released", "held", "available", 2),
    )
    replay.compare_hash(StoredHash(1, 2, 1, state_digest([(1, "held", "user:1")])))
    assert replay.difference is None
    replay.compare_hash(StoredHash(1, 2, 1, state_digest([(1, "held", "user:2")])))
    assert replay.difference is not None


@pytest.mark.parametrize("named", [True, False])
def test_a_seat_that_is_sold_leaves_its_block_with_the_others(named: bool) -> None:
    """Earlier versions did not log that, so what they have written is not judged."""
    block, rest = ({"block_id": 5, "block_seat_ids": [1, 2]}, {"block_id": 5, "block_seat_ids": []})
    replay = replayed(
        event(1, "seats_blocked", "available", "blocked", 1, 2, **(block if named else {})),
        event(2, "tickets_issued", "available", "booked", 1),
        event(3, "seats_unblocked", "blocked", "available", 2, **(rest if named else {})),
        event(4, "tickets_cancelled", "booked", "available", 1),
    )
    replay.compare_tables([])
    assert replay.difference is None
    replay.compare_tables([StoredSeat(1, "blocked", None, 5)])
    assert (replay.difference is not None) == named


def test_a_seat_that_two_rows_have_is_wrong_whichever_is_read_first() -> None:
    held, booked = StoredSeat(1, "held", "user:2"), StoredSeat(1, "booked", "user:1")
    for rows in ([held, booked], [booked, held]):
        replay = replayed(event(1, "tickets_issued", "available", "booked", 1))
        replay.compare_tables(rows)
        assert replay.difference is not None
        assert (replay.difference.found, replay.difference.expected) == ("held", "booked")


def test_of_a_trimmed_log_a_seat_is_judged_from_its_first_event_on() -> None:
    events = (
        event(7, "tickets_confirmed", "pending", "booked", 1),
        event(8, "seats_held", "available", "held", 3),
    )
    replay = replayed(*events, trimmed=True)
    replay.compare_tables(
        [StoredSeat(1, "booked", "user:4"), StoredSeat(2, "held", "user:1"), StoredSeat(3, "held", "user:1")]
    )
    assert replay.difference is None
    replay = replayed(*events, trimmed=True)
    replay.compare_tables([StoredSeat(1, "booked", "user:4")])
    assert replay.difference is not None
    assert (replay.difference.seat_id, replay.difference.after) == (3, (1, 8))
