"""`hold_expiring` on the three kinds of sockets: to every socket of the holder, and to nobody else."""

import json
import time

import pytest

from api.events.messages import EVENT_SERVER_MESSAGES
from api.limits import SocketLimits
from api.rooms.messages import ROOM_SERVER_MESSAGES
from api.seats.messages import SERVER_MESSAGES
from api.wire import timestamp
from engine.commands import HoldSeats
from engine.memory import ManualClock
from tests.api.cinema import SCREENING, Cinema, receive

pytestmark = pytest.mark.gen_test

ROOM = f"funcion_{SCREENING}"


@pytest.fixture
def cinema(open_cinema, io_loop):
    async def start() -> Cinema:
        limits = SocketLimits(socket_ping_seconds=3600.0)  # no time passes for pings to be answered
        return open_cinema(clock=ManualClock(float(int(time.time()))), tick_seconds=0.0, limits=limits)

    return io_loop.run_sync(start)


async def messages_before_pong(socket) -> list[dict]:
    """The messages up to the answer to a ping."""
    await socket.send(json.dumps({"type": "ping"}))
    received = [await receive(socket)]
    while received[-1]["type"] != "pong":
        received.append(await receive(socket))
    return received[:-1]


def require_documented(message, documented) -> None:
    schema = next(schema() for schema in documented if schema.__name__.endswith("Expiring"))
    assert schema.validate(message) == {}


async def test_every_socket_of_the_holder_is_warned(cinema):
    clock = cinema.clock
    sockets = [await cinema.join(7), await cinema.join(7, updates="single"), await cinema.join(8)]
    held_at = clock.now()
    await cinema.hold(7, 1, 2)
    clock.advance(200)
    for socket in sockets:
        assert "hold_expiring" not in [message["type"] for message in await messages_before_pong(socket)]
    clock.advance(40)
    for socket in sockets[:2]:
        (warning,) = await messages_before_pong(socket)
        require_documented(warning, SERVER_MESSAGES)
        assert warning == {
            "type": "hold_expiring",
            "screening_id": SCREENING,
            "seat_ids": [1, 2],
            "expires_at": timestamp(held_at + 300),
            "remaining_seconds": 60,
            "timestamp": timestamp(held_at + 240),
            "epoch": warning["epoch"],
            "seq": await cinema.last_seq(),
        }
    assert await messages_before_pong(sockets[2]) == []
    clock.advance(59)
    assert await messages_before_pong(sockets[0]) == []


async def test_a_client_that_resumes_gets_a_missed_warning_if_it_still_holds(cinema):
    socket = await cinema.join(7)
    await cinema.hold(7, 1, 2, 3)
    cinema.clock.advance(1)
    seen = (await messages_before_pong(socket))[-1]
    await socket.close()
    cinema.clock.advance(250)
    await cinema.release(7, 2)
    await cinema.book(7, 3)
    back = await cinema.join(7, since=seen["seq"], epoch=seen["epoch"], updates="bulk")
    update, warning = await messages_before_pong(back)
    assert sorted(state["seat_id"] for state in update["updates"]) == [2, 3]
    assert (warning["type"], warning["seat_ids"]) == ("hold_expiring", [1])
    other = await cinema.join(8, since=seen["seq"], epoch=seen["epoch"], updates="bulk")
    assert [message["type"] for message in await messages_before_pong(other)] == ["bulk_seat_update"]


async def test_clients_of_a_room_are_warned_of_their_own_selections(cinema):
    guest, other, user = [
        await cinema.enter(name, user) for name, user in (("one", None), ("two", None), ("three", 7))
    ]
    for socket in (guest, other, user):
        await socket.send(json.dumps({"type": "join_room", "room_id": ROOM}))
        await messages_before_pong(socket)
    held_at = cinema.clock.now()
    for seat in ("A1", "A2"):
        await guest.send(json.dumps({"type": "select_seat", "room_id": ROOM, "seat_id": seat}))
        await messages_before_pong(guest)
    await cinema.hold(7, 3)  # over another API
    cinema.clock.advance(1)
    for socket in (guest, other, user):
        await messages_before_pong(socket)
    cinema.clock.advance(239)
    (warning,) = await messages_before_pong(guest)
    require_documented(warning, ROOM_SERVER_MESSAGES)
    assert warning == {
        "type": "hold_expiring",
        "room_id": ROOM,
        "client_id": "one",
        "seat_ids": ["A1", "A2"],
        "expires_at": timestamp(held_at + 300),
        "remaining_seconds": 60,
        "timestamp": timestamp(held_at + 240),
    }
    (warning,) = await messages_before_pong(user)
    assert (warning["type"], warning["seat_ids"]) == ("hold_expiring", ["A3"])
    assert await messages_before_pong(other) == []


async def test_followers_of_an_event_are_warned_as_users_and_as_sessions(cinema):
    user = await cinema.follow(7, SCREENING)
    session = await cinema.follow(None, SCREENING, sessionId="session-of-a-guest")
    both = await cinema.follow(8, SCREENING, sessionId="session-of-a-guest")
    other = await cinema.follow(9, SCREENING, sessionId="session-of-another")
    everybody = (user, session, both, other)
    held_at = cinema.clock.now()
    await cinema.hold(7, 1, 2)
    await cinema.ask(HoldSeats(SCREENING, "session:session-of-a-guest", (3,)))
    cinema.clock.advance(1)
    for socket in everybody:
        assert len(await messages_before_pong(socket)) == 4
    cinema.clock.advance(239)
    (warning,) = await messages_before_pong(user)
    require_documented(warning, EVENT_SERVER_MESSAGES)
    (reservation,) = warning["reservationIds"]
    assert reservation.startswith(f"{SCREENING}-")
    assert warning == {
        "type": "hold_expiring",
        "eventId": SCREENING,
        "reservationIds": [reservation],
        "quantity": 2,
        "expiresAt": timestamp(held_at + 300),
        "remainingSeconds": 60,
        "timestamp": timestamp(held_at + 240),
    }
    for socket in (session, both):
        (warning,) = await messages_before_pong(socket)
        assert warning["quantity"] == 1
    assert await messages_before_pong(other) == []


async def test_a_session_shows_nothing_that_is_not_public(cinema):
    cinema.guest_list.events[SCREENING] = [7]
    refused = await cinema.follow(None, SCREENING, sessionId="session-of-a-guest")
    with pytest.raises(Exception, match="Event not found"):
        await receive(refused)
