"""Reserving the best seats, over HTTP."""

from collections.abc import Callable

import pytest

from api.sales.parties import LARGEST_PARTY
from engine.policy import Policy
from tests.api.caller import RESERVATIONS, Response
from tests.api.venue import PAST_SCREENING, SCREENING, Venue

pytestmark = pytest.mark.gen_test

BEST = f"{RESERVATIONS}/best-available"


async def best(venue: Venue, quantity: object, user: int = 7, **wishes: object) -> Response:
    """Ask for the best seats of a hall with two rows of ten, of which row A is left of row B."""
    body = {"screening_id": SCREENING, "quantity": quantity, **wishes}
    return await venue.user(user).send("POST", BEST, body)


def seats(response: Response) -> list[int]:
    assert response.status == 201, response.body
    return [held["seat_id"] for held in response.json["reservations"]]


async def test_it_is_answered_as_a_reservation(venue: Venue) -> None:
    chosen = await best(venue, 2)
    named = await venue.user(8).reserve(SCREENING, [41, 42])
    assert (chosen.status, chosen.json.keys()) == (201, named.json.keys())
    assert chosen.json["message"] == named.json["message"] == "Reserved 2 seats for 5 minutes"
    first, other = chosen.json["reservations"][0], named.json["reservations"][0]
    assert first == other | {"id": first["id"], "seat_id": 49, "user_id": 7}
    assert seats(chosen) == [49, 50]
    assert seats(await best(venue, 2, 8)) == [51, 52]


async def test_a_party_that_does_not_fit_is_told_what_would(venue: Venue) -> None:
    assert (await venue.user(8).reserve(SCREENING, [43, 46, 54, 58])).status == 201
    refused = await best(venue, 5)
    assert (refused.status, refused.code) == (409, "no_adjacent_seats")
    assert (refused.json["quantity"], refused.json["largest"], refused.json["retryable"]) == (5, 4, False)
    assert refused.json["detail"].startswith("No 5 such seats are free next to each other; ask for at most 4")
    assert seats(await best(venue, 4)) == [47, 48, 49, 50]


async def test_wishes_narrow_the_choice(venue: Venue) -> None:
    cheap = await best(venue, 1, max_price=15.98)
    assert (cheap.code, cheap.json["largest"]) == ("no_adjacent_seats", 0)
    assert seats(await best(venue, 1, max_price=15.99, seat_types=["standard"])) == [50]
    assert (await best(venue, 1, accessible=True)).code == "no_adjacent_seats"
    missing = await best(venue, 1, zone="Balcony")
    assert (missing.status, missing.code, missing.json["zones"]) == (404, "zone_not_found", [])


async def test_limits_and_closed_sales_are_named(venue: Venue) -> None:
    limited = await best(venue, 11)
    assert (limited.status, limited.code, limited.json["limit"]) == (409, "hold_limit_exceeded", 10)
    past = await venue.user(7).send("POST", BEST, {"screening_id": PAST_SCREENING, "quantity": 2})
    assert (past.status, past.code) == (400, "screening_started")
    unknown = await venue.user(7).send("POST", BEST, {"screening_id": 999, "quantity": 2})
    assert (unknown.status, unknown.code) == (404, "screening_not_found")
    anonymous = await venue.guest.send("POST", BEST, {"screening_id": SCREENING, "quantity": 2})
    assert anonymous.status == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", 0),
        ("quantity", LARGEST_PARTY + 1),
        ("quantity", "2"),
        ("seat_types", []),
        ("seat_types", ["wheelchair"]),
        ("max_price", -1),
        ("max_price", 1.005),
        ("accessible", 1),
        ("zone", ""),
        ("allow_split", "yes"),
        ("quantitiy", 2),
    ],
)
async def test_a_malformed_wish_is_refused_by_its_name(venue: Venue, field: str, value: object) -> None:
    refused = await best(venue, **({"quantity": 2} | {field: value}))
    assert (refused.status, refused.code) == (422, "invalid_input")
    assert list(refused.json["errors"]) == [field]


async def test_a_party_is_split_if_it_may_be(open_venue: Callable[..., Venue]) -> None:
    venue = open_venue(policy=Policy(held_seats_limit=20))
    assert (await best(venue, 11)).json["largest"] == 10
    assert seats(await best(venue, 11, allow_split=True)) == [*range(45, 56)]
