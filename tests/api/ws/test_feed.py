"""The feed on a manual clock: which watcher gets which frames, when, and in how many writes."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from api.seats.messages import UpdateForm
from api.seats.updates import seat_encoder
from api.ws.feed import Frames, Position, SeatFeed, Watcher
from engine.memory import ManualClock
from engine.views import SeatsShown, SeatView

TICK_SECONDS = 0.020
START = Position(1, 0)


class FrameCounter:
    def __init__(self) -> None:
        self.frames = 0
        self.ages_seconds: list[float] = []

    def frames_sent(self, count: int) -> None:
        self.frames += count

    def update_sent(self, age_seconds: float) -> None:
        self.ages_seconds.append(age_seconds)


class Hall:
    """A feed on a manual clock, with watchers that record what they are sent."""

    def __init__(self, tick_seconds: float = TICK_SECONDS) -> None:
        self.clock = ManualClock()
        self.sent = FrameCounter()
        self.feed = SeatFeed(self.clock, self.sent, tick_seconds=tick_seconds)
        self.seq = 0

    def watcher(self, holder="user:1", form=UpdateForm.BULK, screening=1):
        received = []
        watcher = Watcher(screening, holder, seat_encoder(form), received.append, lambda: None)
        self.feed.join(watcher)
        return watcher, received

    def live(self, *arguments, **options):
        """Add a watcher that is live from the start; return the list of what it receives."""
        watcher, received = self.watcher(*arguments, **options)
        watcher.follow(START)
        return received

    def change(self, *views, screening=1, epoch=1):
        self.seq += 1
        self.feed.publish(SeatsShown(screening, epoch, self.seq, self.clock.now(), "seats_held", views))

    def turn(self, seconds=0.0):
        """Run the due callbacks, and let time pass."""
        self.clock.advance(seconds)


def held(seat_id, user=1):
    return SeatView(seat_id, "reserved", f"user:{user}", 1_800_000_300.0)


def free(seat_id, previous=None):
    return SeatView(seat_id, "available", previous_holder=previous)


def messages(wire):
    """Decode the JSON messages in a sequence of unmasked frames."""
    found = []
    while wire:
        size, start = wire[1], 2
        if size == 126:
            size, start = int.from_bytes(wire[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(wire[2:10], "big"), 10
        found.append(json.loads(wire[start : start + size]))
        wire = wire[start + size :]
    return found


def seats(wire):
    return {u["seat_id"]: u["status"] for message in messages(wire) for u in message["updates"]}


@pytest.fixture
def hall():
    return Hall()


def test_publishing_only_queues_the_change(hall):
    received = hall.live()
    hall.change(held(1))
    assert received == []
    hall.turn()
    assert seats(received[0]) == {1: "reserved"}


def test_changes_within_a_tick_are_merged_and_the_last_state_of_a_seat_counts(hall):
    received = hall.live()
    hall.change(held(1))
    hall.turn()
    hall.change(held(2))
    hall.change(free(1), free(3))
    hall.change(held(1, user=2))
    hall.turn(TICK_SECONDS / 2)
    assert len(received) == 1
    hall.turn(TICK_SECONDS)
    (message,) = messages(received[1])
    assert len(received) == 2
    assert (message["seq"], message["epoch"]) == (4, 1)
    assert [(u["seat_id"], u.get("reserved_by")) for u in message["updates"]] == [(2, 1), (1, 2), (3, None)]


def test_after_a_quiet_tick_a_change_is_sent_immediately_again(hall):
    received = hall.live()
    for _ in range(3):
        hall.change(held(1))
        hall.turn()
        hall.turn(2 * TICK_SECONDS)
    assert len(received) == 3


def test_a_steady_stream_sends_one_update_per_tick(hall):
    received = hall.live()
    for _ in range(100):
        hall.change(held(1))
        hall.turn(TICK_SECONDS / 10)
    assert len(received) in (10, 11)


def test_the_age_of_an_update_is_that_of_its_oldest_change(hall):
    hall.live()
    hall.change(held(1))
    hall.turn()
    hall.change(held(2))
    hall.turn(TICK_SECONDS / 2)
    hall.change(held(3))
    hall.turn(TICK_SECONDS / 2)
    assert hall.sent.ages_seconds == pytest.approx([0.0, TICK_SECONDS])


def test_all_watchers_share_the_same_bytes_except_the_holder(hall):
    owner, *others = [hall.live(f"user:{user}") for user in (1, 2, 3)]
    hall.change(held(1, user=1), held(2, user=9))
    hall.turn()
    assert others[0][0] is others[1][0]
    mine = {u["seat_id"]: u["is_mine"] for u in messages(owner[0])[0]["updates"]}
    assert mine == {1: True, 2: False}
    assert not any(u["is_mine"] for u in messages(others[0][0])[0]["updates"])


def test_guests_are_anonymous(hall):
    received, guest = hall.live("user:1"), hall.live("client:abc")
    hall.change(SeatView(1, "reserved", "client:abc", 1_800_000_300.0), free(2, previous="session:secret"))
    hall.turn()
    assert [set(u) for u in messages(received[0])[0]["updates"]] == [
        {"seat_id", "status", "is_mine", "expires_at"},
        {"seat_id", "status", "is_mine"},
    ]
    assert messages(guest[0])[0]["updates"][0]["is_mine"] is True


def test_a_large_update_is_split_and_only_the_last_part_has_seq(hall):
    received = hall.live()
    hall.change(*(held(seat_id) for seat_id in range(1, 1001)))
    hall.turn()
    parts = messages(received[0])
    assert len(parts) > 1
    assert [(part.get("seq"), part.get("more")) for part in parts] == [(None, True)] * (len(parts) - 1) + [
        (1, None)
    ]
    assert list(seats(received[0])) == list(range(1, 1001))
    assert hall.sent.frames == len(parts)


def test_watchers_of_other_screenings_get_nothing(hall):
    received = hall.live(screening=2)
    hall.change(held(1), screening=1)
    hall.turn(1)
    assert received == []


def test_a_watcher_gets_nothing_before_it_is_held_back(hall):
    watcher, received = hall.watcher()
    hall.change(held(1))
    hall.turn()
    watcher.follow(START)
    assert received == []


def test_following_sends_the_kept_updates_that_are_newer(hall):
    watcher, received = hall.watcher()
    watcher.buffer()
    for seat_id in (1, 2, 3):
        hall.change(held(seat_id))
        hall.turn(TICK_SECONDS * 2)
    assert received == []
    watcher.follow(Position(1, 2))
    assert [seats(wire) for wire in received] == [{3: "reserved"}]


def test_a_queued_change_that_a_watcher_has_caught_up_with_is_not_repeated(hall):
    watcher, received = hall.watcher()
    watcher.buffer()
    hall.change(held(1))
    watcher.follow(Position(1, 1))
    hall.turn()
    assert received == []


def test_a_paused_watcher_starts_over(hall):
    watcher, received = hall.watcher()
    watcher.buffer()
    hall.change(held(1))
    hall.turn(TICK_SECONDS * 2)
    watcher.pause()
    hall.change(held(2))
    hall.turn(TICK_SECONDS * 2)
    watcher.buffer()
    hall.change(held(3))
    hall.turn(TICK_SECONDS * 2)
    watcher.follow(Position(1, 2))
    assert [seats(wire) for wire in received] == [{3: "reserved"}]


def test_a_new_epoch_is_newer_regardless_of_seq(hall):
    received = hall.live()
    watcher, late = hall.watcher()
    watcher.follow(Position(1, 500))
    hall.change(held(1), epoch=2)
    hall.turn()
    assert [messages(wire)[0]["epoch"] for wire in (*received, *late)] == [2, 2]


def test_a_watcher_that_left_gets_nothing_and_is_not_counted(hall):
    watcher, received = hall.watcher()
    watcher.follow(START)
    hall.change(held(1))
    hall.feed.leave(watcher)
    hall.feed.leave(watcher)
    hall.turn(1)
    assert received == []
    assert hall.feed.connections == {}


def test_the_feed_counts_watchers_by_screening():
    hall = Hall()
    hall.watcher("user:1")
    hall.watcher("user:2")
    watcher, _ = hall.watcher("user:1", screening=2)
    assert hall.feed.connections == {1: 2, 2: 1}
    hall.feed.leave(watcher)
    assert hall.feed.connections == {1: 2}


def test_a_change_without_seats_sends_no_frames(hall):
    received = hall.live()
    hall.change()
    hall.turn(1)
    assert received == [] and hall.sent.frames == 0


def test_each_encoder_encodes_an_update_once(hall):
    encoded = []

    class Counted:
        def __init__(self, batches):
            encoded.append([[change.seq for change in batch] for batch in batches])

        def frames(self, holder):
            return Frames(holder.encode(), 1)

    received = []
    for user in (1, 2):
        watcher = Watcher(1, f"user:{user}", Counted, received.append, lambda: None)
        hall.feed.join(watcher)
        watcher.follow(START)
    seats_received = hall.live()
    hall.change(held(1))
    hall.change(held(2))
    hall.turn()
    assert encoded == [[[1, 2]]]
    assert sorted(received) == [b"user:1", b"user:2"]
    assert seats(seats_received[0]) == {1: "reserved", 2: "reserved"}


def test_without_a_tick_changes_are_separate_messages_in_one_write():
    hall = Hall(tick_seconds=0)
    received = hall.live()
    for seat_id in (1, 2):
        hall.change(held(seat_id))
    hall.change(free(1))
    hall.turn()
    (wire,) = received
    sent = [(message["seq"], message["updates"][0]["seat_id"]) for message in messages(wire)]
    assert sent == [(1, 1), (2, 2), (3, 1)]
    assert hall.sent.frames == 3


def test_a_holder_gets_its_own_frames_and_the_others_share_theirs():
    hall = Hall(tick_seconds=0)
    first, second, *others = [hall.live(f"user:{user}") for user in range(1, 6)]
    hall.change(held(1, user=1))
    hall.change(held(2, user=2))
    hall.change(held(3, user=9))
    hall.turn()
    assert len({id(received[0]) for received in others}) == 1

    def mine(received):
        return [message["updates"][0]["is_mine"] for message in messages(received[0])]

    assert [mine(received) for received in (first, second, others[0])] == [
        [True, False, False],
        [False, True, False],
        [False, False, False],
    ]


def test_a_watcher_only_gets_the_changes_after_its_position():
    hall = Hall(tick_seconds=0)
    watcher, received = hall.watcher()
    watcher.buffer()
    for seat_id in (1, 2, 3):
        hall.change(held(seat_id))
    watcher.follow(Position(1, 2))
    hall.turn()
    assert [[message["seq"] for message in messages(wire)] for wire in received] == [[3]]


def test_large_audiences_are_served_in_slices_with_other_work_in_between(hall):
    audience = [hall.watcher() for _ in range(1200)]
    for watcher, _ in audience:
        watcher.follow(START)
    unserved = []

    def look():
        unserved.extend(watcher for watcher, received in audience if not received)
        hall.feed.leave(unserved[0])
        hall.change(free(1))

    hall.change(held(1))
    # The update is built in the next turn; its first slice is sent in the turn after that.
    hall.clock.call_at(hall.clock.now(), lambda: hall.clock.call_at(hall.clock.now(), look))
    hall.turn(1)
    assert 0 < len(unserved) < 1200
    left, *stayed = sorted(audience, key=lambda one: one[0] is not unserved[0])
    assert left[1] == []
    assert {tuple(seats(wire)[1] for wire in received) for _, received in stayed} == {
        ("reserved", "available")
    }


# Exceptions


class BrokenEncoder:
    def __init__(self, batches):
        raise ZeroDivisionError


def test_an_encoder_that_raises_only_ends_its_own_watchers(hall):
    ended, received = [], hall.live()
    for user in (1, 2):
        watcher = Watcher(1, f"user:{user}", BrokenEncoder, lambda wire: None, partial(ended.append, user))
        hall.feed.join(watcher)
        watcher.follow(START)
    for seat_id in (1, 2):
        hall.change(held(seat_id))
        hall.turn(1)
    assert sorted(ended) == [1, 2]
    assert [seats(wire) for wire in received] == [{1: "reserved"}, {2: "reserved"}]


def test_a_socket_that_raises_does_not_affect_others(hall):
    ended, others = [], [hall.live() for _ in range(3)]

    def send(wire):
        raise OSError

    watcher = Watcher(1, "user:9", seat_encoder(UpdateForm.BULK), send, partial(ended.append, 9))
    hall.feed.join(watcher)
    watcher.follow(START)
    hall.change(held(1))
    hall.turn(1)
    assert ended == [9] and all(len(received) == 1 for received in others)


def test_a_broken_change_ends_its_audience_but_not_later_watchers(hall):
    ended = []
    watcher = Watcher(1, "user:1", seat_encoder(UpdateForm.BULK), lambda wire: None, partial(ended.append, 1))
    hall.feed.join(watcher)
    watcher.follow(START)
    beside = hall.live(screening=2)
    hall.feed.publish(SimpleNamespace(screening_id=1))  # a change without seq
    hall.change(held(1), screening=2)
    hall.turn(1)
    assert ended == [1] and len(beside) == 1
    hall.feed.leave(watcher)
    again = hall.live()
    hall.change(held(2))
    hall.turn(1)
    assert [seats(wire) for wire in again] == [{2: "reserved"}]


def test_an_observer_that_raises_does_not_stop_updates():
    class Broken:
        def frames_sent(self, count):
            raise ZeroDivisionError

        def update_sent(self, age_seconds):
            raise ZeroDivisionError

    hall = Hall()
    hall.feed = SeatFeed(hall.clock, Broken(), tick_seconds=TICK_SECONDS)
    received = hall.live()
    for seat_id in (1, 2):
        hall.change(held(seat_id))
        hall.turn(1)
    assert len(received) == 2


def test_an_observer_learns_of_the_first_and_the_last_watcher_of_a_screening(hall):
    class Listener:
        def __init__(self):
            self.told = []

        def watched(self, screening_id):
            self.told.append(("watched", screening_id))

        def unwatched(self, screening_id):
            self.told.append(("unwatched", screening_id))

    listener = Listener()
    hall.feed.observe_audiences(listener)
    one, _ = hall.watcher(screening=1)
    two, _ = hall.watcher(screening=1)
    other, _ = hall.watcher(screening=2)
    for watcher in (one, one, two, two, other):
        hall.feed.leave(watcher)
    hall.watcher(screening=1)
    assert listener.told == [
        ("watched", 1),
        ("watched", 2),
        ("unwatched", 1),
        ("unwatched", 2),
        ("watched", 1),
    ]


def test_a_watcher_has_joined_even_if_the_observer_of_audiences_raises(hall):
    class Broken:
        def watched(self, screening_id):
            raise ZeroDivisionError

    hall.feed.observe_audiences(Broken())
    received = hall.live()
    hall.change(held(1))
    hall.turn(1)
    assert len(received) == 1
