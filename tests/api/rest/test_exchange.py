"""Behaviour common to all responses: request ids, CORS, ETags, compression, methods, log lines, metrics."""

import asyncio
import gc
import gzip
import json
import logging
from collections.abc import Callable
from urllib.parse import urljoin

import pytest

from api.http1.http_server import HTTPTOOLS, TORNADO
from api.http1.protocol import Http1Protocol
from api.json_log import JsonLines
from api.rest.exchange import Exchange
from api.services import Limits
from tests.api.caller import RESERVATIONS, TICKETS, Caller, Response
from tests.api.venue import SCREENING, Venue, raw_exchange
from tests.http_layer import http_layer

pytestmark = pytest.mark.gen_test

AVAILABILITY = f"{RESERVATIONS}/screening/{SCREENING}/availability"


async def test_every_response_has_a_request_id(venue: Venue) -> None:
    caller = venue.guest
    for path in ("/", "/nowhere", AVAILABILITY, "/docs"):
        first, second = await caller.send("GET", path), await caller.send("GET", path)
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
        given = await caller.send("GET", path, headers={"X-Request-ID": "order-1:retry/2"})
        assert given.headers["X-Request-ID"] == "order-1:retry/2"


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "ünïcode", "<script>", '"'])
async def test_invalid_request_ids_are_replaced(venue: Venue, request_id: str) -> None:
    response = await venue.guest.send("GET", "/", headers={"X-Request-ID": request_id})
    assert response.headers["X-Request-ID"] not in ("", request_id)


async def test_responses_forbid_sniffing_framing_and_caching(venue: Venue) -> None:
    response = await venue.user(7).my_tickets()
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert "Date" in response.headers


async def test_an_unchanged_seat_map_is_not_sent_again(venue: Venue) -> None:
    user = venue.user(7)
    for look in (venue.guest.availability, user.own_availability):
        first = await look(SCREENING)
        tag = first.headers["ETag"]
        again = await look(SCREENING, headers={"If-None-Match": tag})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert (await look(SCREENING, headers={"If-None-Match": f'"x", {tag}'})).status == 304
        assert (await look(SCREENING, headers={"If-None-Match": '"x"'})).status == 200
        await user.toggle(SCREENING, 42)
        changed = await look(SCREENING, headers={"If-None-Match": tag})
        assert (changed.status, changed.headers["ETag"] == tag) == (200, False)
        assert int(changed.headers["X-Seq"]) > int(first.headers["X-Seq"])
        assert changed.headers["X-Epoch"] == first.headers["X-Epoch"]


async def test_etags_of_personal_seat_maps_differ_by_user(venue: Venue) -> None:
    first = await venue.user(7).own_availability(SCREENING)
    second = await venue.user(8).own_availability(SCREENING)
    public = await venue.guest.availability(SCREENING)
    assert len({answer.headers["ETag"] for answer in (first, second, public)}) == 3


async def test_large_responses_are_compressed_on_request(venue: Venue) -> None:
    plain = await venue.guest.availability(SCREENING)
    packed = await venue.guest.availability(SCREENING, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    assert gzip.decompress(packed.body) == plain.body
    assert "Accept-Encoding" in plain.headers["Vary"]
    small = await venue.guest.send("GET", "/healthz", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


async def test_head_is_get_without_a_body(venue: Venue) -> None:
    got = await venue.guest.availability(SCREENING)
    head = await venue.guest.send("HEAD", AVAILABILITY)
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"{RESERVATIONS}/reserve", {"POST", "OPTIONS"}),
        ("DELETE", AVAILABILITY, {"GET", "HEAD", "OPTIONS"}),
        ("PUT", f"{TICKETS}/2001", {"GET", "DELETE", "PATCH", "HEAD", "OPTIONS"}),
        ("BREW", "/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_unsupported_methods_are_refused_with_an_allow_header(
    venue: Venue, method: str, path: str, allowed: set[str]
) -> None:
    response = await venue.guest.send(method, path)
    assert (response.status, response.code) == (405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == allowed
    options = await venue.guest.send("OPTIONS", path)
    assert (options.status, options.body) == (204, b"")
    assert set(options.headers["Allow"].split(", ")) == allowed


async def test_requests_are_counted_by_path_pattern(venue: Venue) -> None:
    user = venue.user(7)
    await user.ticket(4711)
    await venue.guest.send("GET", "/api/v1/tickets/4711/nowhere")
    await venue.guest.send("BREW", "/")
    await venue.guest.send("GET", "/docs/assets/swagger-ui.css")
    assert venue.observer.requests == [
        ("/api/v1/tickets/{ticket_id}", "GET", 404),
        ("unmatched", "GET", 404),
        ("/", "OTHER", 405),
        ("/docs/assets/{file}", "GET", 200),
    ]


async def test_each_request_has_one_log_line_without_secrets(
    venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "frontrow.access")
    user = venue.user(7)
    response = await user.send("GET", f"{TICKETS}/4711?token={user.token}")
    (record,) = [record for record in caplog.records if record.name == "frontrow.access"]
    line = json.loads(JsonLines().format(record))
    assert user.token not in JsonLines().format(record)
    assert (
        line.items()
        >= {
            "method": "GET",
            "route": "/api/v1/tickets/{ticket_id}",
            "path": "/api/v1/tickets/4711",
            "status": 404,
            "request_id": response.headers["X-Request-ID"],
            "user_id": 7,
            "address": "127.0.0.1",
        }.items()
    )
    assert line["duration_ms"] > 0


async def test_a_500_response_reveals_no_details(venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
    venue.restart_api(totals=None)
    response = await venue.guest.send("GET", "/ws/stats")
    request_id = response.headers["X-Request-ID"]
    assert response.status == 500
    assert response.json == {
        "detail": "Internal server error",
        "code": "internal_error",
        "retryable": False,
        "request_id": request_id,
    }
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert request_id in record.getMessage()
    assert record.exc_info


async def test_a_full_journal_is_answered_with_retry_after(venue: Venue) -> None:
    venue.journal._limit = 0
    response = await venue.user(7).reserve(SCREENING, [42])
    assert (response.status, response.code, response.json["retryable"]) == (503, "journal_full", True)
    assert response.headers["Retry-After"] == "2"


async def test_waiting_for_ones_own_writes_times_out(open_venue: Callable[..., Venue]) -> None:
    venue = open_venue(limits=Limits(ask_timeout_seconds=0.25))
    user = venue.user(7)
    venue.journal.automatic = False
    await user.reserve(SCREENING, [42])
    late = await user.my_reservations()
    assert (late.status, late.code) == (503, "store_unavailable")
    venue.journal.write_next()
    assert len((await user.my_reservations()).json) == 1


async def test_readiness_lists_its_reasons(venue: Venue) -> None:
    ready = await venue.guest.send("GET", "/readyz")
    assert (ready.status, ready.json) == (200, {"status": "ready", "reasons": {}, "degraded": {}})
    venue.degraded = {"nats": "away"}
    assert (await venue.guest.send("GET", "/readyz")).json["degraded"] == {"nats": "away"}
    venue.unready = {"journal": "full"}
    unready = await venue.guest.send("GET", "/readyz")
    assert (unready.status, unready.json["reasons"]) == (503, {"journal": "full"})
    assert (await venue.guest.send("GET", "/healthz")).json == {"status": "ok"}


async def test_socket_statistics_match_the_guide(venue: Venue) -> None:
    for screening_id, sockets in ((125, 19), (123, 15), (124, 8)):
        for _ in range(sockets):
            venue.screening_sockets.add(screening_id)
    assert (await venue.guest.send("GET", "/ws/stats")).json == {
        "total_connections": 42,
        "active_screenings": [123, 124, 125],
        "screening_details": {"123": 15, "124": 8, "125": 19},
    }


async def test_the_root_path_has_a_welcome_message(venue: Venue) -> None:
    welcome = (await venue.guest.send("GET", "/")).json
    assert (welcome["name"], welcome["version"], welcome["status"]) == ("Frontrow", "1.2.3", "ok")
    for path in welcome["links"].values():
        assert (await venue.guest.send("GET", path)).status == 200


async def test_metrics_have_the_prometheus_media_type(venue: Venue) -> None:
    response = await venue.guest.send("GET", "/metrics")
    assert (response.headers["Content-Type"], response.body) == ("text/plain; version=0.0.4", b"up 1\n")


async def test_the_docs_page_loads_nothing_from_other_sites(venue: Venue) -> None:
    page = await venue.guest.send("GET", "/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"http" not in page.body.replace(b"http-equiv", b"")
    named = [
        part.split(b'"')[0].decode() for part in page.body.replace(b'href="', b'src="').split(b'src="')[1:]
    ]
    assert len(named) == 4
    for path in named:
        assert (await venue.guest.send("GET", urljoin("/docs", path))).status == 200


@pytest.mark.parametrize("path", ["../core.py", "..%2fcore.py", "%2e%2e/core.py", "nothing.js", ""])
async def test_only_assets_of_the_docs_page_are_served(venue: Venue, path: str) -> None:
    assert (await venue.guest.send("GET", f"/docs/assets/{path}")).status == 404


async def test_a_huge_content_length_is_refused_before_the_body_arrives(venue: Venue) -> None:
    request = f"POST {TICKETS}/book HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    sent = await raw_exchange(venue, request.encode())
    assert sent.startswith(b"HTTP/1.1 413 ")
    assert sent.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in sent


async def test_a_chunked_body_over_the_limit_is_refused(venue: Venue) -> None:
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    request = (
        f"POST {TICKETS}/book HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {venue.user(7).token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sent = await raw_exchange(venue, request.encode() + chunk * 3 + b"0\r\n\r\n")
    assert sent.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +4\r\n\r\n{}{}",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Bad\x00: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: two words\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: one, another\r\n\r\n",
        b"rubbish\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused(venue: Venue, head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    sent = await raw_exchange(venue, head)
    assert sent.startswith(b"HTTP/1.1 400 ") or (sent == b"" and http_layer() == TORNADO)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_our_http_layer_counts_and_logs_malformed_requests(
    open_venue: Callable[..., Venue], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "frontrow.access")
    venue = open_venue(layer=HTTPTOOLS)
    sent = await raw_exchange(venue, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Bad : y\r\n\r\n")
    assert venue.observer.requests == [("unmatched", "OTHER", 400)]
    (record,) = [record for record in caplog.records if record.name == "frontrow.access"]
    assert record.fields["status"] == 400
    assert record.fields["request_id"].encode() in sent


@pytest.mark.parametrize("target", ["/healthz?", "/healthz?a=b", "/healthz"])
async def test_the_query_is_not_part_of_the_logged_path(
    venue: Venue, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    caplog.set_level(logging.INFO, "frontrow.access")
    assert (await venue.guest.send("GET", target)).status == 200
    (record,) = [record for record in caplog.records if record.name == "frontrow.access"]
    assert (record.fields["path"], record.fields["route"]) == ("/healthz", "/healthz")


async def test_connections_are_kept_alive(venue: Venue) -> None:
    once = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    sent = await raw_exchange(venue, once * 3 + last)
    assert sent.count(b"HTTP/1.1 200 OK") == 4


async def test_slow_senders_are_disconnected(open_venue: Callable[..., Venue]) -> None:
    venue = open_venue(limits=Limits(header_timeout_seconds=0.1, body_timeout_seconds=0.1))
    assert await raw_exchange(venue, b"") == b""
    for begun in (b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"):
        sent = await raw_exchange(venue, begun)
        assert sent == b"" or sent.startswith(b"HTTP/1.1 408 ")


async def test_a_booking_succeeds_even_if_its_client_disconnects(
    venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    user = venue.user(7)
    venue.journal.automatic = False
    body = b'{"screening_id": 123, "seat_ids": [42]}'
    head = f"POST {TICKETS}/book HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {user.token}\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", venue.port)
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    while not venue.journal.depth:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    writer.close()
    await writer.wait_closed()
    await venue.guest.send("GET", "/healthz")
    venue.journal.write_next()
    await venue.application.finished()
    assert [ticket["seat_id"] for ticket in (await user.my_tickets()).json] == [42]
    assert venue.observer.requests[1] == (f"{TICKETS}/book", "POST", 201)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_disconnecting_client_does_not_affect_others(venue: Venue) -> None:
    for request in (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", venue.port)
        writer.write(request)
        writer.close()
        await writer.wait_closed()
    response: Response = await Caller(venue.base_url).send("GET", "/healthz")
    assert response.status == 200


async def test_closed_connections_leave_no_reference_cycles(
    open_venue: Callable[..., Venue],
) -> None:
    venue = open_venue(layer=HTTPTOOLS)
    body = b'{"screening_id": 123, "seat_ids": [41]}'
    fields = (
        b"Host: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
        % (
            venue.tokens.issue(7, ttl_seconds=60).encode(),
            len(body),
        )
    )
    requests = [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /nowhere HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n",
        b"POST /api/v1/seat-reservations/reserve HTTP/1.1\r\n" + fields + body,
        b"POST /api/v1/tickets/book HTTP/1.1\r\n" + fields + body,
        b"no request\r\n\r\n",
    ]
    gc.collect()
    gc.disable()
    try:
        for request in requests:
            assert await raw_exchange(venue, request)
        async with asyncio.timeout(60):
            while left := [
                kept for kept in gc.get_objects() if issubclass(type(kept), Http1Protocol | Exchange)
            ]:
                del left
                await asyncio.sleep(0.005)
    finally:
        gc.enable()


# Bodies
