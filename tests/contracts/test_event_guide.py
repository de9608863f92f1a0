"""The event booking socket's guide, section by section, with the real server.

Every message is compared with the guide's example: the same fields, no others, of the same types.
"""

import re
import time
from typing import Any

import pytest

from tests.contracts.conftest import OpenHall
from tests.contracts.guide_events import (
    BALCONY,
    CAPACITY,
    EVENT,
    FREE_ROOM,
    INVITED,
    PRIVATE_EVENT,
    SCREENING,
    SEATS,
    STANDING,
    USER,
    EventHall,
)

pytestmark = pytest.mark.gen_test

_AT = "2024-11-11T10:30:00.000Z"
_EXAMPLES: dict[str, dict[str, Any]] = {
    "connection_established": {
        "type": "connection_established",
        "clientId": "ws_1699123456789_abc123",
        "eventId": 123,
        "timestamp": _AT,
    },
    "subscribed": {"type": "subscribed", "eventId": 123, "timestamp": _AT},
    "unsubscribed": {"type": "unsubscribed", "eventId": 123, "timestamp": _AT},
    "seat_update": {
        "type": "seat_update",
        "eventId": 123,
        "availableSeats": 45,
        "seatCapacity": 100,
        "timestamp": _AT,
    },
    "booking_created": {"type": "booking_created", "eventId": 123, "availableSeats": 44, "timestamp": _AT},
    "booking_cancelled": {
        "type": "booking_cancelled",
        "eventId": 123,
        "availableSeats": 45,
        "timestamp": _AT,
    },
    "pong": {"type": "pong", "timestamp": _AT},
    "stats": {
        "type": "stats",
        "data": {"totalClients": 15, "eventSubscriptions": 8},
        "timestamp": _AT,
    },
    "error": {"type": "error", "message": "Invalid message format", "timestamp": _AT},
}
_FORMS = {
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "clientId": re.compile(r"ws_\d{13}_[a-z0-9]{6}"),
}


def assert_as_shown(message: dict[str, Any], /, **values: Any) -> None:
    """Compare a message with the guide's example of its type, and with the expected values."""
    example = _EXAMPLES[message["type"]] | values
    assert message.keys() == example.keys()
    for name, shown in example.items():
        value = message[name]
        assert type(value) is type(shown)
        if name in _FORMS and name not in values:
            assert _FORMS[name].fullmatch(value), f"{name} is {value!r}"
        else:
            assert value == shown, f"{name} is {value!r}"


# Endpoints


async def test_1_general_connection(hall: EventHall) -> None:
    async with hall.socket() as one, hall.socket() as other:
        first, second = await one.next(), await other.next()
        for message in (first, second):
            # There is no subscription, so the message names no event.
            assert_as_shown(message | {"eventId": 123})
            assert "eventId" not in message
        assert first["clientId"] != second["clientId"]
        await one.send(type="subscribe_event", eventId=EVENT)
        assert [message["type"] for message in await one.next_of(2)] == ["subscribed", "seat_update"]
        await one.send(type="subscribe_event", eventId=SCREENING)
        confirmed, counts = await one.next_of(2)
        assert_as_shown(confirmed, eventId=SCREENING)
        assert_as_shown(counts, eventId=SCREENING, availableSeats=SEATS, seatCapacity=SEATS)


async def test_2_event_specific_connection(hall: EventHall) -> None:
    async with hall.socket(EVENT) as socket:
        established, counts = await socket.next_of(2)
        assert_as_shown(established)
        assert_as_shown(counts, availableSeats=CAPACITY)
        await hall.buyer.reserved(STANDING, 1)
        assert_as_shown(await socket.next(), type="seat_update", availableSeats=CAPACITY - 1)


# Message types


async def test_subscribing_and_unsubscribing(hall: EventHall) -> None:
    await hall.buyer.reserved(STANDING, 55)
    async with hall.socket() as socket:
        await socket.next()
        await socket.send(type="subscribe_event", eventId=EVENT)
        confirmed, counts = await socket.next_of(2)
        assert_as_shown(confirmed, type="subscribed")
        assert_as_shown(counts, type="seat_update")
        await socket.send(type="unsubscribe_event", eventId=EVENT)
        assert_as_shown(await socket.next(), type="unsubscribed")
        await hall.buyer.reserved(BALCONY, 1)
        await socket.send(type="ping")
        assert_as_shown(await socket.next(), type="pong")


async def test_bookings_and_cancellations(hall: EventHall) -> None:
    await hall.buyer.reserved(STANDING, 55)
    async with hall.socket(EVENT) as socket:
        await socket.next_of(2)
        reservation = await hall.buyer.reserved(BALCONY, 1)
        assert_as_shown(await socket.next(), type="seat_update", availableSeats=44)
        (ticket,) = await hall.buy(reservation)
        created, counts = await socket.next_of(2)
        assert_as_shown(created, type="booking_created")
        assert_as_shown(counts, type="seat_update", availableSeats=44)
        await hall.cancel(ticket)
        cancelled, counts = await socket.next_of(2)
        assert_as_shown(cancelled, type="booking_cancelled")
        assert_as_shown(counts, type="seat_update")


async def test_one_booking_of_several_tickets_is_sent_once(hall: EventHall) -> None:
    async with hall.socket(EVENT) as socket:
        await socket.next_of(2)
        await hall.buy(await hall.buyer.reserved(BALCONY, 4), 4)
        reserved, created, counts = await socket.next_of(3)
        assert_as_shown(reserved, type="seat_update", availableSeats=96)
        assert_as_shown(created, type="booking_created", availableSeats=96)
        assert_as_shown(counts, type="seat_update", availableSeats=96)


async def test_seats_of_a_cinema_are_reported_like_places_of_an_event(hall: EventHall) -> None:
    async with hall.socket(SCREENING) as socket:
        await socket.next_of(2)
        user = hall.user()
        await user.reserve(SCREENING, [41, 42])
        assert_as_shown(
            await socket.next(), type="seat_update", eventId=SCREENING, availableSeats=8, seatCapacity=SEATS
        )
        (ticket, _) = (await user.book(SCREENING, [41, 42])).json
        created, _ = await socket.next_of(2)
        assert_as_shown(created, type="booking_created", eventId=SCREENING, availableSeats=8)
        await user.cancel_ticket(ticket["id"])
        cancelled, _ = await socket.next_of(2)
        assert_as_shown(cancelled, type="booking_cancelled", eventId=SCREENING, availableSeats=9)


async def test_holds_only_change_the_counts(hall: EventHall) -> None:
    async with hall.socket(EVENT) as socket:
        await socket.next_of(2)
        reservation = await hall.buyer.reserved(STANDING, 10)
        assert_as_shown(await socket.next(), type="seat_update", availableSeats=90)
        await hall.buyer.cancel(reservation)
        assert_as_shown(await socket.next(), type="seat_update", availableSeats=100)


async def test_seats_that_are_added_change_the_counts(hall: EventHall) -> None:
    async with hall.socket(SCREENING) as socket:
        await socket.next_of(2)
        seats = [{"row_label": "B", "seat_number": number} for number in (1, 2)]
        assert (await hall.admin.send("POST", "/api/v1/rooms/1/seats/bulk", {"seats": seats})).status == 201
        assert_as_shown(
            await socket.next(),
            type="seat_update",
            eventId=SCREENING,
            availableSeats=SEATS + 2,
            seatCapacity=SEATS + 2,
        )


async def test_a_raised_capacity_changes_the_counts(hall: EventHall) -> None:
    async with hall.socket(EVENT) as socket:
        await socket.next_of(2)
        raised = await hall.admin.send("PATCH", f"/api/admin/ticket-types/{BALCONY}", {"capacity": 50})
        assert raised.status == 200
        assert_as_shown(await socket.next(), type="seat_update", availableSeats=110, seatCapacity=110)


async def test_a_pending_ticket_that_lapses_is_a_cancelled_booking(open_hall: OpenHall) -> None:
    hall = await open_hall(payment_window_seconds=1)
    async with hall.socket(SCREENING) as socket:
        await socket.next_of(2)
        await hall.user().book(SCREENING, [41], payment_pending=True)
        created = await socket.until("booking_created")
        assert_as_shown(created, eventId=SCREENING, availableSeats=9)
        cancelled = await socket.until("booking_cancelled")
        assert_as_shown(cancelled, eventId=SCREENING, availableSeats=10)
        assert_as_shown(
            await socket.next(), type="seat_update", eventId=SCREENING, availableSeats=10, seatCapacity=SEATS
        )


async def test_statistics_count_this_endpoint(hall: EventHall) -> None:
    async with hall.socket(EVENT) as one, hall.socket() as other:
        await one.next_of(2)
        await other.next()
        await other.send(type="subscribe_event", eventId=EVENT)
        await other.send(type="subscribe_event", eventId=SCREENING)
        await other.next_of(4)
        await other.send(type="get_stats")
        assert_as_shown(await other.next(), data={"totalClients": 2, "eventSubscriptions": 3})
    public = (await hall.guest.send("GET", "/ws/stats")).json
    assert public == {"total_connections": 0, "active_screenings": [], "screening_details": {}}


async def test_buyers_stay_anonymous(hall: EventHall) -> None:
    """The privacy section: exactly the fields of the examples, so no ids of buyers or bookings."""
    async with hall.socket(SCREENING, user=INVITED) as socket:
        await socket.next_of(2)
        (ticket,) = (await hall.user().book(SCREENING, [41], payment_id="pay-1")).json
        await hall.user().cancel_ticket(ticket["id"])
        types = []
        while "booking_cancelled" not in types:
            message = await socket.next()
            types.append(message["type"])
            assert set(message) == set(_EXAMPLES[message["type"]])
        assert "booking_created" in types


# Client implementation examples


async def test_the_guides_client_follows_an_event(hall: EventHall) -> None:
    async with hall.page("event_page.mjs", hall.token(USER)) as page:
        page.send([["connectToEvent", EVENT]])
        assert await page.next() == ["WebSocket connected"]
        words, client_id = await page.next()
        assert words == "Connected with client ID:"
        assert _FORMS["clientId"].fullmatch(client_id)
        assert await page.next() == ["Event 123: 100/100 seats available"]
        reservation = await hall.buyer.reserved(BALCONY, 2)
        assert await page.next() == ["Event 123: 98/100 seats available"]
        ticket, _ = await hall.buy(reservation, 2)
        # The client reads an id that the guide's privacy section forbids.
        assert await page.next() == ["New booking created: undefined for event 123"]
        assert await page.next() == ["Event 123: 98/100 seats available"]
        await hall.cancel(ticket)
        assert await page.next() == ["Booking cancelled: undefined for event 123"]
        assert await page.next() == ["Event 123: 99/100 seats available"]
        page.send([["ping"]])
        words, message = await page.next()
        assert words == "Received message:"
        assert_as_shown(message, type="pong")


async def test_the_guides_usage_subscribes_before_the_socket_is_open(
    hall: EventHall,
) -> None:
    """`connect()` directly followed by `subscribeToEvent(123)`: the client's own `send` drops the message.

    After the socket has opened, it works.
    """
    async with hall.page("event_page.mjs", hall.token(USER)) as page:
        page.send([["connect"], ["subscribeToEvent", EVENT]])
        assert await page.next() == ["WebSocket connected"]
        assert (await page.next())[0] == "Connected with client ID:"
        page.send([["send", {"type": "get_stats"}]])
        _, statistics = await page.next()
        assert_as_shown(statistics, data={"totalClients": 1, "eventSubscriptions": 0})
        page.send([["subscribeToEvent", EVENT]])
        _, confirmed = await page.next()
        assert_as_shown(confirmed, type="subscribed")
        assert await page.next() == ["Event 123: 100/100 seats available"]
        page.send([["unsubscribeFromEvent", EVENT]])
        _, ended = await page.next()
        assert_as_shown(ended, type="unsubscribed")


async def test_the_guides_client_without_a_good_token_is_disconnected(hall: EventHall) -> None:
    async with hall.page("event_page.mjs", "nonsense") as page:
        page.send([["connect"]])
        assert await page.next() == ["WebSocket connected"]
        assert await page.next() == ["WebSocket disconnected"]


async def test_the_guides_react_hook_shows_an_event(hall: EventHall) -> None:
    async with hall.page("event_component.mjs") as page:

        async def until(**shown: Any) -> dict[str, Any]:
            """Return the next rendering with these values."""
            while not shown.items() <= (rendering := await page.next()).items():
                pass
            return rendering

        def seats(available: int, capacity: int = CAPACITY) -> dict[str, int]:
            return {"availableSeats": available, "seatCapacity": capacity}

        page.send([EVENT, None])
        assert await page.next() == {"isConnected": False, "seatData": None, "lastUpdate": None}
        page.send([EVENT, hall.token(USER)])
        rendering = await until(isConnected=True, seatData=seats(100))
        assert _FORMS["timestamp"].fullmatch(rendering["lastUpdate"])
        reservation = await hall.buyer.reserved(STANDING, 3)
        await until(isConnected=True, seatData=seats(97))
        ticket, *_ = await hall.buy(reservation, 3)
        # The hook cannot know the capacity from a booking alone; the counts that follow have it.
        await until(seatData=seats(97))
        await hall.cancel(ticket)
        await until(seatData=seats(98))
        page.send([str(SCREENING), hall.token(USER)])
        await until(seatData=seats(SEATS, SEATS))
        page.send(None)
        async with hall.socket() as socket:
            await socket.next()
            clients = 2
            while clients > 1:
                await socket.send(type="get_stats")
                clients = (await socket.next())["data"]["totalClients"]


# Error handling


@pytest.mark.parametrize("event", [None, EVENT])
async def test_connection_errors(hall: EventHall, event: int | None) -> None:
    expired = hall.tokens.issue(USER, ttl_seconds=1, issued_at=time.time() - 10)
    for token, reason in (
        ("", "Authentication Required"),
        ("nonsense", "Invalid Token"),
        (expired, "Invalid Token"),
    ):
        async with hall.socket(event, token=token) as socket:
            assert await socket.farewell() == (1008, reason)


async def test_message_errors(hall: EventHall) -> None:
    async with hall.socket() as socket:
        await socket.next()
        await socket.send_text("{not JSON")
        malformed = await socket.next()
        assert_as_shown(malformed, type="error", code="malformed_json")
        for asked, code, reason in (
            ({"type": "book_event"}, "unknown_type", "Unknown message type"),
            ({"type": "subscribe_event"}, "missing_field", "Missing required field: eventId"),
        ):
            await socket.send(**asked)
            assert_as_shown(await socket.next(), type="error", code=code, message=reason)
        await socket.send(type="unsubscribe_event", eventId=EVENT)
        refused = await socket.next()
        assert_as_shown(
            refused,
            type="error",
            code="not_subscribed",
            message="Not subscribed to this event",
            eventId=EVENT,
        )


# Security considerations


async def test_authorization(hall: EventHall) -> None:
    admin = hall.token(1, admin=True)
    async with hall.socket(PRIVATE_EVENT, INVITED) as guest, hall.socket(PRIVATE_EVENT, token=admin) as host:
        for socket in (guest, host):
            assert_as_shown(await socket.next(), type="connection_established", eventId=PRIVATE_EVENT)
    for event in (PRIVATE_EVENT, FREE_ROOM, 999):
        async with hall.socket(event) as stranger:
            assert await stranger.farewell() == (4404, "Event not found")
        async with hall.socket() as stranger:
            await stranger.next()
            await stranger.send(type="subscribe_event", eventId=event)
            assert_as_shown(
                await stranger.next(),
                type="error",
                code="event_not_found",
                message="Event not found",
                eventId=event,
            )


async def test_connection_and_subscription_limits(open_hall: OpenHall) -> None:
    hall = await open_hall(sockets_per_user_limit=1, socket_subscriptions_limit=1)
    async with hall.socket(EVENT) as socket:
        await socket.next_of(2)
        async with hall.socket() as second:
            assert await second.farewell() == (4429, "Too many connections")
        await socket.send(type="subscribe_event", eventId=SCREENING)
        assert (await socket.next())["code"] == "too_many_subscriptions"


async def test_tokens_can_be_revoked(hall: EventHall) -> None:
    user = hall.user()
    async with hall.socket(EVENT) as bystander, hall.socket(token=user.token) as socket:
        await bystander.next_of(2)
        await socket.next()
        await user.send("POST", "/api/v1/auth/logout")
        assert await socket.farewell() == (1008, "Token revoked")
        await bystander.send(type="ping")
        assert_as_shown(await bystander.next(), type="pong")
    async with hall.socket(token=user.token) as socket:
        assert await socket.farewell() == (1008, "Invalid Token")
