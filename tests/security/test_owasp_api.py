"""The OWASP API Security Top 10 of 2023, as far as no other test shows it.

docs/threat-model.md names the tests of all ten risks.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from api.http1.common_headers import COMMON_HEADERS
from tests.acceptance.sample_requests import sample_requests
from tests.catalogue.test_foreign_objects import UNKNOWN_ID, operations
from tests.catalogue.world import World
from tests.house import House
from tests.security.access import ACCESS, Access

pytestmark = pytest.mark.gen_test(timeout=120)

ROOT = Path(__file__).parents[2]

OWNED_BY_THE_SERVER = {"id": 1, "admin": True, "role": "admin", "status": "confirmed", "vouched_by": "stripe"}
"""Fields that callers would like to set."""

INSIDE = re.compile(rb"Traceback|File \"|\.py\b|psycopg|SELECT |site-packages|/home/|/usr/")
"""Texts that would show strangers the inside of a server."""

OUTGOING = {
    "aiohttp": {"api/webhooks/client.py"},
    "aiosmtplib": {"frontrow/mail.py"},
}
"""Libraries that connect to somewhere, with the modules that may use them."""

LEFT_BEHIND = (
    *(
        "/.env",
        "/.git/config",
        "/admin",
        "/actuator",
        "/actuator/env",
        "/api",
        "/api/v0/tickets",
        "/api/v2/tickets",
    ),
    *("/console", "/debug", "/debug/pprof/", "/graphql", "/metrics/", "/phpinfo.php", "/server-status"),
    *("/swagger.json", "/swagger-ui/", "/api/v1/", "/api/v1/admin", "/api/v1/internal", "/api/v1/users/"),
    *("/docs/../setup.cfg", "/assets/../../setup.cfg", "/client/..%2f..%2fsetup.cfg", "/viewers/%2e%2e/x.js"),
)
"""Paths at which forgotten or undocumented things are found elsewhere."""


async def document_of(house: House) -> Mapping[str, Any]:
    return (await house.guest.send("GET", "/openapi.json")).json


def body_schemas(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schema of each JSON body, nested ones included, with the operation's name."""

    def nested(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        yield schema
        inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if isinstance(schema.get("items"), dict):
            inner.append(schema["items"])
        for one in inner:
            yield from nested(one)

    for operation in operations(document):
        declared = document["paths"][operation.path][operation.method.lower()]
        for content in declared.get("requestBody", {}).get("content", {}).values():
            yield from ((operation.name, schema) for schema in nested(content["schema"]))


async def test_api3_nobody_sets_fields_that_the_server_owns(world: World) -> None:
    """Mass assignment: each operation is sent a valid body and fields that it does not declare."""
    document = await document_of(world.house)
    bob, tried = world.member("bob"), 0
    for sample in sample_requests(document, UNKNOWN_ID):
        access = ACCESS[sample.route]
        if not isinstance(sample.body, dict) or access in (Access.ADMINS, Access.DOOR):
            continue
        if sample.route == "POST /api/v1/payments/stripe":
            continue  # its body is Stripe's, and signed
        schemas = (schema for route, schema in body_schemas(document) if route == sample.route)
        declared = {name for schema in schemas for name in schema.get("properties", ())}
        more = {name: value for name, value in OWNED_BY_THE_SERVER.items() if name not in declared}
        answer = await bob.send(sample.method, sample.path, {**sample.body, **more})
        assert answer.status in (400, 422), (sample.route, answer.body)
        errors = answer.json.get("errors") or answer.json["error"]["errors"]
        assert set(more) <= set(errors), (sample.route, errors)
        tried += 1
    assert tried > 25
    assert (await bob.send("GET", "/api/v1/auth/me")).json["is_admin"] is False


async def test_api4_everything_that_a_request_repeats_is_bounded(world: World) -> None:
    document = await document_of(world.house)
    unbounded = [
        name
        for name, schema in body_schemas(document)
        if schema.get("type") == "array" and "maxItems" not in schema
    ]
    for operation in operations(document):
        for parameter in document["paths"][operation.path][operation.method.lower()]["parameters"]:
            if parameter["name"] in ("size", "limit") and "maximum" not in parameter["schema"]:
                unbounded.append(f"{operation.name} ?{parameter['name']}")
    assert unbounded == []


def test_api7_the_server_only_connects_where_these_modules_say() -> None:
    """SSRF: a URL that somebody sends is fetched by one client only, which checks each address."""
    imported = re.compile(r"^\s*(?:from|import) (aiohttp|aiosmtplib|httpx|requests|urllib\.request)\b", re.M)
    found: dict[str, set[str]] = {}
    for package in ("api", "cluster", "engine", "frontrow", "metrics", "persistence"):
        for path in (ROOT / package).rglob("*.py"):
            for name in imported.findall(path.read_text()):
                found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    assert found == OUTGOING


async def test_api8_every_response_has_the_headers_that_protect_browsers(world: World) -> None:
    house = world.house
    expected = {
        name: value for name, value in COMMON_HEADERS.fields.items() if name not in ("Vary", "Cache-Control")
    }
    for sample in sample_requests(await document_of(house), UNKNOWN_ID):
        answer = await house.guest.send(sample.method, sample.path, sample.body)
        for name in expected:
            assert answer.headers.get(name), (sample.route, name)
        assert answer.headers["Server"] == "Frontrow"
        assert "frame-ancestors" in answer.headers["Content-Security-Policy"], sample.route
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "X-Powered-By" not in answer.headers
        assert not answer.headers.get("Access-Control-Allow-Credentials")
        if answer.status >= 400:
            assert not INSIDE.search(answer.body), (sample.route, answer.body)


async def test_api8_methods_for_testing_are_refused(house: House) -> None:
    secret = {"Authorization": "Bearer canary-of-trace", "Cookie": "canary-of-trace"}
    for path in ("/", "/api/v1/movies/", "/docs", "/ws/ada"):
        for method in ("TRACE", "TRACK", "DEBUG", "PROPFIND", "CONNECT"):
            answer = await house.guest.send(method, path, headers=secret)
            assert answer.status in (400, 405), (method, path, answer.status)
            assert b"canary" not in answer.body + str(answer.headers).encode()


async def test_api9_nothing_answers_that_the_documents_do_not_describe(house: House) -> None:
    document = await document_of(house)
    ids: dict[str, object] = {}
    for path, methods in document["paths"].items():
        ids |= {name: UNKNOWN_ID for name in re.findall(r"{(\w+)}", path)}
        allowed = {method.upper() for method in methods}
        allowed |= {"HEAD"} if "GET" in allowed else set()
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            answer = await house.admin.send(method, path.format(**ids), {})
            assert (answer.status, answer.code) in ((405, "method_not_allowed"), (404, "not_found")), (
                method,
                path,
            )
            if answer.status == 405:
                assert set(answer.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}, path
    for path in LEFT_BEHIND:
        answer = await house.admin.send("GET", path)
        assert answer.status in (400, 404), (path, answer.status)
