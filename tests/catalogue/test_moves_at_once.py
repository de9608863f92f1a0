"""Many moves and cancellations of one's own tickets at the same time: none of them denies that they exist."""

import asyncio
from collections import Counter

import pytest

from tests.catalogue.conftest import OpenHouse
from tests.catalogue.test_moves import Halls, halls_of, move, move_all

pytestmark = pytest.mark.gen_test(timeout=300)

ROUNDS = 6


async def outcomes(halls: Halls, *, two_screenings: bool) -> Counter[tuple[int, str]]:
    """Buy two tickets, send moves and cancellations of them at once, and cancel what is left."""
    ada, (first, second, third, fourth, *_) = halls.ada, halls.seats
    tickets = (await ada.book(halls.first, [first, second])).json
    one, two = (ticket["id"] for ticket in tickets)
    places = [{"seat_id": seat} for seat in (third, fourth, first)]
    if two_screenings:
        places += [{"seat_id": seat, "screening_id": halls.second} for seat in (third, fourth)]
    answers = await asyncio.gather(
        *(move(ada, one, **place) for place in places),
        move_all(ada, tickets, seat_ids=[third, fourth]),
        ada.cancel_ticket(one),
        ada.cancel_ticket(one),
        ada.send("DELETE", f"/api/v1/tickets?ids={one},{two}"),
    )
    for ticket_id in (one, two):
        assert (await ada.cancel_ticket(ticket_id)).status == 204
    return Counter((answer.status, "" if answer.status < 300 else answer.code) for answer in answers)


@pytest.mark.parametrize("two_screenings", [False, True], ids=["one screening", "two screenings"])
async def test_a_request_that_comes_second_is_not_told_that_the_ticket_is_unknown(
    open_house: OpenHouse, two_screenings: bool
) -> None:
    halls = await halls_of(await open_house())
    found: Counter[tuple[int, str]] = Counter()
    for _ in range(ROUNDS):
        found += await outcomes(halls, two_screenings=two_screenings)
    if two_screenings:
        del found[422, "invalid_input"]  # one ticket has moved, so both cannot move together any more
    assert found.keys() <= {
        (200, ""),
        (204, ""),
        (409, "booking_in_progress"),
        (409, "seats_unavailable"),
        (409, "ticket_not_confirmed"),
        (503, "move_interrupted"),
    }
