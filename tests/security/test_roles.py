"""Every operation of the OpenAPI document, called by every role, with objects of somebody else."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.acceptance.sample_requests import sample_requests
from tests.api.caller import Response
from tests.catalogue.test_foreign_objects import (
    FOREIGN,
    SECRETS,
    UNKNOWN_ID,
    Operation,
    belongings,
    body_for,
    operations,
)
from tests.catalogue.world import World
from tests.security.access import ACCESS, Access
from tests.security.roles import Role, powers, strangers

pytestmark = pytest.mark.gen_test(timeout=300)

LAST = ("POST /api/v1/auth/logout", "DELETE /api/public/guests/me", "DELETE /api/v1/users/me")
"""Operations that end the caller's token or account; they are called last."""

WRONG_PASSWORD = {"current_password": "wrong horse battery", "new_password": "another horse battery"}

WITH_EXAMPLES = ("GET /openapi.json", "GET /asyncapi.json", "POST /api/v1/auth/register")
"""Their responses have the addresses of the document's examples, which are Ada's too."""

OF_AUTHORISATION = frozenset(
    {
        *("not_authenticated", "token_invalid", "token_expired", "token_revoked"),
        *("admin_required", "service_not_allowed", "service_required"),
    }
)

QUERIES: Mapping[str, tuple[str, str]] = {
    "DELETE /api/v1/tickets/": ("?ids={ticket_id}", "ticket_not_found"),
    "DELETE /api/v1/seat-reservations/cancel/{screening_id}": ("?seat_ids={seat_id}", ""),
    "GET /api/v1/refunds/me": ("?screening_id={screening_id}&booking_id={ticket_id}", ""),
}
"""Queries that name something of Ada's, and the code of the refusal; empty for a response without it."""

PUBLIC_FILTERS = frozenset({"movie_id", "cinema_id", "room_id", "sessionId"})
"""Ids of the catalogue, which everybody may see; and a session's, which is its owner's secret."""


class Request(NamedTuple):
    """A request of an operation."""

    operation: Operation
    query: str
    body: Any
    in_query: frozenset[str]


def requests_of(document: Mapping[str, Any], world: World) -> Iterator[Request]:
    """Yield a request of every operation, those that end something last."""
    samples = {one.route: one for one in sample_requests(document, UNKNOWN_ID)}
    for operation in sorted(operations(document), key=lambda one: one.name in LAST):
        declared = document["paths"][operation.path][operation.method.lower()]["parameters"]
        named = {one["name"] for one in declared if one["in"] == "query"}
        body = samples[operation.name].body
        if operation.name in FOREIGN and FOREIGN[operation.name].body is not None:
            body = body_for(world, operation)
        elif operation.name == "PUT /api/v1/auth/change-password":
            body = WRONG_PASSWORD  # the sample's is the one that the callers have
        _, question_mark, query = samples[operation.name].path.partition("?")
        ids = frozenset(name for name in named if name.lower().endswith(("id", "ids")))
        yield Request(operation, question_mark + query, body, ids)


async def document_of(world: World) -> Mapping[str, Any]:
    return (await world.house.guest.send("GET", "/openapi.json")).json


def named(world: World, things: str) -> dict[str, Any]:
    """Return ids by the names of path parameters; those that Ada has none of are unknown."""
    others = ("search_id", "entry_id", "seat_id", "refund_id", "message_id", "webhook_id", "position")
    unknown = {**dict.fromkeys(others, UNKNOWN_ID), "mark": "any", **world.things["unknown"]}
    return {**unknown, **world.things[things]}


async def called(role: Role, request: Request, ids: Mapping[str, Any]) -> Response:
    operation = request.operation
    path = operation.path.format(**ids) + request.query
    answer = await role.caller.send(operation.method, path, request.body)
    about = (role.name, operation.name, answer.status, answer.body[:300])
    assert answer.status < 500 and answer.status != 429, about
    refusal = role.refusal(ACCESS[operation.name])
    if refusal is not None:
        assert (answer.status, answer.code) == refusal, about
    elif answer.status in (401, 403):
        ended = operation.name in LAST and answer.code == "token_revoked"
        assert ended or answer.code not in OF_AUTHORISATION, about
    return answer


async def test_every_operation_has_its_line_in_the_table(world: World) -> None:
    assert {operation.name for operation in operations(await document_of(world))} == set(ACCESS)


async def test_nobody_sees_or_changes_what_is_anothers(world: World) -> None:
    """BOLA and BFLA: roles without powers over Ada's objects name them in every operation."""
    requests = list(requests_of(await document_of(world), world))
    ids = named(world, "usual")
    before = await belongings(world)
    for role in await strangers(world):
        for request in requests:
            answer = await called(role, request, ids)
            about = (role.name, request.operation.name, answer.body[:300])
            if (expected := FOREIGN.get(request.operation.name)) and expected.code:
                assert answer.status >= 400, about
            if request.operation.name not in WITH_EXAMPLES:
                seen, sent = answer.body.decode("latin-1"), str(request.body)
                assert not [secret for secret in SECRETS if secret in seen and secret not in sent], about
        assert await belongings(world) == before, role.name


async def test_powers_end_where_the_table_says(world: World) -> None:
    """Services, the secret of scheduled jobs, and administrators: each may do its own work only."""
    requests = list(requests_of(await document_of(world), world))
    unknown, usual = named(world, "unknown"), named(world, "usual")
    for role in await powers(world):
        for request in requests:
            looks = request.operation.method == "GET"
            answer = await called(role, request, usual if looks else unknown)
            if looks and role.kind == "admin" and ACCESS[request.operation.name] is Access.ADMINS:
                assert answer.status in (200, 404), (request.operation.name, answer.body[:300])


async def test_ids_in_queries_are_authorised_too(world: World) -> None:
    requests = list(requests_of(await document_of(world), world))
    limited = {
        request.operation.name
        for request in requests
        if request.in_query - PUBLIC_FILTERS
        and ACCESS[request.operation.name] not in (Access.ANYBODY, Access.ADMINS, Access.DOOR)
    }
    assert limited == {*QUERIES, "DELETE /api/v1/tickets/{ticket_id}"}
    ids = {**named(world, "usual"), "seat_id": world.seat_ids[-1]}
    before = await belongings(world)
    for name, (query, code) in QUERIES.items():
        method, path = name.split()
        answer = await world.member("bob").send(method, (path + query).format(**ids))
        assert (answer.code if answer.status >= 400 else "") == code, (name, answer.body)
        assert not [secret for secret in SECRETS if secret in answer.body.decode()]
    acting_for_her = f"?user_id={world.member('user').user_id}"
    for place in (f"{{ticket_id}}{acting_for_her}", f"{acting_for_her}&ids={{ticket_id}}"):
        answer = await world.member("bob").send("DELETE", f"/api/v1/tickets/{place.format(**ids)}")
        assert (answer.status, answer.code) == (403, "service_required")
    assert await belongings(world) == before
