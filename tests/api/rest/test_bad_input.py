"""Every kind of invalid request gets a 4xx that names the error, and has no effect."""

import json
from typing import Any

import pytest

from tests.api.caller import RESERVATIONS, TICKETS
from tests.api.venue import SCREENING, Venue

pytestmark = pytest.mark.gen_test

RESERVE, TOGGLE, BOOK = f"{RESERVATIONS}/reserve", f"{RESERVATIONS}/toggle", f"{TICKETS}/book"
BEYOND_64_BITS = 2**63


def selection(**changes: Any) -> dict[str, Any]:
    """Return a valid body with some fields changed; None omits a field."""
    body = {"screening_id": SCREENING, "seat_ids": [42], **changes}
    return {name: value for name, value in body.items() if value is not None}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (RESERVE, selection(screening_id=None), "screening_id"),
        (RESERVE, selection(screening_id="123"), "screening_id"),
        (RESERVE, selection(screening_id=True), "screening_id"),
        (RESERVE, selection(screening_id=123.0), "screening_id"),
        (RESERVE, selection(screening_id=0), "screening_id"),
        (RESERVE, selection(screening_id=-1), "screening_id"),
        (RESERVE, selection(screening_id=BEYOND_64_BITS), "screening_id"),
        (RESERVE, selection(screening_id=10**30), "screening_id"),
        (RESERVE, selection(seat_ids=None), "seat_ids"),
        (RESERVE, selection(seat_ids=[]), "seat_ids"),
        (RESERVE, selection(seat_ids=[42] * 101), "seat_ids"),
        (RESERVE, selection(seat_ids=42), "seat_ids"),
        (RESERVE, selection(seat_ids="42"), "seat_ids"),
        (RESERVE, selection(seat_ids={"42": 42}), "seat_ids"),
        (RESERVE, selection(seat_ids=["42"]), "seat_ids"),
        (RESERVE, selection(seat_ids=[True]), "seat_ids"),
        (RESERVE, selection(seat_ids=[42.0]), "seat_ids"),
        (RESERVE, selection(seat_ids=[42, None]), "seat_ids"),
        (RESERVE, selection(seat_ids=[[42]]), "seat_ids"),
        (RESERVE, selection(seat_ids=[0]), "seat_ids"),
        (RESERVE, selection(seat_ids=[BEYOND_64_BITS]), "seat_ids"),
        (RESERVE, selection(seat_ids=[10**30]), "seat_ids"),
        (RESERVE, [42], "body"),
        (RESERVE, 42, "body"),
        (f"{RESERVATIONS}/extend?additional_minutes=0", selection(), "additional_minutes"),
        (f"{RESERVATIONS}/extend?additional_minutes=61", selection(), "additional_minutes"),
        (f"{RESERVATIONS}/extend?additional_minutes=five", selection(), "additional_minutes"),
        (f"{RESERVATIONS}/extend?additional_minutes=", selection(), "additional_minutes"),
        (f"{RESERVATIONS}/extend?additional_minutes=%FF", selection(), "query"),
        (TOGGLE, {"screening_id": SCREENING}, "seat_ids"),
        (TOGGLE, selection(seat_id=42), "seat_ids"),
        (TOGGLE, {"screening_id": SCREENING, "seat_id": "42"}, "seat_id"),
        (TOGGLE, {"screening_id": SCREENING, "seat_id": BEYOND_64_BITS}, "seat_id"),
        (BOOK, selection(payment_id=""), "payment_id"),
        (BOOK, selection(payment_id="p" * 256), "payment_id"),
        (BOOK, selection(payment_id="pi\x00"), "payment_id"),
        (BOOK, selection(payment_id=42), "payment_id"),
        (BOOK, selection(payment_pending=1), "payment_pending"),
        (BOOK, selection(payment_pending="true"), "payment_pending"),
        (f"{TICKETS}/book-from-reservation", selection(), "payment_id"),
        (f"{TICKETS}/2001/confirm-payment", {}, "payment_id"),
    ],
)
async def test_invalid_bodies_are_refused_with_errors_by_field(
    venue: Venue, path: str, body: object, field: str
) -> None:
    response = await venue.user(7).send("POST", path, body)
    assert (response.status, response.code, response.json["retryable"]) == (422, "invalid_input", False)
    assert list(response.json["errors"]) == [field]
    assert all(isinstance(sentence, str) for sentence in response.json["errors"][field])
    assert field in response.json["detail"]
    assert not venue.database.events, "nothing changed"


async def test_all_errors_are_reported_at_once(venue: Venue) -> None:
    response = await venue.user(7).send("POST", RESERVE, {"seat_ids": []})
    assert set(response.json["errors"]) == {"screening_id", "seat_ids"}


@pytest.mark.parametrize(
    ("path", "body", "field", "advice"),
    [
        (RESERVE, selection(colour="red"), "colour", "known are: screening_id, seat_ids"),
        (RESERVE, selection(seat_id=42), "seat_id", 'did you mean "seat_ids"?'),
        (BOOK, selection(paymentId="pi_1"), "paymentId", 'did you mean "payment_id"?'),
        (f"{RESERVATIONS}/extend?minutes=5", selection(), "minutes", "known are: additional_minutes"),
        (f"{RESERVATIONS}/extend?_=1700000000", selection(), "_", "known are: additional_minutes"),
    ],
)
async def test_unknown_fields_are_refused_by_name(
    venue: Venue, path: str, body: object, field: str, advice: str
) -> None:
    response = await venue.user(7).send("POST", path, body)
    assert (response.status, response.code, list(response.json["errors"])) == (422, "invalid_input", [field])
    assert f'Unknown field "{field}"' in response.json["detail"] and advice in response.json["detail"]
    assert not venue.database.events, "nothing changed"


async def test_operations_without_query_parameters_ignore_unknown_ones(venue: Venue) -> None:
    response = await venue.user(7).send("POST", f"{RESERVE}?_=1700000000", selection())
    assert response.status == 201


async def test_of_very_many_unknown_fields_only_the_first_are_reported(venue: Venue) -> None:
    many = {f"field_{number}": 1 for number in range(1000, 3000)}
    response = await venue.user(7).send("POST", RESERVE, selection(**many))
    assert (response.status, list(response.json["errors"])) == (422, list(many)[:5])
    response = await venue.user(7).send("POST", RESERVE, selection(**{"x" * 50_000: 1}))
    assert (response.status, list(response.json["errors"])) == (422, ["x" * 64])
    assert len(response.body) < 1000


async def test_a_byte_order_mark_is_ignored(venue: Venue) -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(selection()).encode()
    assert (await venue.user(7).send("POST", RESERVE, raw=raw)).status == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xef\xbb\xbf",
        b"{",
        b"not json",
        b'{"screening_id": NaN}',
        b'{"screening_id": Infinity}',
        b'{"screening_id": 1e999}',
        b'{"payment_id": "\\ud800"}',
        b'{"payment_id": "\xff"}',
        b'{"payment_id": "\xed\xa0\x80"}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        json.dumps(selection()).encode("utf-16"),
    ],
)
async def test_bodies_that_are_not_json_are_refused(venue: Venue, raw: bytes) -> None:
    response = await venue.user(7).send("POST", BOOK, raw=raw)
    assert (response.status, response.code) == (400, "malformed_json")
    assert not venue.database.events


@pytest.mark.parametrize(
    "query", ["?seat_ids=", "?seat_ids=a", "?seat_ids=42,", "?seat_ids=4 2", "?seat_ids=%00"]
)
async def test_seat_ids_in_a_query_must_be_ids(venue: Venue, query: str) -> None:
    user = venue.user(7)
    await user.reserve(SCREENING, [42])
    response = await user.cancel_reservations(SCREENING, query.replace(" ", "%20"))
    assert (response.status, list(response.json["errors"])) == (422, ["seat_ids"])
    assert len((await user.my_reservations()).json) == 1


@pytest.mark.parametrize("query", ["?page=0", "?size=0", "?size=201", "?page=x", "?include_expired=perhaps"])
async def test_query_parameters_of_lists_are_bounded(venue: Venue, query: str) -> None:
    assert (await venue.user(7).my_reservations(query)).status == 422


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/xml"]
)
async def test_bodies_of_another_media_type_are_refused(venue: Venue, media_type: str) -> None:
    response = await venue.user(7).send(
        "POST", RESERVE, raw=json.dumps(selection()).encode(), headers={"Content-Type": media_type}
    )
    assert (response.status, response.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain;charset=UTF-8",
        "application/hal+json",
        "",
    ],
)
async def test_json_is_accepted_with_the_media_types_that_browsers_send(
    venue: Venue, media_type: str
) -> None:
    response = await venue.user(7).send(
        "POST", RESERVE, raw=json.dumps(selection()).encode(), headers={"Content-Type": media_type}
    )
    assert response.status == 201


@pytest.mark.parametrize("size", [65_537, 1_000_000])
async def test_a_body_over_the_limit_is_refused(venue: Venue, size: int) -> None:
    response = await venue.user(7).send("POST", RESERVE, raw=b" " * size)
    assert (response.status, response.code, response.json["limit"]) == (413, "body_too_large", 65_536)


async def test_a_body_at_the_limit_is_read(venue: Venue) -> None:
    raw = json.dumps(selection()).encode()
    response = await venue.user(7).send("POST", RESERVE, raw=raw + b" " * (65_536 - len(raw)))
    assert response.status == 201


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/tickets/0",
        "/api/v1/tickets/-1",
        "/api/v1/tickets/007",
        "/api/v1/tickets/abc",
        "/api/v1/tickets/%32",
        "/api/v1/tickets/4%00",
        f"/api/v1/tickets/{BEYOND_64_BITS}",
        "/api/v1/tickets/{}",
        f"{RESERVATIONS}/screening//availability/me",
        "/api/v1/nothing",
        "//",
        "/openapi.json/",
    ],
)
async def test_unknown_paths_are_not_found(venue: Venue, path: str) -> None:
    response = await venue.user(7).send("GET", path)
    assert response.status == 404
    assert set(response.json) >= {"detail", "code", "retryable"}
