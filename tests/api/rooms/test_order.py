"""Responses that wait for an earlier one and updates keep their order, so that the last message is true."""

import asyncio

import pytest

from api.ws.answers import OrderedAnswers
from engine import actor
from engine.commands import ReadStock
from tests.api.cinema import SCREENING
from tests.api.rooms.test_socket import joined, next_message, room_message

pytestmark = pytest.mark.gen_test(timeout=60)

OTHER = f"funcion_{SCREENING + 1}"


async def messages_until(socket, last):
    """Return what a socket receives up to a message about a seat, as (type, seat, client)."""
    received = []
    while not received or received[-1] != last:
        message = await next_message(socket)
        received.append((message["type"], message["seat_id"], message["client_id"]))
    return received


async def test_an_update_does_not_overtake_a_response_that_waits_for_an_earlier_one(
    open_cinema, monkeypatch
) -> None:
    # A screening takes one command in a turn.
    monkeypatch.setattr(actor, "BATCH_LIMIT", 1)
    cinema = open_cinema(screenings=2)
    ana, ben = await joined(cinema, "ana"), await joined(cinema, "ben")
    await ana.send(room_message("join_room", room=OTHER))
    assert [(await next_message(ana))["type"] for _ in range(2)] == ["room_joined", "current_selections"]
    await ana.send(room_message("select_seat", "A1"))
    for socket in (ana, ben):
        assert (await next_message(socket))["seat_id"] == "A1"

    others = [asyncio.ensure_future(cinema.ask(ReadStock(SCREENING + 1))) for _ in range(5000)]
    await asyncio.sleep(0)
    await ana.send(room_message("select_seat", "A9", room=OTHER))
    await ana.send(room_message("release_seat", "A1"))
    assert (await next_message(ben))["type"] == "seat_released"
    await ben.send(room_message("select_seat", "A1"))
    assert (await next_message(ben))["type"] == "seat_selected"
    await cinema.hold(8, 3)
    assert (await next_message(ben))["seat_id"] == "A3"
    assert not others[-1].done()
    received = await messages_until(ana, ("seat_selected", "A1", "ben"))
    assert [message for message in received if message[1] != "A3"] == [
        ("seat_selected", "A9", "ana"),
        ("seat_released", "A1", "ana"),
        ("seat_selected", "A1", "ben"),
    ]
    await asyncio.gather(*others)


async def test_responses_wait_until_another_node_knows_of_what_they_say() -> None:
    sent: list[bytes] = []
    answers = OrderedAnswers(lambda frames, number: sent.append(frames), lambda defect: None)
    loop = asyncio.get_running_loop()
    released, selected, first, second = (loop.create_future() for _ in range(4))

    def release(_: object) -> bytes:
        for told in (first, second):
            answers.hold_back(told)
        return b"released "

    answers.expect(released, release, SCREENING)
    answers.expect(selected, lambda _: b"selected ", SCREENING)
    for future in (released, selected):
        future.set_result(None)
    await asyncio.sleep(0)
    answers.put(b"pong ")
    answers.send_update(SCREENING, b"update ")
    settled = asyncio.ensure_future(answers.settled())
    first.set_result(None)
    await asyncio.sleep(0)
    assert not sent and not settled.done()
    second.set_result(None)
    await settled
    assert b"".join(sent) == b"released selected update pong "
