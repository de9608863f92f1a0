"""`/ws/screenings/{id}` from the client's side, from the handshake to the close code."""

import asyncio
import gc
import json
from socket import SHUT_WR

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol

from api.limits import SocketLimits
from api.seats.messages import SERVER_MESSAGES
from api.ws.handshake import Handshake
from engine.accounts import RevokedToken, RevokedUser
from engine.memory import ManualClock
from tests.api.cinema import SCREENING, Picture, eventually, receive, receive_close

pytestmark = pytest.mark.gen_test

SCHEMAS = {schema().fields["type"].validate.comparable: schema() for schema in SERVER_MESSAGES}


def require_documented(message):
    """Fail unless the message matches its documented schema."""
    assert SCHEMAS[message["type"]].validate(message) == {}


async def test_the_first_message_confirms_the_connection(cinema):
    confirmed = await receive(await cinema.connect())
    require_documented(confirmed)
    assert confirmed == {
        "type": "connection_confirmed",
        "screening_id": SCREENING,
        "message": "Connected to real-time seat updates",
        "seq": 0,
        "epoch": 1,
    }


async def test_one_reserved_seat_is_sent_in_both_formats(cinema):
    socket = await cinema.join(user=8)
    await cinema.hold(7, 5)
    single, bulk = await receive(socket), await receive(socket)
    for message in (single, bulk):
        require_documented(message)
    expires_at, timestamp = single["expires_at"], single["timestamp"]
    assert single == {
        "type": "seat_update",
        "seat_id": 5,
        "status": "reserved",
        "is_mine": False,
        "reserved_by": 7,
        "expires_at": expires_at,
        "timestamp": timestamp,
        "epoch": 1,
        "seq": 1,
    }
    assert bulk == {
        "type": "bulk_seat_update",
        "updates": [
            {
                "seat_id": 5,
                "status": "reserved",
                "is_mine": False,
                "reserved_by": 7,
                "expires_at": expires_at,
            }
        ],
        "timestamp": timestamp,
        "epoch": 1,
        "seq": 1,
    }
    assert expires_at.endswith("Z") and len(expires_at) == len("2026-01-26T18:30:00.000Z")


async def test_the_holder_alone_sees_the_agreed_price(cinema):
    mine, other = await cinema.join(user=7, updates="bulk"), await cinema.join(user=8, updates="bulk")
    await cinema.hold(7, 5)
    for socket, prices in ((mine, [15.99]), (other, [None])):
        message = await receive(socket)
        require_documented(message)
        assert [update.get("price") for update in message["updates"]] == prices
    await cinema.release(7, 5)
    assert "price" not in (await receive(mine))["updates"][0]
    await cinema.hold(7, 5)
    later = await cinema.connect(user=7, since=99, epoch=1)
    await receive(later)
    snapshot = await receive(later)
    require_documented(snapshot)
    assert {seat["seat_id"]: seat["price"] for seat in snapshot["updates"] if "price" in seat} == {5: 15.99}


async def test_snapshots_differ_only_in_what_the_receiver_has(cinema):
    await cinema.hold(7, 5)
    await cinema.hold(8, 6)
    await cinema.book(8, 7)
    pictures = []
    for user in (7, 8, 9):
        socket = await cinema.connect(user=user, since=99, epoch=1)
        await receive(socket)
        snapshot = await receive(socket)
        require_documented(snapshot)
        pictures.append({seat["seat_id"]: seat for seat in snapshot["updates"]})
    first, second, third = pictures
    assert first[5] == {**third[5], "is_mine": True, "price": 15.99}
    assert (second[6], second[7]) == (
        {**third[6], "is_mine": True, "price": 15.99},
        {**third[7], "is_mine": True},
    )
    for picture, own in ((first, {5}), (second, {6, 7})):
        assert {seat_id for seat_id, seat in picture.items() if seat != third[seat_id]} == own
    assert third[1] == {"seat_id": 1, "status": "available", "is_mine": False}


async def test_several_seats_are_only_sent_in_bulk(cinema):
    socket = await cinema.join()
    await cinema.hold(8, 1, 2, 3)
    await cinema.release(8, 1)
    first, second = await receive(socket), await receive(socket)
    assert first["type"] == "bulk_seat_update"
    assert [update["seat_id"] for update in first["updates"]] == [1, 2, 3]
    assert second["type"] == "seat_update"


async def test_a_client_may_choose_bulk_updates(cinema):
    socket = await cinema.join(updates="bulk")
    await cinema.hold(8, 1)
    await cinema.hold(8, 2)
    assert [(await receive(socket))["type"] for _ in range(2)] == ["bulk_seat_update"] * 2


async def test_a_client_may_choose_single_updates(cinema):
    socket = await cinema.join(updates="single")
    await cinema.hold(8, 1, 2)
    first, last = await receive(socket), await receive(socket)
    assert [(m["type"], m["seat_id"], m.get("seq"), m.get("more")) for m in (first, last)] == [
        ("seat_update", 1, None, True),
        ("seat_update", 2, 1, None),
    ]


async def test_is_mine_is_only_true_for_the_holder(cinema):
    owner, other_tab, other = [await cinema.join(user=user, updates="bulk") for user in (7, 7, 8)]
    await cinema.hold(7, 1)
    for socket, mine in ((owner, True), (other_tab, True), (other, False)):
        (update,) = (await receive(socket))["updates"]
        assert (update["status"], update["reserved_by"], update["is_mine"]) == ("reserved", 7, mine)
    await cinema.book(7, 1)
    for socket, mine in ((owner, True), (other, False)):
        (update,) = (await receive(socket))["updates"]
        assert update == {"seat_id": 1, "status": "booked", "is_mine": mine, "booked_by": 7}


async def test_the_id_of_a_guest_is_sent_as_text_too(cinema):
    """JavaScript rounds it as a number."""
    guest = 2**62 + 1
    socket = await cinema.join(updates="bulk")
    await cinema.hold(guest, 1)
    (seat,) = (await receive(socket))["updates"]
    assert (seat["reserved_by"], seat["holder"]) == (guest, f"user:{guest}")
    await cinema.hold(7, 2)
    (seat,) = (await receive(socket))["updates"]
    assert "holder" not in seat


async def test_a_released_seat_has_previously_reserved_by_and_no_holder(cinema):
    owner, other = await cinema.join(user=7, updates="bulk"), await cinema.join(user=8, updates="bulk")
    await cinema.hold(7, 1)
    await cinema.release(7, 1)
    for socket in (owner, other):
        await receive(socket)
        (update,) = (await receive(socket))["updates"]
        assert update == {
            "seat_id": 1,
            "status": "available",
            "is_mine": False,
            "previously_reserved_by": 7,
        }


async def test_a_ping_is_answered(cinema):
    socket = await cinema.join()
    await socket.send('{"type": "ping", "sent_at": 1}')
    pong = await receive(socket)
    require_documented(pong)
    assert pong["type"] == "pong"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "malformed_json"),
        ("", "malformed_json"),
        ("NaN", "malformed_json"),
        ("[" * 5000, "malformed_json"),
        ("[]", "invalid_message"),
        ("null", "invalid_message"),
        ("{}", "invalid_message"),
        ('{"type": 1}', "invalid_message"),
        ('{"type": "reserve", "seat_id": 1}', "unknown_type"),
        ('{"type": "Ping"}', "unknown_type"),
        (b'{"type": "ping"}', "binary_message"),
    ],
)
async def test_anything_but_a_ping_is_answered_with_an_error(cinema, message, code):
    socket = await cinema.join()
    await socket.send(message)
    error = await receive(socket)
    require_documented(error)
    assert (error["type"], error["code"]) == ("error", code)
    await socket.send('{"type": "ping"}')
    assert (await receive(socket))["type"] == "pong"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"user": None}, (1008, "Authentication required")),
        ({"user": None, "token": ""}, (1008, "Authentication required")),
        ({"token": "nonsense"}, (1008, "Invalid token")),
        ({"token": "%ff%00"}, (1008, "Invalid token")),
        ({"since": "yesterday"}, (1008, "Invalid query")),
        ({"since": -1}, (1008, "Invalid query")),
        ({"since": 2**63, "epoch": 1}, (1008, "Invalid query")),
        ({"updates": "all"}, (1008, "Invalid query")),
        ({"screening": 999}, (4404, "Screening not found")),
        ({"screening": 2**63}, (4404, "Screening not found")),
    ],
)
async def test_refused_clients_get_a_close_code_and_reason(cinema, options, expected):
    socket = await cinema.connect(**options)
    assert await receive_close(socket) == expected
    assert cinema.feed.connections == {}


async def test_an_extremely_long_id_is_not_found(cinema):
    with pytest.raises(InvalidStatus) as refused:
        await cinema.connect(screening="9" * 5000)
    assert refused.value.response.status_code == 404


async def test_pages_of_the_allow_list_and_of_the_server_may_connect(cinema):
    for origin in ("https://cinema.example", f"http://127.0.0.1:{cinema.port}"):
        await cinema.join(headers={"Origin": origin})


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/ws/screenings/1", "GET", 400, "upgrade_required"),
        ("/ws", "GET", 400, "upgrade_required"),
        ("/ws/somebody", "POST", 405, "method_not_allowed"),
        ("/ws/somebody", "BREW", 405, "method_not_allowed"),
        ("/ws/%ff", "GET", 400, "malformed_request"),
    ],
)
async def test_requests_that_are_not_handshakes_are_refused(cinema, path, method, status, code):
    url = f"http://127.0.0.1:{cinema.port}{path}"
    named = {"X-Request-ID": "mine-1"}
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=named) as answer:
        assert (answer.status, (await answer.json())["code"]) == (status, code)
        assert answer.headers["Server"] == "Frontrow"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-ID"] == "mine-1"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://cinema.example.evil.example", "null"])
async def test_pages_of_other_sites_are_refused(cinema, origin, caplog):
    with pytest.raises(InvalidStatus) as refused:
        await cinema.connect(headers={"Origin": origin, "X-Request-ID": "mine-1"})
    response = refused.value.response
    assert response.status_code == 403
    assert json.loads(response.body) == {
        "detail": "This origin is not allowed",
        "code": "origin_not_allowed",
        "retryable": False,
    }
    assert response.headers["X-Request-ID"] == "mine-1"
    logged = [record.fields for record in caplog.records if record.name == "frontrow.access"]
    assert logged == [{"origin": origin, "host": f"127.0.0.1:{cinema.port}", "request_id": "mine-1"}]


async def test_a_socket_is_closed_when_its_token_ends(open_cinema):
    cinema = open_cinema(clock=ManualClock())
    socket = await cinema.join(token=cinema.tokens.issue(7, ttl_seconds=5))
    cinema.clock.advance(5.0)
    assert await receive_close(socket) == (1008, "Token expired")


async def test_a_service_cannot_open_a_socket(cinema):
    socket = await cinema.connect(token=cinema.tokens.issue_to_service("payments", ttl_seconds=60))
    assert await receive_close(socket) == (1008, "Invalid token")


async def test_revoking_a_token_only_closes_its_own_sockets(cinema):
    revoked, same_user, other_user = (cinema.tokens.issue(user, ttl_seconds=60) for user in (7, 7, 8))
    sockets = [await cinema.join(token=token) for token in (revoked, same_user, other_user)]
    token_id = cinema.tokens.verify(revoked).token_id
    cinema.revocations.adopt(RevokedToken(token_id, 7, cinema.clock.now() + 60))
    assert await receive_close(sockets[0]) == (1008, "Token revoked")
    assert await receive_close(await cinema.connect(token=revoked)) == (1008, "Invalid token")
    cinema.revocations.adopt(RevokedUser(7, cinema.clock.now()))
    assert await receive_close(sockets[1]) == (1008, "Token revoked")
    await sockets[2].send('{"type": "ping"}')
    assert (await receive(sockets[2]))["type"] == "pong"


async def test_shutting_down_closes_every_socket_and_refuses_new_ones(cinema):
    sockets = [await cinema.join(user=user) for user in (7, 8)]
    cinema.open_sockets.close_all(1001, "Server is shutting down")
    for socket in (*sockets, await cinema.connect(user=9)):
        assert await receive_close(socket) == (1001, "Server is shutting down")


async def test_watchers_are_counted_by_screening(cinema):
    sockets = [await cinema.join(user=user) for user in (7, 7, 8)]
    assert cinema.watched.by_screening == {SCREENING: 3}
    assert len(cinema.open_sockets) == 3
    for socket in sockets:
        await socket.close()
    await eventually(lambda: cinema.watched.by_screening == {})
    assert (cinema.observer.opened, cinema.observer.closed, len(cinema.open_sockets)) == (3, 3, 0)


async def test_sockets_are_limited_per_user_and_in_total(open_cinema):
    cinema = open_cinema(limits=SocketLimits(sockets_limit=3, sockets_per_user_limit=2))
    watching = [await cinema.join(user=7), await cinema.join(user=7)]
    assert await receive_close(await cinema.connect(user=7)) == (4429, "Too many connections")
    watching.append(await cinema.join(user=8))
    assert await receive_close(await cinema.connect(user=9)) == (1013, "Too many connections")
    await watching[0].close()
    await cinema.join(user=9)


async def test_without_a_tick_simultaneous_changes_arrive_together_as_separate_messages(open_cinema):
    cinema = open_cinema(tick_seconds=0.0)
    raw, _ = await cinema.connect_raw(user=7, updates="bulk")
    owner = await cinema.join(user=8, updates="bulk")
    await asyncio.gather(cinema.hold(8, 1), cinema.hold(9, 2, 3), cinema.hold(8, 4))
    wire = await asyncio.get_running_loop().sock_recv(raw, 65_536)
    client = Protocol(CLIENT)
    client.receive_data(wire)
    messages = [json.loads(bytes(frame.data)) for frame in client.events_received()]
    for message in messages:
        require_documented(message)
    assert [message["seq"] for message in messages] == [1, 2, 3]
    assert [[update["seat_id"] for update in message["updates"]] for message in messages] == [
        [1],
        [2, 3],
        [4],
    ]
    own = [await receive(owner) for _ in messages]
    assert [message["updates"][0]["is_mine"] for message in own] == [True, False, True]
    raw.close()


async def test_messages_sent_with_the_handshake_are_answered_after_the_confirmation(cinema):
    ping = Frame(Opcode.TEXT, b'{"type":"ping"}').serialize(mask=True, extensions=[])
    raw, answer = await cinema.connect_raw(after=ping)
    while b"pong" not in answer:
        answer += await asyncio.get_running_loop().sock_recv(raw, 4096)
    assert answer.index(b"101") < answer.index(b"connection_confirmed") < answer.index(b"pong")
    raw.close()


async def test_a_client_that_half_closes_is_disconnected(cinema):
    raw, _ = await cinema.connect_raw()
    raw.shutdown(SHUT_WR)
    await eventually(lambda: len(cinema.open_sockets) == 0)
    raw.close()


async def test_an_open_socket_keeps_no_reference_to_its_handshake(cinema):
    gc.collect()
    gc.disable()
    try:
        watching = await cinema.join()
        await eventually(lambda: not any(issubclass(type(kept), Handshake) for kept in gc.get_objects()))
        await cinema.hold(8, 1)
        assert (await receive(watching))["seat_id"] == 1
    finally:
        gc.enable()


async def test_resuming_replays_missed_changes(cinema):
    await cinema.hold(7, 1, 2)
    socket = await cinema.join()
    await cinema.hold(7, 3)
    seen = await receive(socket)
    await socket.close()
    await cinema.release(7, 1)
    await cinema.hold(8, 1)
    await cinema.book(7, 2)
    back = await cinema.connect(since=seen["seq"], epoch=seen["epoch"], updates="bulk")
    confirmed, missed = await receive(back), await receive(back)
    assert (confirmed["seq"], confirmed["epoch"]) == (seen["seq"], seen["epoch"])
    require_documented(missed)
    assert {u["seat_id"]: (u["status"], u["is_mine"]) for u in missed["updates"]} == {
        1: ("reserved", False),
        2: ("booked", True),
    }
    await cinema.hold(8, 9)
    live = await receive(back)
    assert [update["seat_id"] for update in live["updates"]] == [9]
    assert live["seq"] > missed["seq"]


async def test_resuming_without_missed_changes_sends_nothing(cinema):
    await cinema.hold(7, 1)
    socket = await cinema.join(since=1, epoch=1)
    await cinema.hold(7, 2)
    assert (await receive(socket))["seat_id"] == 2


@pytest.mark.parametrize("position", [{"since": 0, "epoch": 1}, {"since": 1}, {"since": 99, "epoch": 1}])
async def test_an_unknown_position_gets_a_snapshot(open_cinema, position):
    cinema = open_cinema(seats=1500, change_memory=3)
    for seat in range(1, 7):
        await cinema.hold(8, seat)
    await cinema.book(7, 1500)
    socket = await cinema.connect(**position)
    confirmed = await receive(socket)
    assert (confirmed["seq"], confirmed["epoch"]) == (0, 0)
    parts = [await receive(socket)]
    while "seq" not in parts[-1]:
        parts.append(await receive(socket))
    for part in parts:
        require_documented(part)
        assert part["snapshot"] is True
        assert len(json.dumps(part, separators=(",", ":"))) <= 32 * 1024
    assert [part.get("more") for part in parts] == [True] * (len(parts) - 1) + [None]
    assert len(parts) > 1
    picture = Picture()
    for part in parts:
        picture.apply(part)
    assert picture.seats == await cinema.truth()
    assert parts[-1]["updates"][-1]["is_mine"] is True
    await cinema.hold(8, 100)
    assert (await receive(socket))["seat_id"] == 100


async def test_five_hundred_clients_converge_on_the_true_state(open_cinema):
    cinema = open_cinema(seats=400)
    sockets = [await cinema.join(user=1 + number % 60) for number in range(500)]
    pictures = [Picture() for _ in sockets]

    async def sell(user):
        for seat in range(user, 401, 10):
            await cinema.hold(user, seat)
            await (cinema.release if seat % 3 == 0 else cinema.book)(user, seat)
            await asyncio.sleep(0.001)

    async def watch(number):
        """Follow the updates; every tenth client disconnects in between and resumes."""
        picture, socket = pictures[number], sockets[number]
        if number % 10 == 0:
            await picture.follow(socket, until=100 + number)
            await socket.close()
            await asyncio.sleep(0.1)
            socket = await cinema.connect(user=1, since=picture.seq, epoch=picture.epoch)
        await picture.follow(socket)

    watching = [asyncio.create_task(watch(number)) for number in range(500)]
    await asyncio.gather(*(sell(user) for user in range(1, 11)))
    last, truth = await cinema.last_seq(), await cinema.truth()
    await eventually(lambda: all(picture.seq == last for picture in pictures))
    assert cinema.observer.dropped == 0
    assert all(picture.over(truth) == truth for picture in pictures)
    for task in watching:
        task.cancel()
