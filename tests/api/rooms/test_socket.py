"""The rooms socket, beyond the guide: order of responses, concurrency, limits and disconnects."""

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
NO_RATE_LIMIT = SocketLimits(socket_frames_per_second=1e6, socket_frames_at_once=10**6)


def room_message(kind, seat=None, room=ROOM, **more):
    seats = {} if seat is None else {"seat_id": seat}
    return json.dumps({"type": kind, "room_id": room, **seats, **more})


async def next_message(socket):
    """Return the next message, validated by its documented schema."""
    message = await receive(socket)
    assert DOCUMENTED[message["type"]].validate(message) == {}
    return message


async def joined(cinema, client_id, room=ROOM, user=None):
    socket = await cinema.enter(client_id, user)
    await socket.send(room_message("join_room", room=room))
    assert (await next_message(socket))["type"] == "room_joined"
    assert (await next_message(socket))["type"] == "current_selections"
    return socket


@pytest.mark.gen_test
async def test_responses_come_in_the_order_of_the_messages(cinema):
    """Some responses are ready immediately, some wait for the engine, and some for a room to be created."""
    socket = await cinema.enter("ana")
    kinds = []
    for number in range(30):
        await socket.send(
            room_message("join_room", room=f"room{number}") if number % 7 == 0 else room_message("ping")
        )
        await socket.send(room_message("select_seat", f"A{number}", room=f"room{number % 10}"))
        await socket.send("nonsense" if number % 5 == 0 else room_message("release_seat", "A999"))
        kinds += ["room_joined", "current_selections"] if number % 7 == 0 else ["pong"]
        kinds += ["seat_selected", "error"]
    answers = []
    while len(answers) < len(kinds):
        message = await next_message(socket)
        if message["type"] == "seat_selected" and "user_info" in message:
            continue
        answers.append(message["type"])
    assert answers == kinds


class RoomClient:
    """A client that tracks the state of a room from its messages alone."""

    def __init__(self, socket, seed):
        self._socket = socket
        self._draw = random.Random(seed)
        self.picture = {}
        self.refused = Counter()

    async def send_burst(self):
        """Send a few messages about two seats at once, and wait for all responses."""
        for _ in range(self._draw.randint(1, 4)):
            kind = self._draw.choice(("select_seat", "release_seat"))
            await self._socket.send(room_message(kind, f"A{self._draw.randint(1, 2)}"))
        await self._socket.send(room_message("ping"))
        while (await self._receive())["type"] != "pong":
            pass

    async def wait_for_selection(self, seat):
        """Receive messages until a seat is selected."""
        while (message := await self._receive())["type"] != "seat_selected" or message["seat_id"] != seat:
            pass

    async def _receive(self):
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
    """After concurrent requests for the same seats, every client's last message about a seat is true."""
    cinema = open_cinema(limits=NO_RATE_LIMIT, tick_seconds=0.002)
    clients = [RoomClient(await joined(cinema, f"client{number}"), number) for number in range(12)]
    for number in range(3, 40):
        await asyncio.gather(*(client.send_burst() for client in clients))
        await cinema.hold(7, number)
        await asyncio.gather(*(client.wait_for_selection(f"A{number}") for client in clients))
        truth = {seat: holder for seat, holder in (await cinema.holders()).items() if seat <= 2}
        for client in clients:
            assert {seat: client.picture[f"A{seat}"] for seat in truth} == truth
            assert set(client.picture) == {f"A{seat}" for seat in (*truth, *range(3, number + 1))}
    assert sum((client.refused for client in clients), Counter())["seats_unavailable"] > 100


@pytest.mark.gen_test
async def test_thousands_of_pipelined_messages_are_all_answered(open_cinema):
    cinema = open_cinema(limits=NO_RATE_LIMIT)
    socket = await joined(cinema, "ana")
    for _ in range(2000):
        await socket.send(room_message("select_seat", "A1"))
        await socket.send(room_message("release_seat", "A1"))
    kinds = Counter([(await receive(socket))["type"] for _ in range(4000)])
    assert kinds == {"seat_selected": 2000, "seat_released": 2000}


@pytest.mark.gen_test
async def test_disconnecting_releases_everything_but_the_seats(cinema):
    socket = await joined(cinema, "ana")
    await socket.send(room_message("select_seat", "A1"))
    await next_message(socket)
    await socket.close()
    await eventually(lambda: cinema.feed.connections == {} and len(cinema.room_services.client_ids) == 0)
    assert len(cinema.open_sockets) == 0
    assert await cinema.holders() == {1: "client:ana"}


@pytest.mark.gen_test
async def test_a_client_that_disconnects_before_its_response_leaves_nothing_behind(cinema):
    for number in range(5):
        socket = await cinema.enter(f"ghost{number}")
        await socket.send(room_message("join_room", room="made_late"))
        await socket.send(room_message("select_seat", f"A{number}", room="made_late"))
        socket.transport.abort()
    await eventually(lambda: cinema.feed.connections == {} and len(cinema.open_sockets) == 0)


@pytest.mark.gen_test
async def test_a_socket_is_closed_when_its_token_ends(open_cinema):
    cinema: Cinema = open_cinema(clock=ManualClock())
    socket = await cinema.enter("ana", token=cinema.tokens.issue(7, ttl_seconds=5))
    await socket.send(room_message("dance"))
    await next_message(socket)
    cinema.clock.advance(5.0)
    assert await receive_close(socket) == (1008, "Token expired")


@pytest.mark.gen_test
async def test_refusals_do_not_count_as_invalid_messages(open_cinema):
    cinema: Cinema = open_cinema(limits=SocketLimits(bad_messages=3))
    socket = await joined(cinema, "ana")
    for _ in range(10):
        await socket.send(room_message("release_seat", "A1"))
        assert (await next_message(socket))["code"] == "not_held"
    for _ in range(3):
        await socket.send(room_message("dance"))
        assert (await next_message(socket))["code"] == "unknown_type"
    assert await receive_close(socket) == (1008, "Too many invalid messages")


@pytest.mark.gen_test
async def test_engine_errors_are_reported_and_the_socket_stays_open(cinema):
    socket = await joined(cinema, "ana")
    await cinema.screenings.stop()
    await socket.send(room_message("select_seat", "A1"))
    assert (await next_message(socket))["code"] in ("stopping", "ownership_lost")
    await socket.send(room_message("ping"))
    assert (await next_message(socket))["type"] == "pong"


@pytest.mark.gen_test
async def test_a_users_new_socket_takes_over_its_client_id(cinema):
    phone = await joined(cinema, "juan", user=7)
    await phone.send(room_message("select_seat", "A1"))
    assert (await next_message(phone))["type"] == "seat_selected"

    new_phone = await joined(cinema, "juan", user=7)

    assert await receive_close(phone) == (4410, "Client id taken over")
    assert len(cinema.room_services.client_ids) == 1
    await new_phone.send(room_message("release_seat", "A1"))
    assert (await next_message(new_phone))["type"] == "seat_released"
    other = await cinema.enter("juan", 8)
    assert await receive_close(other) == (4409, "Client id in use")
    guest = await cinema.enter("juan")
    assert await receive_close(guest) == (4409, "Client id in use")


HOME, OFFICE = "192.0.2.1", "192.0.2.2"


def ignore():
    pass


def test_an_id_stays_reserved_for_its_last_owner_for_a_while():
    clock = ManualClock()
    ids = ClientIds(clock.now, kept_seconds=300)
    user = "user:7"

    def assert_refused(network, whose=None):
        with pytest.raises(ClientIdInUse):
            ids.take("juan", network, whose, ignore)

    def take_and_leave(network, whose=None):
        claim = ids.take("juan", network, whose, ignore)
        assert len(ids) == 1
        assert_refused(network)
        assert_refused(network, "user:8")
        ids.leave(claim)
        ids.leave(claim)
        assert len(ids) == 0

    take_and_leave(HOME)
    assert_refused(OFFICE)
    assert_refused(OFFICE, user)
    take_and_leave(HOME, user)
    take_and_leave(OFFICE, user)
    assert_refused(HOME)
    clock.advance(301)
    take_and_leave(HOME)


def test_leaving_after_a_takeover_does_not_release_the_id():
    ids = ClientIds(ManualClock().now, kept_seconds=300)
    taken_over = []
    first = ids.take("juan", HOME, "user:7", lambda: taken_over.append("first"))
    second = ids.take("juan", OFFICE, "user:7", lambda: taken_over.append("second"))
    assert taken_over == ["first"]
    ids.leave(first)
    assert len(ids) == 1
    ids.leave(second)
    assert len(ids) == 0


def test_the_number_of_reserved_ids_is_limited():
    ids = ClientIds(ManualClock().now, kept_seconds=300, kept_limit=2)
    for name in ("a", "b", "c"):
        ids.leave(ids.take(name, HOME, None, ignore))
    ids.take("a", OFFICE, None, ignore)
    with pytest.raises(ClientIdInUse):
        ids.take("b", OFFICE, None, ignore)


@pytest.mark.gen_test
async def test_the_best_seats_are_selected_together_and_others_see_each_of_them(cinema):
    ana, ben = await joined(cinema, "ana"), await joined(cinema, "ben")
    await ana.send(room_message("select_best", quantity=2, user_info={"name": "Ana"}))
    selected = await next_message(ana)
    assert (selected["type"], selected["client_id"], len(selected["seat_ids"])) == ("best_selected", "ana", 2)
    seen = [await next_message(ben) for _ in range(2)]
    assert [(one["type"], one["seat_id"]) for one in seen] == [
        ("seat_selected", name) for name in selected["seat_ids"]
    ]
    assert seen[0]["user_info"] == {"name": "Ana"}
    # Also in a room that the client has not joined, and nobody gets a seat of somebody else.
    await ben.send(room_message("leave_room"))
    assert (await next_message(ben))["type"] == "room_left"
    await ben.send(room_message("select_best", quantity=2))
    others = await next_message(ben)
    assert not set(others["seat_ids"]) & set(selected["seat_ids"])
    assert len(await cinema.holders()) == 4


@pytest.mark.gen_test
async def test_a_party_that_is_refused_is_told_why_and_stays_in_the_room(cinema):
    ana = await joined(cinema, "ana")
    await ana.send(room_message("select_best", quantity=41))
    refused = await next_message(ana)
    assert (refused["code"], refused["request"], refused["room_id"]) == (
        "hold_limit_exceeded",
        "select_best",
        ROOM,
    )
    await ana.send(room_message("select_best", quantity=2, max_price=0.5))
    refused = await next_message(ana)
    assert (refused["code"], refused["largest"]) == ("no_adjacent_seats", 0)
    await ana.send(room_message("select_best", quantity=2, room="nowhere"))
    assert (await next_message(ana))["code"] == "room_not_found"
    for malformed in ({}, {"quantity": 0}, {"quantity": 2, "zone": ""}, {"quantity": 2, "user_info": 7}):
        await ana.send(room_message("select_best", **malformed))
        assert (await next_message(ana))["code"] in ("invalid_message", "invalid_user_info")
    await ana.send(room_message("select_best", quantity=1))
    assert (await next_message(ana))["type"] == "best_selected"


@pytest.mark.gen_test
async def test_only_seats_that_a_guest_gets_count_as_selected(open_cinema):
    cinema = open_cinema(rooms={"selections": 3})
    ana = await joined(cinema, "ana")
    for quantity, answer in ((2, "no_adjacent_seats"), (4, "too_many_attempts")):
        wishes = {"max_price": 0.5} if quantity == 2 else {}
        await ana.send(room_message("select_best", quantity=quantity, **wishes))
        assert (await next_message(ana))["code"] == answer
    await ana.send(room_message("select_best", quantity=3))
    assert (await next_message(ana))["type"] == "best_selected"
    await ana.send(room_message("select_best", quantity=1))
    assert (await next_message(ana))["code"] == "too_many_attempts"
