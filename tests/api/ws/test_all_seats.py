"""A change that shows all seats leads every kind of socket to the present state, whatever it has missed."""

import pytest

from cluster.missed import Missed, read_missed
from cluster.publishing import Position
from engine.commands import HoldSeats
from tests.api.cinema import SCREENING, Cinema, Picture, receive
from tests.api.rooms.test_socket import ROOM, joined, next_message, room_message

pytestmark = pytest.mark.gen_test(timeout=60)

ALL = range(1, 41)


class Lost:
    """While this lasts, the sockets miss every change."""

    def __init__(self, cinema: Cinema) -> None:
        self._feed = cinema.feed

    def __enter__(self) -> None:
        self._feed.publish = lambda change: None

    def __exit__(self, *_: object) -> None:
        del self._feed.publish


async def show_all(cinema: Cinema, screening: int = SCREENING) -> Missed:
    missed = await read_missed(cinema.ask, screening, lambda: Position(7, 7), cinema.clock.now())
    assert missed.reloaded
    for change in missed.changes:
        cinema.feed.publish(change)
    return missed


async def test_a_screening_socket_gets_the_state_of_every_seat(cinema: Cinema) -> None:
    socket, picture = await cinema.join(7), Picture()
    await cinema.hold(7, 1, 2)
    await picture.follow(socket, until=1)
    with Lost(cinema):
        await cinema.release(7, 1)
        await cinema.hold(8, 3)
        await cinema.book(8, 3, 4)
    missed = await show_all(cinema)
    await picture.follow(socket, until=missed.position.seq)
    assert picture.over(ALL) == await cinema.truth()
    assert (picture.epoch, picture.seq) == missed.position
    await cinema.hold(9, 5)
    await picture.follow(socket, until=missed.position.seq + 1)
    assert picture.over(ALL) == await cinema.truth()


async def test_an_event_socket_gets_the_counts(cinema: Cinema) -> None:
    socket = await cinema.follow(7, SCREENING)
    assert [(await receive(socket))["type"] for _ in range(2)] == ["connection_established", "seat_update"]
    with Lost(cinema):
        await cinema.hold(8, 1, 2, 3)
    await show_all(cinema)
    counts = await receive(socket)
    assert (counts["type"], counts["availableSeats"], counts["seatCapacity"]) == ("seat_update", 37, 40)


async def test_a_room_socket_gets_the_selections_as_if_it_had_joined_again(cinema: Cinema) -> None:
    ana, ben = await joined(cinema, "ana"), await joined(cinema, "ben")
    await ana.send(room_message("select_seat", "A1", user_info={"name": "Ana"}))
    assert (await next_message(ana))["type"] == "seat_selected"
    assert (await next_message(ben))["type"] == "seat_selected"
    with Lost(cinema):
        await cinema.hold(8, 2)
        await ana.send(room_message("select_seat", "A3"))
        assert (await next_message(ana))["seat_id"] == "A3"
        await ana.send(room_message("release_seat", "A1"))
        assert (await next_message(ana))["seat_id"] == "A1"
    await show_all(cinema)
    for name, socket in (("ana", ana), ("ben", ben)):
        assert await next_message(socket) == {"type": "room_joined", "room_id": ROOM, "client_id": name}
        listed = await next_message(socket)
        assert listed["type"] == "current_selections"
        assert {one["seat_id"]: one["client_id"] for one in listed["selections"]}.keys() == {"A2", "A3"}
        # The room may have been changed too.
        assert await next_message(socket) == {"type": "room_changed", "room_id": ROOM}
    # Later changes follow as usual; the client that caused one only gets its response.
    await ben.send(room_message("select_seat", "A4"))
    assert [(await next_message(socket))["seat_id"] for socket in (ana, ben)] == ["A4", "A4"]


async def test_a_free_room_forgets_a_selection_whose_release_was_missed(cinema: Cinema) -> None:
    ana, ben = await joined(cinema, "ana", "attic"), await joined(cinema, "ben", "attic")
    await ana.send(room_message("select_seat", "sofa", "attic"))
    assert (await next_message(ana))["seat_id"] == (await next_message(ben))["seat_id"] == "sofa"
    (screening,) = cinema.feed.connections
    with Lost(cinema):
        await ana.send(room_message("release_seat", "sofa", "attic"))
        assert (await next_message(ana))["type"] == "seat_released"
    await show_all(cinema, screening)
    assert (await next_message(ben))["type"] == "room_joined"
    assert await next_message(ben) == {"type": "current_selections", "selections": []}


async def test_changes_after_it_in_the_same_update_are_sent_too(cinema: Cinema) -> None:
    ana = await joined(cinema, "ana")
    with Lost(cinema):
        await cinema.hold(8, 1)
    missed = await read_missed(cinema.ask, SCREENING, lambda: Position(7, 7), cinema.clock.now())
    for change in missed.changes * 2:
        cinema.feed.publish(change)
    assert cinema.screenings.ask_active(HoldSeats(SCREENING, "user:8", (2,)))
    kinds = [(await next_message(ana))["type"] for _ in range(3)]
    assert kinds == ["room_joined", "current_selections", "seat_selected"]
