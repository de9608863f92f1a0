"""Seat maps assembled from fragments equal a plain encoding, and are cached until a change."""

import gc
import json
import random
import weakref

from api.sales.seat_maps import SeatMapEncoder
from engine.records import Layout, Seat
from engine.views import SeatMap, SeatView

RESERVED = SeatView(2, "reserved", "user:7", 1_800_000_300.0)
BOOKED = SeatView(3, "booked", "user:8")
GUESTS = SeatView(4, "reserved", "session:x", 1_800_000_300.0)
LAPSED = SeatView(5, "available", None, None, "user:9")


def hall(seats: int = 6) -> Layout:
    return Layout(1, 1, (Seat(n, 1, 'A"', n, "vip", 0.0, 0.0) for n in range(1, seats + 1)))


def seat_map(layout: Layout, seq: int, *views: SeatView, screening: int = 1) -> SeatMap:
    return SeatMap(screening, 1, seq, layout, {view.seat_id: view for view in views})


def test_every_seat_is_listed_once_in_the_order_of_the_layout() -> None:
    listed = json.loads(SeatMapEncoder().public(seat_map(hall(), 1, RESERVED, BOOKED, GUESTS, LAPSED)).plain)
    assert [seat["seat"]["id"] for seat in listed] == [1, 2, 3, 4, 5, 6]
    assert [seat["status"] for seat in listed] == [
        "available",
        "reserved",
        "booked",
        "reserved",
        "available",
        "available",
    ]
    assert [seat["reserved_by"] for seat in listed] == [None, 7, None, None, None, None]
    assert [seat.get("previously_reserved_by") for seat in listed] == [None, None, None, None, 9, None]
    assert listed[0]["seat"]["row_label"] == 'A"'
    assert listed[1]["expires_at"] == "2027-01-15T08:05:00.000Z"
    assert all("is_mine" not in seat for seat in listed)


def test_only_the_holder_sees_is_mine() -> None:
    encoder, seats = SeatMapEncoder(), seat_map(hall(), 1, RESERVED, BOOKED)
    mine = {
        user: [(seat["status"], seat["is_mine"]) for seat in json.loads(encoder.personal(seats, user).plain)]
        for user in ("user:7", "user:8", "user:10")
    }
    assert mine["user:7"][1:3] == [("reserved_by_me", True), ("booked", False)]
    assert mine["user:8"][1:3] == [("reserved", False), ("booked", True)]
    assert mine["user:10"][1:3] == [("reserved", False), ("booked", False)]


def test_each_version_is_encoded_once() -> None:
    encoder, layout = SeatMapEncoder(), hall()
    first = encoder.public(seat_map(layout, 1))
    assert encoder.public(seat_map(layout, 1)) is first
    changed = encoder.public(seat_map(layout, 2, RESERVED))
    assert changed is not first
    assert b'reserved_by":7' in changed.plain


def test_versions_that_follow_one_another_equal_those_that_are_encoded_alone() -> None:
    encoder, layout, chance = SeatMapEncoder(), hall(), random.Random(1)
    views: dict[int, SeatView] = {}
    for seq in range(1, 300):
        for seat_id in chance.sample(range(1, 7), chance.randint(1, 3)):
            views.pop(seat_id, None)
            if chance.random() < 0.7:
                change = chance.choice([RESERVED, BOOKED, GUESTS, LAPSED])
                views[seat_id] = change._replace(seat_id=seat_id)
        seats = seat_map(layout, seq, *views.values())
        # A screening that another server has owned meanwhile has other objects for the same seats.
        seen = seats if chance.random() < 0.8 else seat_map(layout, seq, *map(SeatView._make, views.values()))
        assert encoder.public(seen).plain == SeatMapEncoder().public(seats).plain
        for user in ("user:7", "user:8", "user:10"):
            assert encoder.personal(seen, user).plain == SeatMapEncoder().personal(seats, user).plain


def test_another_layout_of_the_same_screening_is_encoded_anew() -> None:
    encoder = SeatMapEncoder()
    encoder.public(seat_map(hall(), 1, RESERVED, LAPSED))
    listed = json.loads(encoder.public(seat_map(hall(4), 2, RESERVED)).plain)
    assert [(seat["seat"]["id"], seat["status"]) for seat in listed] == [
        (1, "available"),
        (2, "reserved"),
        (3, "available"),
        (4, "available"),
    ]


def test_screenings_in_the_same_room_are_cached_separately() -> None:
    encoder, layout = SeatMapEncoder(), hall()
    taken = encoder.public(seat_map(layout, 5, RESERVED, screening=1))
    free = encoder.public(seat_map(layout, 5, screening=2))
    assert b'"reserved"' in taken.plain
    assert b'"reserved"' not in free.plain


def test_cached_versions_are_bounded() -> None:
    encoder, layout = SeatMapEncoder(limit_bytes=3000), hall()
    first = encoder.public(seat_map(layout, 1, screening=1))
    for screening in range(2, 10):
        encoder.public(seat_map(layout, 1, screening=screening))
    assert encoder.public(seat_map(layout, 1, screening=1)) is not first


def test_fragments_of_unused_layouts_are_freed() -> None:
    encoder, layout = SeatMapEncoder(), hall()
    encoder.public(seat_map(layout, 1))
    gone = weakref.ref(layout)
    del layout
    gc.collect()
    assert gone() is None
