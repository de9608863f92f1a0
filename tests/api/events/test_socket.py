"""The event sockets, beyond the guide: limits, refusals and concurrency."""

import asyncio
import json

import pytest

from api.events.messages import EVENT_SERVER_MESSAGES
from api.limits import SocketLimits
from engine.accounts import RevokedToken
from engine.memory import ManualClock
from tests.api.cinema import SCREENING, Cinema, eventually, receive, receive_close

pytestmark = pytest.mark.gen_test

SCHEMAS = {schema().fields["type"].validate.comparable: schema() for schema in EVENT_SERVER_MESSAGES}


async def next_message(socket):
    """Return the next message, validated by its documented schema."""
    message = await receive(socket)
    assert SCHEMAS[message["type"]].validate(message) == {}
    return message


async def next_types(socket, number):
    return [(await next_message(socket))["type"] for _ in range(number)]


async def say(socket, **message):
    await socket.send(json.dumps(message))


async def follow(cinema: Cinema, user: int = 7, event: int | None = None):
    """Connect and receive the first messages."""
    socket = await cinema.follow(user, event)
    expected = ["connection_established"] if event is None else ["connection_established", "seat_update"]
    assert await next_types(socket, len(expected)) == expected
    return socket


async def subscribe(socket, event=SCREENING):
    await say(socket, type="subscribe_event", eventId=event)
    assert await next_types(socket, 2) == ["subscribed", "seat_update"]


async def error_code(socket, **message) -> str:
    """Send a message and return the code of the error it causes."""
    await say(socket, **message)
    refusal = await next_message(socket)
    assert refusal["type"] == "error"
    return refusal["code"]


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("{", "malformed_json", "Invalid message format"),
        ("NaN", "malformed_json", "Invalid message format"),
        (b'{"type":"ping"}', "binary_message", "Invalid message format: JSON text is expected, not binary"),
        ("[]", "invalid_message", 'Invalid message format: an object with a "type" is expected'),
        ("{}", "invalid_message", 'Invalid message format: an object with a "type" is expected'),
        ('{"type":"book_event"}', "unknown_type", "Unknown message type"),
        ('{"type":"subscribe_event"}', "missing_field", "Missing required field: eventId"),
        ('{"type":"unsubscribe_event","eventId":null}', "missing_field", "Missing required field: eventId"),
    ],
)
async def test_invalid_messages_are_answered_with_an_error(cinema, message, code, reason):
    socket = await follow(cinema)
    await socket.send(message)
    error = await next_message(socket)
    assert error == {"type": "error", "code": code, "message": reason, "timestamp": error["timestamp"]}
    await say(socket, type="ping")
    assert await next_types(socket, 1) == ["pong"]


@pytest.mark.parametrize(
    "event", ["true", "123.0", "1e2", '"12a"', '""', "[123]", "{}", "0", "-1", str(2**63), "1" * 25, '"٣"']
)
async def test_invalid_event_ids_are_refused(cinema, event):
    socket = await follow(cinema)
    await socket.send(f'{{"type":"subscribe_event","eventId":{event}}}')
    assert (await next_message(socket))["code"] == "invalid_event_id"


async def test_an_event_id_may_be_a_string_and_is_returned_as_a_number(cinema):
    socket = await follow(cinema)
    await say(socket, type="subscribe_event", eventId=str(SCREENING))
    assert (await next_message(socket))["eventId"] == SCREENING
    await say(socket, type="unsubscribe_event", eventId=str(SCREENING))
    assert await next_types(socket, 2) == ["seat_update", "unsubscribed"]


async def test_too_many_invalid_messages_close_the_socket_but_refusals_do_not(open_cinema):
    cinema = open_cinema(limits=SocketLimits(bad_messages=2))
    socket = await follow(cinema)
    for _ in range(5):
        assert await error_code(socket, type="subscribe_event", eventId=999) == "event_not_found"
    for _ in range(2):
        assert await error_code(socket, type="subscribe_event") == "missing_field"
    assert await receive_close(socket) == (1008, "Too many invalid messages")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"user": None}, (1008, "Authentication Required")),
        ({"user": None, "token": ""}, (1008, "Authentication Required")),
        ({"token": "nonsense"}, (1008, "Invalid Token")),
        ({"event": 999}, (4404, "Event not found")),
        ({"event": 0}, (4404, "Event not found")),
        ({"event": 2**63}, (4404, "Event not found")),
    ],
)
async def test_refused_clients_get_a_close_code_and_reason(cinema, options, expected):
    socket = await cinema.follow(**options)
    assert await receive_close(socket) == expected
    await eventually(lambda: len(cinema.open_sockets) == 0)
    assert (cinema.feed.connections, cinema.event_services.counts.clients) == ({}, 0)


async def test_private_events_look_missing_to_users_who_are_not_invited(cinema):
    cinema.guest_list.events[SCREENING] = {8}
    stranger, guest = await follow(cinema, 7), await follow(cinema, 8)
    refusals = []
    for event in (SCREENING, 999):
        await say(stranger, type="subscribe_event", eventId=event)
        refusals.append(await next_message(stranger))
    for refusal in refusals:
        del refusal["eventId"], refusal["timestamp"]
    assert refusals[0] == refusals[1]
    assert await receive_close(await cinema.follow(7, SCREENING)) == (4404, "Event not found")
    await subscribe(guest)
    admin = cinema.tokens.issue(1, admin=True, ttl_seconds=60)
    assert await next_types(await cinema.follow(1, SCREENING, token=admin), 1) == ["connection_established"]
    await cinema.book(9, 1)
    await guest.recv()
    await say(stranger, type="ping")
    assert await next_types(stranger, 1) == ["pong"]


async def test_resubscribing_without_authorization_ends_the_subscription(cinema):
    socket = await follow(cinema)
    await subscribe(socket)
    cinema.guest_list.events[SCREENING] = {8}
    assert await error_code(socket, type="subscribe_event", eventId=SCREENING) == "event_not_found"
    assert await error_code(socket, type="unsubscribe_event", eventId=SCREENING) == "not_subscribed"
    assert cinema.feed.connections == {}


async def test_subscribing_twice_is_confirmed_twice_and_sends_changes_once(cinema):
    socket = await follow(cinema, event=SCREENING)
    await subscribe(socket)
    assert cinema.feed.connections == {SCREENING: 1}
    await cinema.hold(8, 1)
    assert (await next_message(socket))["availableSeats"] == 39
    await say(socket, type="ping")
    assert await next_types(socket, 1) == ["pong"]


async def test_unsubscribing_stops_the_updates(cinema):
    socket = await follow(cinema, event=SCREENING)
    await say(socket, type="unsubscribe_event", eventId=SCREENING)
    assert await next_types(socket, 1) == ["unsubscribed"]
    assert await error_code(socket, type="unsubscribe_event", eventId=SCREENING) == "not_subscribed"
    await cinema.hold(8, 1)
    await say(socket, type="ping")
    assert await next_types(socket, 1) == ["pong"]


async def test_subscriptions_per_socket_are_limited(open_cinema):
    cinema = open_cinema(screenings=3, limits=SocketLimits(socket_subscriptions_limit=2))
    cinema.guest_list.events = {SCREENING + number: None for number in range(3)}
    socket = await follow(cinema, event=SCREENING)
    await subscribe(socket, SCREENING + 1)
    assert await error_code(socket, type="subscribe_event", eventId=SCREENING + 2) == "too_many_subscriptions"
    await subscribe(socket, SCREENING + 1)
    await say(socket, type="unsubscribe_event", eventId=SCREENING)
    assert await next_types(socket, 1) == ["unsubscribed"]
    await subscribe(socket, SCREENING + 2)


async def test_sockets_of_all_endpoints_count_towards_the_limit_of_their_user(open_cinema):
    cinema = open_cinema(limits=SocketLimits(sockets_per_user_limit=2))
    await cinema.join(user=7)
    await follow(cinema, 7)
    assert await receive_close(await cinema.follow(7)) == (4429, "Too many connections")
    await follow(cinema, 8)


async def test_a_socket_is_closed_when_its_token_ends(open_cinema):
    cinema = open_cinema(clock=ManualClock())
    revoked = cinema.tokens.issue(7, ttl_seconds=60)
    socket = await cinema.follow(token=revoked)
    short = await cinema.follow(token=cinema.tokens.issue(7, ttl_seconds=5), event=SCREENING)
    await next_types(socket, 1)
    await next_types(short, 1)
    token_id = cinema.tokens.verify(revoked).token_id
    cinema.revocations.adopt(RevokedToken(token_id, 7, cinema.clock.now() + 60))
    assert await receive_close(socket) == (1008, "Token revoked")
    cinema.clock.advance(5.0)
    assert await receive_close(short) == (1008, "Token expired")


async def test_without_a_database_subscriptions_and_new_sockets_are_refused(cinema):
    socket = await follow(cinema)
    cinema.guest_list.away = True
    assert await error_code(socket, type="subscribe_event", eventId=SCREENING) == "unavailable"
    assert await receive_close(await cinema.follow(7, SCREENING)) == (1013, "Try again later")
    cinema.guest_list.away = False
    await subscribe(socket)


async def test_waiting_for_the_database_ends_after_the_timeout(open_cinema):
    cinema = open_cinema(limits=SocketLimits(ask_timeout_seconds=0.1))
    socket = await follow(cinema)
    cinema.guest_list.asked = asyncio.Event().wait
    assert await error_code(socket, type="subscribe_event", eventId=SCREENING) == "unavailable"
    assert await receive_close(await cinema.follow(7, SCREENING)) == (1013, "Try again later")


async def test_messages_are_answered_in_order_while_a_subscription_is_pending(cinema):
    socket = await follow(cinema)
    go_on = asyncio.Event()
    cinema.guest_list.asked = go_on.wait
    await say(socket, type="subscribe_event", eventId=SCREENING)
    await say(socket, type="ping")
    await say(socket, type="unsubscribe_event", eventId=SCREENING)
    go_on.set()
    assert await next_types(socket, 4) == ["subscribed", "seat_update", "pong", "unsubscribed"]


@pytest.mark.parametrize("event", [None, SCREENING])
async def test_a_client_that_disconnects_during_a_subscription_leaves_nothing_behind(cinema, event):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hesitate():
        asked.set()
        await go_on.wait()

    cinema.guest_list.asked = hesitate
    socket = await cinema.follow(7, event)
    if event is None:
        await say(socket, type="subscribe_event", eventId=SCREENING)
    await asked.wait()
    socket.transport.abort()
    await follow(cinema, 8)
    go_on.set()
    await eventually(lambda: len(cinema.open_sockets) == 1)
    counts = cinema.event_services.counts
    assert (cinema.feed.connections, counts.clients, counts.subscriptions) == ({}, 1, 0)


async def test_simultaneous_bookings_get_one_message_each(open_cinema):
    cinema = open_cinema(clock=ManualClock(), tick_seconds=0.2)
    socket = await follow(cinema, event=SCREENING)
    await cinema.hold(9, 40)
    cinema.clock.advance(0)
    assert (await next_message(socket))["availableSeats"] == 39
    await asyncio.gather(*(cinema.book(user, user) for user in (1, 2, 3)))
    cinema.clock.advance(0.2)
    messages = [await next_message(socket) for _ in range(4)]
    assert [m["type"] for m in messages] == ["booking_created"] * 3 + ["seat_update"]
    assert messages[-1]["availableSeats"] == 36


async def test_socket_statistics_of_screenings_do_not_reveal_followed_events(cinema):
    await cinema.join()
    socket = await follow(cinema, 8, SCREENING)
    assert cinema.watched.by_screening == {SCREENING: 1}
    await say(socket, type="get_stats")
    assert (await next_message(socket))["data"] == {"totalClients": 1, "eventSubscriptions": 1}


async def test_a_hundred_followers_converge_on_the_true_counts(open_cinema):
    cinema = open_cinema(seats=200)
    sockets = [await follow(cinema, 1 + number % 50) for number in range(100)]
    counts = [None] * len(sockets)

    async def watch(number):
        async for message in sockets[number]:
            update = json.loads(message)
            if update["type"] == "seat_update":
                counts[number] = update["availableSeats"]

    async def sell(user):
        for seat in range(user, 201, 10):
            await cinema.hold(user, seat)
            await (cinema.release if seat % 4 == 0 else cinema.book)(user, seat)

    watching = [asyncio.create_task(watch(number)) for number in range(len(sockets))]
    selling = asyncio.gather(*(sell(user) for user in range(1, 11)))
    for socket in sockets:
        # Subscribe during the sales, so that counts and changes interleave in every order.
        await say(socket, type="subscribe_event", eventId=SCREENING)
        await asyncio.sleep(0)
    await selling
    await eventually(lambda: counts == [50] * len(sockets))
    for task in watching:
        task.cancel()
