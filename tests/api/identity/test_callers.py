"""Requests from foreign origins and to foreign host names are refused, in each endpoint's own format."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from api.identity.host_names import HostNames
from api.identity.origins import AllowedOrigins
from tests.api.venue import SCREENING, Venue

EVIL = "https://evil.example"
pytestmark = pytest.mark.gen_test

OpenVenue = Callable[..., Venue]


def refusals(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the log lines about refused hosts and origins."""
    return [record.fields for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("origins", "any_local", "admitted", "refused"),
    [
        (
            ["https://a.example"],
            False,
            ["https://a.example", "HTTPS://A.example"],
            ["null", "http://localhost:3000"],
        ),
        (["null"], False, ["null"], [EVIL, "http://localhost:3000"]),
        (["*"], False, ["null", EVIL, "http://localhost:3000"], []),
        (
            [],
            True,
            [
                "http://localhost:1",
                "https://localhost",
                "http://127.0.0.1:65535",
                "http://[::1]:3000",
                "http://a.localhost",
            ],
            [
                "null",
                EVIL,
                "http://localhost.evil.example",
                "http://evil.example#localhost",
                "http://[::1",
                "localhost",
            ],
        ),
    ],
)
async def test_origins(origins: list[str], any_local: bool, admitted: list[str], refused: list[str]) -> None:
    allowed = AllowedOrigins(origins, any_local=any_local)
    assert [origin for origin in admitted if not allowed.admits(origin, "127.0.0.1:8000")] == []
    assert [origin for origin in refused if allowed.admits(origin, "127.0.0.1:8000")] == []


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        (None, True),
        ("", True),
        ("tickets.example", True),
        ("Tickets.Example.:8443", True),
        ("127.0.0.1:8000", True),
        ("10.1.2.3", True),
        ("[::1]:8000", True),
        ("[fe80::1]", True),
        ("localhost:8000", True),
        ("a.localhost", True),
        ("evil.example:8000", False),
        ("tickets.example.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("notlocalhost", False),
        ("1.2.3", False),
        ("0x7f000001", False),
    ],
)
async def test_hosts(host: str | None, admitted: bool) -> None:
    assert HostNames(["tickets.example"]).admits(host) is admitted
    assert HostNames(["*"]).admits(host)


@pytest.mark.parametrize("path", ["/api/v1/cinemas/", "/health", "/api/public/events"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": EVIL}, 403, "origin_not_allowed"),
        ({"Host": "evil.example"}, 421, "host_not_allowed"),
        # DNS rebinding: the page's origin equals its host.
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, 421, "host_not_allowed"),
    ],
)
async def test_a_refusal_has_the_format_of_its_endpoint_and_is_logged(
    venue: Venue,
    caplog: pytest.LogCaptureFixture,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    sent = {**headers, "X-Request-ID": "mine-1"}
    refused = await venue.guest.send("GET", path, headers=sent)
    assert (refused.status, refused.code) == (status, code)
    if path.startswith("/api/public"):
        assert refused.json["success"] is False
        assert refused.json["error"]["retryable"] is False
    else:
        assert refused.json["retryable"] is False
    host = headers.get("Host", venue.base_url.removeprefix("http://"))
    expected = {"host": host, "request_id": "mine-1"}
    if "Origin" in headers:
        expected["origin"] = headers["Origin"]
    assert refusals(caplog) == [expected]


async def test_a_request_from_a_rebound_page_has_no_effect(venue: Venue) -> None:
    caller = venue.user(7)
    refused = await caller.reserve(SCREENING, [42], headers={"Host": "evil.example"})
    assert (refused.status, refused.code) == (421, "host_not_allowed")
    assert (await caller.reserve(SCREENING, [42])).status == 201


async def test_static_files_are_only_served_under_the_servers_own_names(venue: Venue) -> None:
    for path in ("/client/live_client.js", "/docs"):
        assert (await venue.guest.send("GET", path)).status == 200
        refused = await venue.guest.send("GET", path, headers={"Host": "evil.example"})
        assert (refused.status, refused.code) == (421, "host_not_allowed")


async def test_host_names_come_from_the_settings(venue: Venue) -> None:
    venue.restart_api(hosts=HostNames(["tickets.example"]))
    for host in ("tickets.example", "127.0.0.1", "localhost:1"):
        assert (await venue.guest.send("GET", "/health", headers={"Host": host})).status == 200


async def test_logged_headers_are_shortened_and_contain_no_token(
    venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    origin = "https://evil.example/?token=hidden-word" + "x" * 2000
    await venue.guest.send("GET", "/health", headers={"Origin": origin})
    (logged,) = refusals(caplog)
    assert len(logged["origin"]) == 256
