"""`waitlist_offered` and `seat_free` on sockets: to every socket of the holder, and to nobody else."""

import json
import time

import pytest

from api.events.messages import EventWaitlistOffered
from api.limits import SocketLimits
from api.seats.messages import SeatFree, WaitlistOffered
from api.wire import timestamp
from engine.commands import JoinWaitlist, WatchSeat
from engine.memory import ManualClock
from tests.api.cinema import SCREENING, Cinema, receive

pytestmark = pytest.mark.gen_test

SEATS = range(1, 7)


@pytest.fixture
def cinema(open_cinema, io_loop):
    async def start() -> Cinema:
        limits = SocketLimits(socket_ping_seconds=3600.0)  # no time passes for pings to be answered
        return open_cinema(
            seats=len(SEATS), clock=ManualClock(float(int(time.time()))), tick_seconds=0.0, limits=limits
        )

    return io_loop.run_sync(start)


async def news(socket) -> list[dict]:
    """The messages up to the answer to a ping that are not about seats and counts."""
    await socket.send(json.dumps({"type": "ping"}))
    received = [await receive(socket)]
    while received[-1]["type"] != "pong":
        received.append(await receive(socket))
    return [message for message in received if message["type"] in ("waitlist_offered", "seat_free")]


async def fill(cinema: Cinema) -> list[int]:
    for seat in SEATS:
        await cinema.hold(100 + seat, seat)
    return list(SEATS)


async def test_an_offer_is_told_to_its_holder_alone(cinema):
    seats = await fill(cinema)
    await cinema.ask(JoinWaitlist(SCREENING, "user:7", 1))
    sockets = [await cinema.join(7), await cinema.join(7, updates="single"), await cinema.join(8)]
    follower = await cinema.follow(7, SCREENING)
    await news(follower)
    await cinema.release(101, seats[0])
    offered_at = cinema.clock.now()
    cinema.clock.advance(1)
    for socket in sockets[:2]:
        (offer,) = await news(socket)
        assert WaitlistOffered().validate(offer) == {}
        assert (offer["seat_ids"], offer["remaining_seconds"]) == ([seats[0]], 600)
        assert offer["expires_at"] == timestamp(offered_at + 600)
    assert await news(sockets[2]) == []
    (offer,) = await news(follower)
    assert EventWaitlistOffered().validate(offer) == {}
    assert (offer["quantity"], offer["reservationId"].partition("-")[0]) == (1, str(SCREENING))


async def test_who_resumes_is_told_what_was_missed(cinema):
    seats = await fill(cinema)
    await cinema.ask(JoinWaitlist(SCREENING, "user:7", 1))
    seq = await cinema.last_seq()
    await cinema.release(101, seats[0])
    back = await cinema.join(7, since=seq, epoch=1)
    (offer,) = await news(back)
    assert offer["seat_ids"] == [seats[0]]


async def test_a_free_seat_is_told_to_who_has_asked_first(cinema):
    seats = await fill(cinema)
    for user in (7, 8):
        await cinema.ask(WatchSeat(SCREENING, f"user:{user}", seats[1]))
    first, second = await cinema.join(7), await cinema.join(8)
    await cinema.release(102, seats[1])
    cinema.clock.advance(1)
    (told,) = await news(first)
    assert SeatFree().validate(told) == {}
    assert told["seat_id"] == seats[1]
    assert await news(second) == []
    await cinema.hold(9, seats[1])
    await cinema.release(9, seats[1])
    cinema.clock.advance(1)
    assert [message["seat_id"] for message in await news(second)] == [seats[1]]
    assert await news(first) == []
