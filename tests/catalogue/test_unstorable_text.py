"""Text that PostgreSQL cannot store is rejected before it gets there, wherever text is accepted."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from marshmallow import Schema, ValidationError, fields

from api.application import RESOURCES
from api.limits import Limits
from tests.api.caller import Caller, Response
from tests.catalogue.members import AUTH
from tests.house import House
from tests.signing_keys import STRONG_SECRET

pytestmark = pytest.mark.gen_test


def _texts(schema: Schema, path: str) -> Iterator[tuple[str, fields.Field]]:
    """Yield the text fields of a schema, including those in nested records and lists."""
    for name, field in schema.load_fields.items():
        yield from _texts_of(field, f"{path}.{name}")


def _texts_of(field: fields.Field, path: str) -> Iterator[tuple[str, fields.Field]]:
    if isinstance(field, fields.Nested):
        yield from _texts(field.schema, path)
    elif isinstance(field, fields.List):
        yield from _texts_of(field.inner, f"{path}[]")
    elif isinstance(field, fields.String):
        yield path, field


def _all_texts() -> Iterator[tuple[str, fields.Field]]:
    for resource in RESOURCES:
        for endpoint in resource.endpoints:
            for shape in (endpoint.query, endpoint.body, endpoint.form):
                if shape is not None:
                    yield from _texts(shape(Limits()), endpoint.name)


def _takes(field: fields.Field, text: str) -> bool:
    try:
        field.deserialize(text)
    except ValidationError:
        return False
    return True


def test_no_field_accepts_a_nul() -> None:
    texts = list(_all_texts())
    assert len(texts) > 50
    # Ids are strings on the public endpoints, and looked up as the numbers that they should be. A cursor is
    # decrypted, and is refused unless this server has made it.
    takers = [path for path, field in texts if _takes(field, "aaaaaaaaaa\0a")]
    assert [path for path in takers if not path.endswith(("_id", ".cursor"))] == []


@pytest.mark.parametrize("unstorable", ["%00", "a%00b", "%ED%A0%80", "%FF"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/movies/?q={}",
        "/api/v1/movies/?genre={}",
        "/api/v1/cinemas/?city={}",
        "/api/v1/screenings/?language={}",
        "/api/public/events?search={}",
        "/api/public/reservations?sessionId={}",
        "/api/public/reservations/{}",
        "/api/public/availability/{}",
        "/room/{}/selections",
        "/api/v1/movies/?cursor={}",
        "/api/public/events?cursor={}",
    ],
)
async def test_no_path_or_query_accepts_it(house: House, path: str, unstorable: str) -> None:
    answer = await house.guest.send("GET", path.format(unstorable))
    assert 400 <= answer.status < 500, (answer.status, answer.body)


@pytest.mark.parametrize("text", [b'"a\\u0000b"', b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff"'])
async def test_no_body_accepts_it(house: House, text: bytes) -> None:
    member = house.user(7)
    bodies = {
        ("POST", "/api/v1/tickets/book"): b'{"screening_id":1,"seat_ids":[1],"payment_id":%s}',
        ("POST", "/api/v1/auth/login"): b'{"email":%s,"password":"correct horse battery"}',
        ("PUT", "/api/v1/users/me"): b'{"full_name":%s}',
        ("POST", "/api/v1/users/me/search-history"): b'{"query":%s}',
        ("POST", "/api/public/reservations"): b'{"ticketTypeId":"1","quantity":1,"sessionId":%s}',
    }
    for (method, path), body in bodies.items():
        answer = await member.send(method, path, raw=body % text)
        assert answer.status in (400, 422), (path, answer.status, answer.body)


def _token(**claims: Any) -> str:
    now = int(time.time())
    return jwt.encode({"sub": "7", "iat": now, "exp": now + 600, **claims}, STRONG_SECRET, algorithm="HS256")


async def _log_out(house: House, token: str) -> tuple[Response, Response]:
    """Log out, and use the token once more."""
    caller = Caller(house.base_url, token)
    return await caller.send("POST", f"{AUTH}/logout"), await caller.send("GET", "/api/v1/tickets/my-tickets")


@pytest.mark.parametrize("claim", ["jti", "sid"])
async def test_every_accepted_token_can_be_revoked(house: House, claim: str) -> None:
    # The longest allowed value, in characters with most bytes and the worst compression.
    for value in ("a", " ", "'; --", "".join(chr(0x1F300 + number) for number in range(255))):
        token = _token(**{claim: value})
        logged_out, after = await _log_out(house, token)
        assert (logged_out.status, after.status, after.code) == (204, 401, "token_revoked"), value
    for value in ("a\0b", "\ud800", "a" * 5000, "a" * 256):
        logged_out, after = await _log_out(house, _token(**{claim: value}))
        assert (logged_out.status, after.status, after.code) == (401, 401, "token_invalid"), value[:8]
