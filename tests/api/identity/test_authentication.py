"""Authorization: every operation of the API with every kind of token."""

import jwt
import pytest

from api.application import RESOURCES
from api.rest.endpoint import PLACEHOLDER, Access, Endpoint, Resource
from tests.api.venue import SCREENING, Venue, without_catalogue
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test

ENDPOINTS = [endpoint for resource in RESOURCES for endpoint in resource.endpoints]
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.access in (Access.USER, Access.ADMIN)]
READING_TOKENS = [*GUARDED, *(endpoint for endpoint in ENDPOINTS if endpoint.access is Access.GUEST)]
PUBLIC = [
    endpoint for endpoint in ENDPOINTS if endpoint.access is Access.PUBLIC and without_catalogue(endpoint)
]


def path_of(endpoint: Endpoint) -> str:
    return PLACEHOLDER.sub(str(SCREENING), endpoint.path)


def name_of(endpoint: Endpoint) -> str:
    return endpoint.name


def signed(venue: Venue, secret: str = STRONG_SECRET, **claims: object) -> str:
    now = int(venue.clock.now())
    return jwt.encode({"sub": "7", "iat": now, "exp": now + 60, **claims}, secret, algorithm="HS256")


@pytest.mark.parametrize("endpoint", GUARDED, ids=name_of)
async def test_operations_without_a_token_are_refused(venue: Venue, endpoint: Endpoint) -> None:
    response = await venue.guest.send(endpoint.method, path_of(endpoint), {} if endpoint.body else None)
    assert (response.status, response.code) == (401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("endpoint", READING_TOKENS, ids=name_of)
async def test_a_bad_token_is_refused(venue: Venue, endpoint: Endpoint) -> None:
    now = int(venue.clock.now())
    caller = venue.guest
    for token, code in (
        (signed(venue, secret="another secret that nobody here has given"), "token_invalid"),
        (signed(venue, iat=now - 60, exp=now - 1), "token_expired"),
        (signed(venue, sub="somebody"), "token_invalid"),
        (signed(venue, admin="true"), "token_invalid"),
        (signed(venue) + "x", "token_invalid"),
        ("x" * 9000, "token_invalid"),
        ("", "token_invalid"),
    ):
        caller.token = token
        response = await caller.send(endpoint.method, path_of(endpoint), {} if endpoint.body else None)
        assert (response.status, response.code) == (401, code)
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("endpoint", PUBLIC, ids=name_of)
async def test_public_operations_ignore_tokens(venue: Venue, endpoint: Endpoint) -> None:
    caller = venue.guest
    for token in (None, "rubbish"):
        caller.token = token
        assert (await caller.send(endpoint.method, path_of(endpoint))).status == endpoint.status


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer", "bearer", "Token x", ""])
async def test_other_authentication_schemes_are_refused(venue: Venue, authorization: str) -> None:
    response = await venue.guest.send(
        "GET", "/api/v1/tickets/my-tickets", headers={"Authorization": authorization}
    )
    assert response.status == 401


async def test_the_authentication_scheme_is_case_insensitive(venue: Venue) -> None:
    headers = {"Authorization": f"bearer {signed(venue)}"}
    assert (await venue.guest.send("GET", "/api/v1/tickets/my-tickets", headers=headers)).status == 200


async def test_rest_ignores_a_token_in_the_query(venue: Venue) -> None:
    response = await venue.guest.send("GET", f"/api/v1/tickets/my-tickets?token={signed(venue)}")
    assert response.status == 401


async def test_cron_operations_require_their_own_secret(venue: Venue) -> None:
    (endpoint,) = [endpoint for endpoint in ENDPOINTS if endpoint.access is Access.CRON]
    caller = venue.user(1, admin=True)
    refused = await caller.send(endpoint.method, endpoint.path)
    assert (refused.status, refused.code) == (403, "cron_disabled")
    venue.restart_api(cron_secret=STRONG_SECRET)
    caller.base_url = venue.base_url
    for token, answer in (
        (caller.token, (401, "token_invalid")),
        (STRONG_SECRET + "x", (401, "token_invalid")),
        ("", (401, "token_invalid")),
        (None, (401, "not_authenticated")),
    ):
        caller.token = token
        refused = await caller.send(endpoint.method, endpoint.path)
        assert (refused.status, refused.code) == answer


async def test_admin_operations_require_an_administrator(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Resource("/office", tag="Office")

    @office.get("", access=Access.ADMIN)
    async def look(call: object) -> dict[str, object]:
        return {"ok": True}

    monkeypatch.setattr("api.application.RESOURCES", (office,))
    venue.restart_api()
    assert (await venue.user(1, admin=True).send("GET", "/office")).json == {"ok": True}
    refused = await venue.user(7).send("GET", "/office")
    assert (refused.status, refused.code) == (403, "admin_required")
    assert (await venue.guest.send("GET", "/office")).status == 401


OF_SERVICES = {
    "payments": {
        *("book_tickets", "book_from_reservation", "confirm_payment", "cancel_ticket", "cancel_tickets"),
        *("move_ticket", "move_tickets"),
    },
    "check-in": {"check_in", "check_in_batch", "undo_check_in", "count_check_ins", "list_door_tickets"},
}


@pytest.mark.parametrize("service", OF_SERVICES)
async def test_a_service_may_call_these_operations_only(service: str) -> None:
    assert {endpoint.name for endpoint in ENDPOINTS if endpoint.service == service} == OF_SERVICES[service]


@pytest.mark.parametrize("service", OF_SERVICES)
async def test_all_others_refuse_a_service(venue: Venue, service: str) -> None:
    caller = venue.guest
    for token in (
        venue.tokens.issue_to_service(service, ttl_seconds=60),
        signed(venue, scope=service, admin=True),
    ):
        caller.token = token
        for endpoint in READING_TOKENS:
            if endpoint.name not in OF_SERVICES[service]:
                response = await caller.send(
                    endpoint.method, path_of(endpoint), {} if endpoint.body else None
                )
                assert (response.status, response.code) == (403, "service_not_allowed"), endpoint.name
