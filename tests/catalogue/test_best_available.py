"""A thousand parties ask for the best seats of a hall at once."""

import asyncio
import random
from collections import Counter

import aiohttp
import pytest

from tests.catalogue.programme import make_room, make_screening
from tests.house import House

PARTIES, CONNECTIONS = 1000, 200
ROWS, SEATS_PER_ROW = 40, 50
LARGEST_PARTY = 6
AISLE = 25
"""The number of the seat before the aisle, which is as wide as a seat."""


@pytest.mark.gen_test
async def test_a_thousand_parties_at_once_never_collide_and_fill_the_hall(house: House) -> None:
    room_id = await make_room(house)
    places = [(f"{row + 1}", number) for row in range(ROWS) for number in range(1, SEATS_PER_ROW + 1)]
    plan = [
        {"row_label": row, "seat_number": number, "x": number + (number > AISLE)} for row, number in places
    ]
    published = await house.admin.send(
        "PUT", f"/api/v1/rooms/{room_id}/layout", {"version": 1, "seats": plan}
    )
    assert published.status == 200, published.body
    layout = await house.guest.send("GET", f"/api/v1/rooms/{room_id}/layout")
    place_of = {seat["id"]: (seat["row_label"], seat["seat_number"]) for seat in layout.json["seats"]}
    screening = await make_screening(house, room_id)
    chance = random.Random(7)
    sizes = [chance.randint(1, LARGEST_PARTY) for _ in range(PARTIES)]
    assert sum(sizes) > len(places)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def ask(user_id: int, size: int) -> list[int]:
            body = {"screening_id": screening, "quantity": size}
            headers = {"Authorization": f"Bearer {house.token(user_id)}"}
            url = f"{house.base_url}/api/v1/seat-reservations/best-available"
            # A busy machine may answer that it is overloaded; nothing has happened then.
            while True:
                async with session.post(url, json=body, headers=headers) as response:
                    answer = await response.json()
                    if response.status != 503:
                        break
            if response.status == 409:
                assert (answer["code"], answer["largest"] < size) == ("no_adjacent_seats", True), answer
                return []
            assert response.status == 201, answer
            return [held["seat_id"] for held in answer["reservations"]]

        parties = await asyncio.gather(*(ask(100 + n, size) for n, size in enumerate(sizes)))

    assert max(Counter(seat_id for seats in parties for seat_id in seats).values()) == 1
    for seats, size in zip(parties, sizes, strict=True):
        taken = sorted(place_of[seat_id] for seat_id in seats)
        row, first = taken[0] if taken else ("", 0)
        assert taken == [(row, first + n) for n in range(size if taken else 0)]
        assert not taken or (first > AISLE or first + size - 1 <= AISLE)
    assert sum(map(len, parties)) >= 0.98 * len(places)
