"""`state_hash` on the sockets: who gets it, and that it is the hash of what the socket shows."""

import re
from pathlib import Path

import pytest

from api.seats.messages import StateHash
from engine.blocks import BlockSeats
from engine.records import HOUSE
from engine.state_hash import seat_hash
from tests.api.cinema import SCREENING, eventually, receive
from tests.picture_hash import CODES, hash_of

pytestmark = pytest.mark.gen_test

GUIDE = (Path(__file__).parents[3] / "docs" / "websocket.md").read_text()


def test_the_guide_has_the_right_examples() -> None:
    rows = re.findall(r"\| ((?:\d+ (?:reserved|booked)(?:, )?)+) \| `(\w{8})` \|", GUIDE)
    assert len(rows) == 5
    for seats, expected in rows:
        picture = {int(seat_id): status for seat_id, status in re.findall(r"(\d+) (\w+)", seats)}
        assert hash_of(picture) == expected
        (seat_id, status), *others = picture.items()
        assert others or f"{seat_hash(seat_id, CODES[status]):08x}" == expected


async def test_it_is_the_hash_of_what_the_socket_has_shown(cinema) -> None:
    socket = await cinema.join(8, updates="bulk", state_hash="true")
    silent = await cinema.join(9, updates="bulk")
    await cinema.hold(7, 5, 6)
    await cinema.book(8, 7)
    await cinema.ask(BlockSeats(SCREENING, "user:1", "Press", HOUSE, (9,)))
    await cinema.screenings.hash_states()
    await cinema.hold(7, 12)  # in the same tick
    picture: dict[int, str] = {}
    while (message := await receive(socket))["type"] != "state_hash":
        for seat in message["updates"]:
            picture[seat["seat_id"]] = "kept" if seat.get("blocked") else seat["status"]
    assert picture == {5: "reserved", 6: "reserved", 7: "booked", 9: "kept"}
    assert (message["hash"], message["taken"]) == (hash_of(picture), 3)
    assert StateHash().validate(message) == {}
    held = await receive(socket)
    assert (held["updates"][0]["seat_id"], held["seq"] > message["seq"]) == (12, True)
    while (message := await receive(silent)).get("seq") != held["seq"]:
        assert message["type"] == "bulk_seat_update"


async def test_nothing_is_sent_while_nothing_changes(cinema) -> None:
    socket = await cinema.join(8, state_hash="true")
    await cinema.hold(7, 5)
    for _ in range(3):
        await cinema.screenings.hash_states()
    await cinema.hold(7, 6)
    kinds = [(await receive(socket))["type"] for _ in range(5)]
    assert kinds == ["seat_update", "bulk_seat_update", "state_hash", "seat_update", "bulk_seat_update"]


async def test_no_hash_is_made_unless_a_socket_asks(cinema) -> None:
    await cinema.join(8, updates="bulk")
    asking = await cinema.join(9, updates="bulk", state_hash="true")
    await asking.close()
    await eventually(lambda: cinema.feed.connections == {SCREENING: 1})
    await cinema.hold(7, 5)
    position = cinema.screenings.position_of(SCREENING)
    await cinema.screenings.hash_states()
    assert cinema.screenings.position_of(SCREENING) == position
    late = await cinema.join(9, updates="bulk", state_hash="true")
    await cinema.screenings.hash_states()
    message = await receive(late)
    assert (message["type"], message["hash"]) == ("state_hash", hash_of({5: "reserved"}))
