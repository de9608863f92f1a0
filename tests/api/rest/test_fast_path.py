"""The fast path and the general path give the same responses to the same requests."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api.http1.http_server import HTTPTOOLS
from api.limits import Limits
from api.rest import fast_path
from engine.commands import ReadStock
from engine.policy import Policy
from tests.api.venue import ORIGIN, PAST_SCREENING, SCREENING, Venue

RESERVE = "/api/v1/seat-reservations/reserve"
TOGGLE = "/api/v1/seat-reservations/toggle"
EXTEND = "/api/v1/seat-reservations/extend"
CANCEL = f"/api/v1/seat-reservations/cancel/{SCREENING}"
AVAILABILITY = f"/api/v1/seat-reservations/screening/{SCREENING}/availability"
BOOK = "/api/v1/tickets/book"
BOOK_RESERVED = "/api/v1/tickets/book-from-reservation"

GENERAL = ("Connection: keep-alive, general",)
"""A field that means nothing here, and that no plain request has."""


Ask = tuple[str, str, int | None, str]
"""Method, target, the user or nobody, and a body."""

Answer = tuple[str, dict[str, str], bytes]
"""Status line, fields and body."""


def post(target: str, *seat_ids: object, user_id: int | None = 7, **more: object) -> Ask:
    body = {"screening_id": SCREENING, "seat_ids": seat_ids, **more}
    return "POST", target, user_id, json.dumps(body)


def ask(method: str, target: str, body: str = "", user_id: int | None = 7) -> Ask:
    return method, target, user_id, body


CONVERSATIONS = {
    "holds": [post(RESERVE, 41, 42), post(RESERVE, 42, user_id=8), post(RESERVE, 41)],
    "toggles": [post(TOGGLE, 41), post(TOGGLE, 41, 43), post(TOGGLE, 43, user_id=8)],
    "extends": [post(RESERVE, 41), post(f"{EXTEND}?additional_minutes=2", 41), post(EXTEND, 42)],
    "queries": [
        post(RESERVE, 41, 42, 43),
        *(post(f"{EXTEND}?{query}", 41) for query in ("", "additional_minutes=1", "additional_minutes=%31")),
        ask("DELETE", f"{CANCEL}?seat_ids=41,41"),
        ask("DELETE", f"{CANCEL}?seat_ids=42&seat_ids=43"),
        ask("GET", f"{AVAILABILITY}?a=?"),
        ask("DELETE", f"{CANCEL}?"),
    ],
    "releases": [post(RESERVE, 41, 42), ask("DELETE", f"{CANCEL}?seat_ids=41"), ask("DELETE", CANCEL)],
    "reads": [post(RESERVE, 41), ask("GET", AVAILABILITY, user_id=None), ask("GET", f"{AVAILABILITY}/me")],
    "books": [post(BOOK, 41, payment_id="p"), post(BOOK, 41, payment_id="p"), post(BOOK, 41, payment_id="q")],
    "unknown screening": [post(RESERVE, 41, screening_id=9)],
    "unknown seats": [post(RESERVE, 41, 999)],
    "past screening": [post(RESERVE, 41, screening_id=PAST_SCREENING)],
    "wrong body": [post(RESERVE, "a"), *(ask("POST", RESERVE, body) for body in ("{", "[]", "", "null"))],
    "body over its limit": [ask("POST", RESERVE, post(RESERVE, 41)[3] + " " * 65_536)],
    "long request line": [post(f"{RESERVE}?{'a' * 600}=b", 41)],
    "body where there is none": [ask("GET", AVAILABILITY, "{}"), ask("DELETE", CANCEL, "{}")],
    "wrong query": [
        *(
            ask("DELETE", f"{CANCEL}?{query}")
            for query in ("seat_ids=a", "seat_ids=", "seat_ids", "a=1&b=2", "seat_ids=%FF", "seat_ids=0", "&")
        ),
        ask("DELETE", f"{CANCEL}?seat_ids={'1,' * 300}1"),
        *(post(f"{EXTEND}?additional_minutes={minutes}", 41) for minutes in ("0", "61", "1.0", "+1", "1_0")),
        post(f"{RESERVE}?a=b", 41),
    ],
    "fragment": [ask("DELETE", f"{CANCEL}?seat_ids=41#seat")],
    "no token": [post(RESERVE, 41, user_id=None)],
    "wrong method": [ask("PUT", RESERVE), ask("GET", RESERVE)],
    "no such path": [ask("GET", f"{RESERVE}/x")],
}
FIELDS = (
    "",
    f"Origin: {ORIGIN}/{'a' * 300}",
    f"Origin: {ORIGIN}",
    "Origin: https://evil.example",
    "Accept-Encoding: gzip",
)
KNOWN = ('W/"1-1"', 'W/"1-1-7"', '"1-1"', 'W/"1-0", W/"1-1"', 'W/"1-0"', '"1-1', "1-1", "*", "")
CONDITIONS = (
    *((f"If-None-Match: {tags}",) for tags in KNOWN),
    ('If-None-Match: W/"1-0"', 'If-None-Match: W/"1-1"'),
    ('If-None-Match: W/"1-1"', "Accept-Encoding: gzip", f"Origin: {ORIGIN}"),
)


class Client:
    """Sends requests over one connection, and reads whole answers."""

    def __init__(self, venue: Venue, *fields: str) -> None:
        self._venue = venue
        self._fields = fields

    async def talk(self, requests: list[Ask]) -> list[Answer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._venue.port)
        answers = []
        for method, target, user_id, body in requests:
            lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *self._fields]
            if user_id is not None:
                token = self._venue.tokens.issue(user_id, ttl_seconds=3600)
                lines.append(f"Authorization: Bearer {token}")
            if body:
                lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
            writer.write("\r\n".join([*lines, "", body]).encode())
            answers.append(await self._answer(reader))
        writer.close()
        return answers

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        async def head() -> bytes:
            return await reader.readuntil(b"\r\n\r\n")

        reading = asyncio.ensure_future(head())
        while not reading.done():
            # Durable commands are answered when the journal has written them.
            self._venue.journal.write_next(self._venue.journal.depth)
            await asyncio.wait((reading,), timeout=0.001)
        status, *lines = reading.result().decode().removesuffix("\r\n\r\n").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), lines
        body = await reader.readexactly(int(fields.get("Content-Length", 0)))
        del fields["Date"], fields["X-Request-ID"]
        return status, fields, body


async def same_both_ways(
    conversation: list[Ask], *fields: str, general_field: str = GENERAL[0]
) -> list[Answer]:
    """The responses, after checking that the fast path and the general path give the same."""
    fast, general = Venue(layer=HTTPTOOLS), Venue(layer=HTTPTOOLS)
    try:
        # The first touch of a screening takes the general path.
        for venue in (fast, general):
            await Client(venue).talk([("GET", AVAILABILITY, None, "")])
        answers = await Client(fast, *fields).talk(conversation)
        assert answers == await Client(general, *fields, general_field).talk(conversation)
        assert [request[1:] for request in fast.observer.requests] == [
            request[1:] for request in general.observer.requests
        ]
        return answers
    finally:
        await fast.close()
        await general.close()


@pytest.mark.gen_test
@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("field", FIELDS)
async def test_both_paths_give_the_same_responses(name: str, field: str) -> None:
    await same_both_ways(CONVERSATIONS[name], *([field] if field else []))


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["reads", "releases", "books", "unknown screening"])
@pytest.mark.parametrize("fields", CONDITIONS)
async def test_both_paths_give_the_same_responses_to_conditions(name: str, fields: tuple[str, ...]) -> None:
    await same_both_ways(CONVERSATIONS[name], *fields)


@pytest.mark.gen_test
async def test_known_seats_are_not_sent_again() -> None:
    public, own = ask("GET", AVAILABILITY, user_id=None), ask("GET", f"{AVAILABILITY}/me")
    for tags, statuses in (('W/"1-1"', [304, 200]), ('W/"1-1-7"', [200, 304]), ('W/"1-0"', [200, 200])):
        _, *answers = await same_both_ways([post(RESERVE, 41), public, own], f"If-None-Match: {tags}")
        assert [int(status.split()[1]) for status, _, _ in answers] == statuses


@pytest.mark.gen_test
async def test_a_connection_is_closed_after_a_304_when_the_client_asks_for_it() -> None:
    fields = "Connection: close", "If-None-Match: *"
    ((status, answered, body),) = await same_both_ways(
        [ask("GET", AVAILABILITY)], *fields, general_field="Idempotency-Key: general"
    )
    assert (status, answered["Connection"], body) == ("HTTP/1.1 304 Not Modified", "close", b"")


@contextmanager
def general_requests() -> Iterator[list[str]]:
    """Collect the requests that take the general path, each of which is a task of an exchange."""
    loop = asyncio.get_running_loop()
    found = []

    def make_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
        if work.__qualname__.startswith("Exchange."):
            found.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **options)

    loop.set_task_factory(make_task)
    try:
        yield found
    finally:
        loop.set_task_factory(None)


@pytest.mark.gen_test
async def test_usual_requests_take_the_fast_path(open_venue: Callable[..., Venue]) -> None:
    venue = await ready(open_venue)
    with general_requests() as general:
        await Client(venue).talk(
            [
                post(RESERVE, 41, 42),
                post(TOGGLE, 43),
                post(f"{EXTEND}?additional_minutes=1", 41),
                ask("DELETE", f"{CANCEL}?seat_ids=42,43"),
                post(BOOK, 41, payment_id="p"),
                ask("GET", AVAILABILITY, user_id=None),
                ask("GET", f"{AVAILABILITY}/me"),
            ]
        )
        await Client(venue, 'If-None-Match: W/"1-0"').talk([ask("GET", AVAILABILITY)])
        await Client(venue, "If-None-Match: *").talk([ask("GET", f"{AVAILABILITY}/me")])
        assert general == []
        await Client(venue, *GENERAL).talk([ask("GET", AVAILABILITY)])
        assert len(general) == 1


@pytest.mark.gen_test
async def test_queries_are_not_remembered(open_venue: Callable[..., Venue]) -> None:
    venue = await ready(open_venue)
    remembered = venue.application.answer_plain.__self__._routes
    await Client(venue).talk([ask("DELETE", f"{CANCEL}?seat_ids=41")])
    before = set(remembered)
    await Client(venue).talk([ask("DELETE", f"{CANCEL}?seat_ids={seat_id}") for seat_id in range(41, 61)])
    assert set(remembered) == before


@pytest.mark.gen_test
async def test_callers_who_have_left_are_not_remembered(
    open_venue: Callable[..., Venue], monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = await ready(open_venue)
    remembered = venue.application.answer_plain.__self__._identities
    await Client(venue).talk([post(RESERVE, seat_id, user_id=seat_id) for seat_id in (41, 42, 43)])
    assert len(remembered) == 3
    monkeypatch.setattr(fast_path, "_CALLERS_SECONDS", 0.0)
    answers = await Client(venue).talk([post(RESERVE, 44, user_id=7), post(RESERVE, 44, user_id=8)])
    assert [status.split()[1] for status, _, _ in answers] == ["201", "409"]
    assert len(remembered) == 1


async def responses(venue: Venue, sent: bytes, *, end: bool = True) -> list[bytes]:
    """Return all responses to some bytes after which the client sends no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(sent)
    if end:
        writer.write_eof()
    reading = asyncio.ensure_future(reader.read())
    while not reading.done():
        venue.journal.write_next(venue.journal.depth)
        await asyncio.wait((reading,), timeout=0.001)
    writer.close()
    return [b"HTTP/1.1 " + response for response in reading.result().split(b"HTTP/1.1 ")[1:]]


def request(
    venue: Venue, target: str, *seat_ids: int, number: int = 0, field: str = "", **more: object
) -> bytes:
    body = json.dumps({"screening_id": SCREENING, "seat_ids": seat_ids, **more})
    token = venue.tokens.issue(7, ttl_seconds=3600)
    lines = [
        f"POST {target} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {token}",
        f"X-Request-ID: number-{number}",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        *([field] if field else []),
    ]
    return "\r\n".join([*lines, "", body]).encode()


def numbers(found: list[bytes]) -> list[int]:
    """The request ids of responses, all of them successful."""
    assert all(b" 201 " in response[:14] or b" 200 " in response[:14] for response in found), found
    return [int(response.partition(b"X-Request-ID: number-")[2].partition(b"\r\n")[0]) for response in found]


async def ready(open_venue: Callable[..., Venue]) -> Venue:
    """A venue whose screening is in memory."""
    venue = open_venue(layer=HTTPTOOLS)
    await Client(venue).talk([("GET", AVAILABILITY, None, "")])
    return venue


@pytest.mark.gen_test
@pytest.mark.parametrize("target", [RESERVE, BOOK])
async def test_a_client_that_sends_no_more_gets_its_response(
    open_venue: Callable[..., Venue], target: str
) -> None:
    venue = await ready(open_venue)
    assert numbers(await responses(venue, request(venue, target, 41, number=1))) == [1]


@pytest.mark.gen_test
async def test_responses_come_in_the_order_of_the_requests(open_venue: Callable[..., Venue]) -> None:
    venue = await ready(open_venue)
    # Held at once, booked by the database, on the general path, and by turns.
    general = GENERAL[0]
    ways = [
        (RESERVE, ""),
        (BOOK, ""),
        (RESERVE, general),
        (TOGGLE, ""),
        (BOOK, general),
        (BOOK, ""),
        (TOGGLE, ""),
    ]
    sent = [request(venue, target, 41 + n, number=n, field=field) for n, (target, field) in enumerate(ways)]
    assert numbers(await responses(venue, b"".join(sent))) == [*range(len(ways))]


@pytest.mark.gen_test
@pytest.mark.parametrize("target", [RESERVE, BOOK])
async def test_a_connection_is_closed_when_the_client_asks_for_it(
    open_venue: Callable[..., Venue], target: str
) -> None:
    venue = await ready(open_venue)
    (response,) = await responses(venue, request(venue, target, 41, field="Connection: close"), end=False)
    assert b"\r\nConnection: close\r\n" in response


@pytest.mark.gen_test
@pytest.mark.parametrize("field", ["", GENERAL[0]])
async def test_a_booking_that_is_refused_too_late_is_reconsidered(
    open_venue: Callable[..., Venue], field: str
) -> None:
    venue = open_venue(layer=HTTPTOOLS, limits=Limits(ask_timeout_seconds=0))
    busy = ReadStock(SCREENING)
    await venue.screenings.ask(busy)
    await Client(venue).talk([post(RESERVE, 41)])
    venue.clock.advance(Policy().hold_seconds)
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(request(venue, BOOK_RESERVED, 41, field=field, payment_id="p"))
    # The screening handles these first, over several turns of the event loop.
    others = [asyncio.ensure_future(venue.screenings.ask(busy)) for _ in range(2000)]
    assert b" 503 " in await reader.readline()
    # The seat is no longer reserved, so the payment is owed.
    async with asyncio.timeout(60):
        while not venue.database.refunds:  # noqa: ASYNC110 - the database notifies nobody
            await asyncio.sleep(0)
    assert list(venue.database.refunds) == [("p", None)]
    await asyncio.gather(*others)
    writer.close()


@pytest.mark.gen_test
async def test_a_booking_whose_server_gives_it_up_has_an_unknown_outcome(
    open_venue: Callable[..., Venue], caplog: pytest.LogCaptureFixture
) -> None:
    venue = await ready(open_venue)
    reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(request(venue, BOOK, 41))
    async with asyncio.timeout(60):
        while not (waiting := venue.application.rest.unanswered):  # noqa: ASYNC110
            await asyncio.sleep(0)
    for reply in list(waiting):
        reply.cancel()
    assert b" 503 " in await reader.readline()
    assert b'"outcome_unknown"' in await reader.readuntil(b"}")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    writer.close()
