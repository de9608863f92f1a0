"""The rooms socket where no guide looks: order, crowds, bounds, and what becomes of clients that vanish."""

import asyncio
import json
import random
from collections import Counter

import pytest

from api.limits import SocketLimits
from api.rooms.client_ids import ClientIdInUse, ClientIds
from api.rooms.messages import ROOM_SERVER_MESSAGES
from api.ws.messages import Pong
from engine.memory import ManualClock
from tests.api.cinema import SCREENING, Cinema, eventually, receive, receive_close

ROOM = f"funcion_{SCREENING}"
DOCUMENTED = {
    schema._declared_fields["type"].metadata["example"]: schema() for schema in (*ROOM_SERVER_MESSAGES, Pong)
}
UNHURRIED = SocketLimits(socket_frames_per_second=1e6, socket_frames_at_once=10**6)


def said(kind, seat=None, room=ROOM, **more):
    seats = {} if seat is None else {"seat_id": seat}
    return json.dumps({"type": kind, "room_id": room, **seats, **more})


async def told(socket):
    """The next message, which must be one of the documented ones."""
    message = await receive(socket)
    assert DOCUMENTED[message["type"]].validate(message) == {}
    return message


async def joined(cinema, client_id, room=ROOM, user=None):
    socket = await cinema.enter(client_id, user)
    await socket.send(said("join_room", room=room))
    assert (await told(socket))["type"] == "room_joined"
    assert (await told(socket))["type"] == "current_selections"
    return socket


@pytest.mark.gen_test
async def test_responses_come_in_the_order_of_the_messages(cinema):
    """Although some are known at once, some wait for the engine, and some for a room to be made."""
    socket = await cinema.enter("ana")
    kinds = []
    for number in range(30):
        await socket.send(said("join_room", room=f"room{number}") if number % 7 == 0 else said("ping"))
        await socket.send(said("select_seat", f"A{number}", room=f"room{number % 10}"))
        await socket.send("nonsense" if number % 5 == 0 else said("release_seat", "A999"))
        kinds += ["room_joined", "current_selections"] if number % 7 == 0 else ["pong"]
        kinds += ["seat_selected", "error"]
    answers = []
    while len(answers) < len(kinds):
        message = await told(socket)
        if message["type"] == "seat_selected" and "user_info" in message:
            continue
        answers.append(message["type"])
    assert answers == kinds


class Onlooker:
    """A client that keeps a picture of a room from nothing but what it is told."""

    def __init__(self, socket, seed):
        self._socket = socket
        self._draw = random.Random(seed)
        self.picture = {}
        self.refused = Counter()

    async def clamour(self):
        """Send a few messages about two seats at once, and wait for all answers."""
        for _ in range(self._draw.randint(1, 4)):
            kind = self._draw.choice(("select_seat", "release_seat"))
            await self._socket.send(said(kind, f"A{self._draw.randint(1, 2)}"))
        await self._socket.send(said("ping"))
        while (await self._hear())["type"] != "pong":
            pass

    async def hear_of(self, seat):
        """Listen until a seat is selected."""
        while (message := await self._hear())["type"] != "seat_selected" or message["seat_id"] != seat:
            pass

    async def _hear(self):
        message = await receive(self._socket)
        match message["type"]:
            case "seat_selected":
                self.picture[message["seat_id"]] = f"client:{message['client_id']}"
            case "seat_released":
                self.picture.pop(message["seat_id"], None)
            case "error":
                self.refused[message["code"]] += 1
        return message


@pytest.mark.gen_test
async def test_all_clients_of_a_busy_room_converge_on_the_true_state(open_cinema):
    """Whatever clients do to the same seats at the same moment, the last word on each is true for all."""
    cinema = open_cinema(limits=UNHURRIED, tick_seconds=0.002)
    crowd = [Onlooker(await joined(cinema, f"client{number}"), number) for number in range(12)]
    for number in range(3, 40):
        await asyncio.gather(*(onlooker.clamour() for onlooker in crowd))
        await cinema.hold(7, number)
        await asyncio.gather(*(onlooker.hear_of(f"A{number}") for onlooker in crowd))
        truth = {seat: holder for seat, holder in (await cinema.holders()).items() if seat <= 2}
        for onlooker in crowd:
            assert {seat: onlooker.picture[f"A{seat}"] for seat in truth} == truth
            assert set(onlooker.picture) == {f"A{seat}" for seat in (*truth, *range(3, number + 1))}
    assert sum((onlooker.refused for onlooker in crowd), Counter())["seats_unavailable"] > 100


@pytest.mark.gen_test
async def test_thousands_of_pipelined_messages_are_all_answered(open_cinema):
    cinema = open_cinema(limits=UNHURRIED)
    socket = await joined(cinema, "ana")
    for _ in range(2000):
        await socket.send(said("select_seat", "A1"))
        await socket.send(said("release_seat", "A1"))
    kinds = Counter([(await receive(socket))["type"] for _ in range(4000)])
    assert kinds == {"seat_selected": 2000, "seat_released": 2000}


@pytest.mark.gen_test
async def test_disconnecting_releases_everything_but_the_seats(cinema):
    socket = await joined(cinema, "ana")
    await socket.send(said("select_seat", "A1"))
    await told(socket)
    await socket.close()
    await eventually(lambda: cinema.feed.connections == {} and len(cinema.room_door.client_ids) == 0)
    assert len(cinema.open_sockets) == 0
    assert await cinema.holders() == {1: "client:ana"}


@pytest.mark.gen_test
async def test_a_client_that_disconnects_before_its_response_leaves_nothing_behind(cinema):
    for number in range(5):
        socket = await cinema.enter(f"ghost{number}")
        await socket.send(said("join_room", room="made_late"))
        await socket.send(said("select_seat", f"A{number}", room="made_late"))
        socket.transport.abort()
    await eventually(lambda: cinema.feed.connections == {} and len(cinema.open_sockets) == 0)


@pytest.mark.gen_test
async def test_a_socket_is_closed_when_its_token_ends(open_cinema):
    cinema: Cinema = open_cinema(clock=ManualClock())
    socket = await cinema.enter("ana", token=cinema.tokens.issue(7, ttl_seconds=5))
    await socket.send(said("dance"))
    await told(socket)
    cinema.clock.advance(5.0)
    assert await receive_close(socket) == (1008, "Token expired")


@pytest.mark.gen_test
async def test_refusals_do_not_count_as_invalid_messages(open_cinema):
    cinema: Cinema = open_cinema(limits=SocketLimits(bad_messages=3))
    socket = await joined(cinema, "ana")
    for _ in range(10):
        await socket.send(said("release_seat", "A1"))
        assert (await told(socket))["code"] == "not_held"
    for _ in range(3):
        await socket.send(said("dance"))
        assert (await told(socket))["code"] == "unknown_type"
    assert await receive_close(socket) == (1008, "Too many invalid messages")


@pytest.mark.gen_test
async def test_engine_errors_are_reported_and_the_socket_stays_open(cinema):
    socket = await joined(cinema, "ana")
    await cinema.screenings.stop()
    await socket.send(said("select_seat", "A1"))
    assert (await told(socket))["code"] in ("stopping", "ownership_lost")
    await socket.send(said("ping"))
    assert (await told(socket))["type"] == "pong"


@pytest.mark.gen_test
async def test_a_users_new_socket_takes_over_its_client_id(cinema):
    phone = await joined(cinema, "juan", user=7)
    await phone.send(said("select_seat", "A1"))
    assert (await told(phone))["type"] == "seat_selected"

    again = await joined(cinema, "juan", user=7)

    assert await receive_close(phone) == (4410, "Client id taken over")
    assert len(cinema.room_door.client_ids) == 1
    await again.send(said("release_seat", "A1"))
    assert (await told(again))["type"] == "seat_released"
    other = await cinema.enter("juan", 8)
    assert await receive_close(other) == (4409, "Client id in use")
    guest = await cinema.enter("juan")
    assert await receive_close(guest) == (4409, "Client id in use")


HOME, OFFICE = "192.0.2.1", "192.0.2.2"


def nothing():
    """Called when an id is taken over."""


def test_an_id_stays_reserved_for_its_last_owner_for_a_while():
    clock = ManualClock()
    ids = ClientIds(clock.now, kept_seconds=300)
    user = "user:7"

    def refused(network, whose=None):
        with pytest.raises(ClientIdInUse):
            ids.take("juan", network, whose, nothing)

    def taken(network, whose=None):
        claim = ids.take("juan", network, whose, nothing)
        assert len(ids) == 1
        refused(network)
        refused(network, "user:8")
        ids.leave(claim)
        ids.leave(claim)
        assert len(ids) == 0

    taken(HOME)
    refused(OFFICE)
    refused(OFFICE, user)
    taken(HOME, user)
    taken(OFFICE, user)
    refused(HOME)
    clock.advance(301)
    taken(HOME)


def test_leaving_after_a_takeover_does_not_release_the_id():
    ids = ClientIds(ManualClock().now, kept_seconds=300)
    ousted = []
    first = ids.take("juan", HOME, "user:7", lambda: ousted.append("first"))
    second = ids.take("juan", OFFICE, "user:7", lambda: ousted.append("second"))
    assert ousted == ["first"]
    ids.leave(first)
    assert len(ids) == 1
    ids.leave(second)
    assert len(ids) == 0


def test_the_number_of_reserved_ids_is_limited():
    ids = ClientIds(ManualClock().now, kept_seconds=300, kept_limit=2)
    for name in ("a", "b", "c"):
        ids.leave(ids.take(name, HOME, None, nothing))
    ids.take("a", OFFICE, None, nothing)
    with pytest.raises(ClientIdInUse):
        ids.take("b", OFFICE, None, nothing)
