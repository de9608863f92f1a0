"""Cross-origin requests: which pages may use the API."""

import pytest

from tests.api.caller import RESERVATIONS
from tests.api.venue import ORIGIN, SCREENING, Venue

pytestmark = pytest.mark.gen_test


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method}


async def test_pages_on_the_allow_list_are_admitted(venue: Venue) -> None:
    path = f"{RESERVATIONS}/reserve"
    asked = await venue.guest.send("OPTIONS", path, headers=preflight(ORIGIN))
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    allowed = asked.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "idempotency-key"))
    done = await venue.user(7).reserve(SCREENING, [42], headers={"Origin": ORIGIN})
    assert (done.status, done.headers["Access-Control-Allow-Origin"]) == (201, ORIGIN)
    assert {"Date", "ETag"} <= set(done.headers["Access-Control-Expose-Headers"].split(", "))
    assert "Origin" in done.headers["Vary"]
    refused = await venue.guest.send("GET", "/nowhere", headers={"Origin": ORIGIN})
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN, "pages may read refusals too"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://cinema.example.evil.example", ""]
)
async def test_pages_of_other_sites_are_refused(venue: Venue, origin: str) -> None:
    for response in (
        await venue.guest.send("OPTIONS", f"{RESERVATIONS}/reserve", headers=preflight(origin)),
        await venue.user(7).reserve(SCREENING, [42], headers={"Origin": origin}),
    ):
        assert (response.status, response.code) == (403, "origin_not_allowed")
        assert "Access-Control-Allow-Origin" not in response.headers
    assert not venue.database.events


async def test_the_servers_own_pages_are_admitted(venue: Venue) -> None:
    response = await venue.user(7).reserve(SCREENING, [42], headers={"Origin": venue.base_url})
    assert response.status == 201


async def test_requests_without_an_origin_get_no_cors_headers(venue: Venue) -> None:
    assert "Access-Control-Allow-Origin" not in (await venue.guest.send("GET", "/")).headers
