"""Snapshots of a screening are encoded once for all who see the same, and never show anything else."""

import json
from typing import Any

import pytest

from api.seats import snapshots
from api.seats.snapshots import Snapshots
from api.ws.feed import Frames
from engine.records import Layout, Seat
from engine.views import SeatMap, SeatView

LAYOUT = Layout(1, 1, [Seat(n, 1, "A", n, "standard", float(n), 1.0) for n in range(1, 2001)])
SEAT_IDS = [seat.id for seat in LAYOUT.seats]
NOON = 1_700_000_000.0


def seat_map(screening_id: int = 1, seq: int = 1, **holders: int) -> SeatMap:
    """Return the seats of a screening; `holders` has the seat that each holds."""
    views = {seat_id: SeatView(seat_id, "reserved", holder) for holder, seat_id in holders.items()}
    return SeatMap(screening_id, 1, seq, LAYOUT, views)


def messages(frames: list[Frames]) -> list[dict[str, Any]]:
    """Return the messages in frames of less than 64 kB and more than 125 bytes."""
    return [json.loads(each.wire[4:]) for each in frames]


def states(frames: list[Frames]) -> dict[int, dict[str, Any]]:
    return {state["seat_id"]: state for message in messages(frames) for state in message["updates"]}


def test_all_who_have_no_seat_get_the_same_frames() -> None:
    kept, seats = Snapshots(), seat_map(ana=7)
    first, second = list(kept.frames(seats, "bob", NOON)), list(kept.frames(seats, "eve", NOON + 0.9))
    assert len(first) > 1
    assert [id(frames) for frames in first] == [id(frames) for frames in second]
    assert [message.get("seq") for message in messages(first)] == [None] * (len(first) - 1) + [1]
    assert sorted(states(first)) == SEAT_IDS
    assert states(first)[7]["status"] == "reserved"
    assert not any(state["is_mine"] for state in states(first).values())


def test_readers_at_different_speeds_get_all_frames() -> None:
    kept, seats = Snapshots(), seat_map()
    slow = iter(kept.frames(seats, "bob", NOON))
    begun = [next(slow)]
    fast = list(kept.frames(seats, "eve", NOON))
    assert [*begun, *slow] == fast
    assert sorted(states(fast)) == SEAT_IDS


def test_who_has_a_seat_gets_its_own() -> None:
    kept, seats = Snapshots(), seat_map(ana=7)
    for _ in range(2):
        mine = states(list(kept.frames(seats, "ana", NOON)))
        assert [seat_id for seat_id, state in mine.items() if state["is_mine"]] == [7]
        others = states(list(kept.frames(seats, "bob", NOON)))
        assert not any(state["is_mine"] for state in others.values())


def test_a_snapshot_is_not_used_after_a_change_or_a_second() -> None:
    kept, before, after = Snapshots(), seat_map(), seat_map(seq=2, ana=7)
    old = messages(list(kept.frames(before, "bob", NOON)))
    changed = messages(list(kept.frames(after, "bob", NOON)))
    assert (old[-1]["seq"], changed[-1]["seq"]) == (1, 2)
    later = messages(list(kept.frames(after, "bob", NOON + 1.5)))
    assert later[-1]["timestamp"] > changed[-1]["timestamp"]


def test_the_latest_snapshots_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_SEATS_KEPT", 3 * len(SEAT_IDS))
    kept, maps = Snapshots(), {screening_id: seat_map(screening_id) for screening_id in range(1, 6)}
    first = {screening_id: list(kept.frames(seats, "bob", NOON)) for screening_id, seats in maps.items()}
    for screening_id in (5, 4, 3, 2, 1):
        again = list(kept.frames(maps[screening_id], "bob", NOON))
        assert (again[0] is first[screening_id][0]) is (screening_id >= 3)
