"""Choices that leave a single free seat, over REST and the rooms socket, as the screening's rule has it."""

import json

import pytest
from websockets.asyncio.client import connect

from tests.api.cinema import receive
from tests.catalogue.programme import SCREENINGS, add_seats, make_room, make_screening
from tests.house import House

gen_test = pytest.mark.gen_test


async def open_hall(house: House, **rules: object) -> tuple[int, list[int]]:
    """A screening in a room of two rows of eight seats. Returns its id and those of the seats."""
    room_id = await make_room(house)
    seats = await add_seats(house, room_id, seats_per_row=8)
    return await make_screening(house, room_id, orphan_rule="enforce", **rules), seats


@gen_test(timeout=60)
async def test_a_choice_that_strands_a_seat_is_refused_with_others_that_do_not(house: House) -> None:
    screening, seats = await open_hall(house)
    user = house.user(7)
    refused = await user.reserve(screening, seats[1:3])
    assert (refused.status, refused.code) == (409, "would_strand_seat")
    assert refused.json["stranded"] == [seats[0]]
    alternatives = refused.json["alternatives"]
    assert alternatives == [seats[0:2], seats[2:4], seats[8:10]]
    assert f"choose {alternatives[0]}" in refused.json["detail"]
    assert not (await user.my_reservations()).json

    toggled = await user.toggle(screening, seats[1])
    assert (toggled.status, toggled.json["stranded"], len(toggled.json["alternatives"])) == (
        409,
        [seats[0]],
        3,
    )
    booked = await user.book(screening, [seats[1]])
    assert (booked.status, booked.code) == (409, "would_strand_seat")
    for alternative in alternatives[:2]:
        assert (await user.reserve(screening, alternative)).status == 201
    # Seats 5 to 8 of the row are left; giving a seat back is never refused.
    assert (await user.toggle(screening, seats[1])).json["released"][0]["seat_id"] == seats[1]
    # A row of which a single seat is left, whatever one does.
    assert (await user.reserve(screening, seats[4:7])).status == 201


@gen_test(timeout=60)
async def test_a_warning_is_a_field_of_the_response(house: House) -> None:
    screening, seats = await open_hall(house)
    user = house.user(7)
    changed = await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"orphan_rule": "warn"})
    assert changed.status == 200, changed.body
    assert (await user.reserve(screening, [seats[1]])).json["stranded"] == [seats[0]]
    assert (await user.toggle(screening, seats[3])).json["stranded"] == [seats[2]]
    assert "stranded" not in (await user.reserve(screening, [seats[4]])).json
    await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"orphan_share": 0.9})
    assert "stranded" not in (await user.reserve(screening, [seats[6]])).json


@gen_test(timeout=60)
async def test_guests_in_the_room_are_told_names(house: House) -> None:
    screening, _ = await open_hall(house)
    room = f"funcion_{screening}"
    async with connect(f"{house.base_url.replace('http', 'ws')}/ws/guest_1234567890") as socket:

        async def select(seat: str) -> dict:
            await socket.send(json.dumps({"type": "select_seat", "room_id": room, "seat_id": seat}))
            return await receive(socket)

        refused = await select("A2")
        assert refused.pop("timestamp")
        assert refused == {
            "type": "error",
            "code": "would_strand_seat",
            "message": "Seat A2 would leave A1 without a free seat beside it; "
            "select A1 or A3 or B1 or another seat instead",
            "room_id": room,
            "seat_id": "A2",
            "stranded": ["A1"],
            "alternatives": [["A1"], ["A3"], ["B1"]],
        }
        selected = await select("A3")
        assert (selected["type"], "stranded" in selected) == ("seat_selected", False)
        await house.admin.send("PUT", f"{SCREENINGS}/{screening}", {"orphan_rule": "warn"})
        assert (await select("B2"))["stranded"] == ["B1"]
