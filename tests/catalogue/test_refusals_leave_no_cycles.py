"""Refused requests leave no reference cycles behind.

A refusal costs its sender almost nothing. If each left a cycle, anybody could fill the memory faster than it
is collected. Every operation of the OpenAPI document is refused in every way that can be derived from its
declaration, also with an `Idempotency-Key`, a full journal and no database; then the collector must find
nothing.
"""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any, NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.catalogue.bare_client import BareClient, code_of
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH
from tests.catalogue.test_foreign_objects import Operation, operations
from tests.catalogue.world import UNKNOWN_ID, World, built
from tests.inbox import Inbox

pytestmark = pytest.mark.gen_test(timeout=240)

MUCH = 10**6
TOGETHER = 8
"""Requests between two collections."""

CARRIED_OUT = {f"POST {AUTH}/logout", "DELETE /api/v1/users/me"}
"""Operations that succeed with any body and would revoke the token of all other requests."""

SETTINGS = {
    "guest_requests_per_address": MUCH,
    "guest_requests_per_session": MUCH,
    "guest_creations_per_address": MUCH,
    "attempts_per_address": MUCH,
}


class Attempt(NamedTuple):
    """One request, with its description for failure messages."""

    way: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def names_things(self) -> bool:
        """True if the request is valid, so that the outcome depends on the objects that it names."""
        return "things" in self.way


@pytest.fixture
def world(open_house: OpenHouse, inbox: Inbox, io_loop: IOLoop) -> World:
    async def opened() -> World:
        house = await open_house(smtp_url=inbox.url, **SETTINGS)
        return await built(house, inbox)

    return io_loop.run_sync(opened)


class Attempts:
    """Requests to be refused, derived from the description of an operation.

    Args:
        world: has the objects to name.
        document: the OpenAPI document.
    """

    def __init__(self, world: World, document: Mapping[str, Any]) -> None:
        self._world = world
        self._schemas = document["components"]["schemas"]
        self._paths = document["paths"]
        self._keys = count(1)

    def of_all(self, several: Iterable[Operation]) -> Iterator[Attempt]:
        """Yield all invalid calls of these operations, each with and without a key."""
        for operation in several:
            for attempt in self._plain(operation):
                yield attempt
                if operation.method == "POST":
                    key = {"Idempotency-Key": f"key-{next(self._keys)}"}
                    yield attempt._replace(way=f"{attempt.way}, keyed", headers={**attempt.headers, **key})

    def _plain(self, operation: Operation) -> Iterator[Attempt]:
        method, name = operation.method, operation.name
        unknown, usual = self._path(operation, "unknown"), self._path(operation, "usual")
        bodies = [
            b"" if method == "GET" else json.dumps(self._body(operation, things)).encode()
            for things in ("unknown", "usual")
        ]
        bob, admin = self._headers("bob"), self._headers("admin")
        anybody = {"Content-Type": "application/json"}
        forged = {**anybody, "Authorization": "Bearer not.a.token"}
        yield Attempt("no token", method, unknown, anybody, bodies[1])
        yield Attempt("forged token", method, usual, forged, bodies[1])
        elsewhere = {**bob, "Origin": "https://elsewhere.example"}
        yield Attempt("foreign page", method, usual, elsewhere, bodies[1])
        if name in CARRIED_OUT:
            return
        if method != "GET":
            for way, wrong in (("malformed", b"{"), ("empty", b"{}"), ("list", b"[]"), ("no", b"")):
                yield Attempt(f"{way} body", method, unknown, admin, wrong)
            yield Attempt("text", method, unknown, {**admin, "Content-Type": "text/plain"}, b"text")
            yield Attempt("large body", method, unknown, admin, b" " * 70_000)
        if name != f"PUT {AUTH}/change-password":  # would end the token
            yield Attempt("query", method, f"{usual}?page=-1&limit=x&since=%FF", bob, bodies[1])
            yield Attempt("unknown things", method, unknown, admin, bodies[0])
            yield Attempt("unknown things, user", method, unknown, bob, bodies[0])
            yield Attempt("things of others", method, usual, bob, bodies[1])
        if method == "GET":
            yield Attempt("things", method, usual, admin)

    def _headers(self, caller: str) -> dict[str, str]:
        token = self._world.callers[caller].token
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def _path(self, operation: Operation, things: str) -> str:
        known = self._world.things[things]
        names = {name: known.get(name, UNKNOWN_ID) for name in operation.ids}
        names |= {"search_id": known.get("id", UNKNOWN_ID), "qr_code": "none", "room_id": known["room_id"]}
        path = operation.path
        for part in operation.path.split("{")[1:]:
            name = part.partition("}")[0]
            path = path.replace(f"{{{name}}}", str(names.get(name, "none")))
        return path

    def _body(self, operation: Operation, things: str) -> Any:
        declared = self._paths[operation.path][operation.method.lower()]
        content = declared.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return self._example(schema, self._world.things[things]) if schema else {}

    def _example(self, schema: Mapping[str, Any], known: Mapping[str, Any], name: str = "") -> Any:
        """Return an example of the right shape, with the ids of known objects."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if "properties" in schema:
            either = [option["required"][0] for option in schema.get("oneOf", ())][:1]
            wanted = [*schema.get("required", ()), *either]
            return {name: self._example(schema["properties"][name], known, name) for name in wanted}
        if name in known:
            return known[name]
        if name == "seat_ids":
            return self._world.seat_ids[:2]
        if "enum" in schema:
            return schema["enum"][0]
        if "example" in schema:
            return schema["example"]
        kind = schema.get("type", "string")
        kind = kind if isinstance(kind, str) else kind[0]
        if kind == "array":
            return [self._example(schema["items"], known)] * schema.get("minItems", 1)
        made: Mapping[str, Any] = {
            "integer": max(1, schema.get("minimum", 1)),
            "number": max(1, schema.get("minimum", 1)),
            "boolean": True,
            "object": {},
            "string": "2030-01-01T10:00:00Z" if schema.get("format") == "date-time" else "x" * 8,
        }
        return made[kind]


async def _leftovers() -> Counter[str]:
    """Return the types of the objects that requests have left in cycles since the last call."""
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    left = Counter(f"{type(kept).__module__}.{type(kept).__qualname__}" for kept in gc.garbage)
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    return left


async def test_every_refusal_of_every_operation(world: World) -> None:
    server = world.house.server
    client = BareClient(server.port)
    document = json.loads((await client.send("GET", "/openapi.json", {}))[1])
    attempts = Attempts(world, document)
    every = list(operations(document))
    for attempt in attempts.of_all(every):  # fills caches before the measurement
        await client.send(*attempt[1:])
    answers: Counter[str] = Counter()
    found: dict[str, Counter[str]] = {}

    async def make(several: Iterable[Attempt], circumstance: str) -> None:
        made = iter(several)
        while together := list(islice(made, TOGETHER)):
            described = []
            for attempt in together:
                status, content = await client.send(*attempt[1:])
                answer = f"{status} {code_of(content)}"
                answers[answer] += 1
                described.append(f"{attempt.method} {attempt.path}, {attempt.way}, {circumstance}: {answer}")
            if left := await _leftovers():
                found["; ".join(described)] = left

    usual, full, away = [list(attempts.of_all(every)) for _ in range(3)]
    gc.collect()
    gc.disable()
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await make(usual, "as usual")
        limit, server._journal._limit = server._journal._limit, 0
        await make((attempt for attempt in full if attempt.names_things), "the journal is full")
        server._journal._limit = limit
        server._connector.close()
        await make((attempt for attempt in away if attempt.names_things), "no database")
        server._connector._closed = False
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        client.close()
    print(f"{sum(answers.values())} requests: {answers}")
    assert not {name: dict(left.most_common(8)) for name, left in found.items()}
    statuses = {answer.partition(" ")[0] for answer in answers}
    assert statuses >= {"400", "401", "403", "404", "409", "413", "415", "422", "503"}
    assert sum(not answer.startswith("2") for answer in answers) > 30, "too few kinds of refusals were tested"
