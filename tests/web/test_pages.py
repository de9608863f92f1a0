"""The server serves the pages: HTML for browsers, hashed files, the icon, under a path prefix too."""

import re
from pathlib import Path

import pytest

from api.documents.pages import BUILT, page, prefers_html
from tests.api.caller import Response
from tests.api.venue import Venue
from tests.house import House
from tests.web.browser import Browser

pytestmark = pytest.mark.gen_test

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PATHS = (
    *("/films/7", "/screenings/123", "/screenings/123/checkout", "/events/9", "/my-tickets"),
    "/events/9/checkout",
    *("/login", "/register", "/forgot-password", "/reset-password"),
)
OPERATORS_PATHS = (
    "/ops",
    "/ops/screenings/123",
    "/ops/deliveries",
    "/ops/refunds",
    "/ops/check-in",
    "/ops/check-in/7",
    "/ops/webhooks",
    "/ops/rooms",
    "/ops/rooms/4",
)
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


async def opened(venue: Venue, path: str, **headers: str) -> Response:
    return await venue.guest.send("GET", path, headers={"Accept": BROWSER, **headers})


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;q=0.5, application/json;q=0.4", True),
        ("text/*, application/json;q=0.9", True),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;level=1;q=0.2, */*;q=0.3", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("", False),
        ("nonsense;q=,/;;,", False),
    ],
)
def test_preference(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


async def test_the_root_is_a_page_for_browsers_and_a_document_for_others(venue: Venue) -> None:
    page = await opened(venue, "/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for accept in ("application/json", "*/*"):
        document = await venue.guest.send("GET", "/", headers={"Accept": accept})
        assert document.json["name"] == "Frontrow"
        for answer in (page, document):
            assert "Accept" in re.split(", *", answer.headers["Vary"])


async def test_every_page_has_the_policy_and_is_revalidated(venue: Venue) -> None:
    for path in ("/", *PATHS, *OPERATORS_PATHS):
        page = await opened(venue, path)
        assert page.status == 200, path
        policy = dict(
            directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; ")
        )
        assert policy == POLICY
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-cache"
        assert (await opened(venue, path, **{"If-None-Match": page.headers["ETag"]})).status == 304


async def test_pages_load_nothing_but_existing_files_of_this_server(venue: Venue) -> None:
    for path in ("/", "/ops"):
        html = (await opened(venue, path)).body.decode()
        assert '<base href="/" />' in html
        assert "<script>" not in html and "style=" not in html
        loaded = re.findall(r'(?:src|href)="(?!/")([^"]+)"', html)
        assert len(loaded) >= 4
        for url in loaded:
            assert not re.match(r"\w+:|/", url), "not relative to the base"
            assert (await venue.guest.send("GET", f"/{url.removeprefix('./')}")).status == 200


async def test_files_are_kept_for_ever_and_sent_compressed(venue: Venue) -> None:
    script = next((BUILT / "assets").glob("*.js"))
    for accepted, encoding, ending in (
        ("gzip, deflate, br, zstd", "br", ".br"),
        ("gzip", "gzip", ".gz"),
        ("", None, ""),
    ):
        sent = await venue.guest.send("GET", f"/assets/{script.name}", headers={"Accept-Encoding": accepted})
        assert sent.headers.get("Content-Encoding") == encoding
        assert sent.body == (BUILT / "assets" / f"{script.name}{ending}").read_bytes()
        assert "javascript" in sent.headers["Content-Type"]
        assert sent.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in sent.headers["Vary"]
        assert sent.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in sent.headers["Content-Security-Policy"]
    for ending in (".br", ".gz"):
        variant = await venue.guest.send("GET", f"/assets/{script.name}{ending}")
        assert variant.status == 404, "without its encoding nobody could read it"


async def test_the_icon_is_where_browsers_look(venue: Venue) -> None:
    for path, media_type in (("/favicon.ico", "image/"), ("/favicon.svg", "image/svg+xml")):
        icon = await venue.guest.send("GET", path)
        assert icon.status == 200
        assert icon.headers["Content-Type"].startswith(media_type)


@pytest.mark.parametrize(
    "path", ["/assets/", "/assets/nothing.js", "/assets/..%2findex.html", "/films/x", "/opsx"]
)
async def test_nothing_else_is_served(venue: Venue, path: str) -> None:
    assert (await opened(venue, path)).status == 404


async def test_unknown_addresses_are_a_page_for_browsers_and_an_error_for_others(venue: Venue) -> None:
    for path in ("/nonsense", "/ops/nonsense", "/films/7/", "/films/x/", "//elsewhere.example/", "/%2e%2e/"):
        shown = await venue.guest.send("GET", path, headers={"Accept": BROWSER})
        if path == "/films/7/":
            assert (shown.status, shown.headers["Location"]) == (308, "/films/7")
            continue
        assert shown.status == 404, path
        assert shown.headers["Content-Type"].startswith("text/html")
        assert "ETag" not in shown.headers
        assert "Content-Security-Policy" in shown.headers
        for accept in ("*/*", "application/json"):
            refused = await venue.guest.send("GET", path, headers={"Accept": accept})
            assert (refused.status, refused.json["code"]) == (404, "not_found")
    for path in ("/api/v1/nonsense", "/api/public/nonsense"):
        assert "json" in (await opened(venue, path)).headers["Content-Type"]
    assert (
        "json"
        in (await venue.guest.send("POST", "/nonsense", {}, headers={"Accept": BROWSER})).headers[
            "Content-Type"
        ]
    )


async def test_a_slash_too_much_leads_to_the_page(venue: Venue) -> None:
    for path in ("/ops", "/ops/rooms/4", "/login", "/docs"):
        moved = await venue.guest.send("GET", f"{path}/?next=/ops", headers={"Accept": BROWSER})
        assert (moved.status, moved.headers["Location"]) == (308, f"{path}?next=/ops")


async def test_only_gets_are_served(venue: Venue) -> None:
    assert (await venue.guest.send("POST", "/login", {})).status == 405
    assert (await venue.guest.send("HEAD", "/login")).status == 200


def test_missing_pages_say_how_to_build_them(tmp_path: Path) -> None:
    answer = page(tmp_path, "index.html", "", "EUR")
    assert answer.status == 503
    assert b"make install" in answer.body.plain
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_pages_know_their_path_prefix_and_the_currency() -> None:
    html = page(BUILT, "index.html", "/tickets", "EUR").body.plain
    assert b'<base href="/tickets/" />' in html
    assert b'<meta name="currency" content="EUR" />' in html


async def test_pages_work_under_a_path_prefix(browser: Browser, database_url: str, tmp_path: Path) -> None:
    house = House(database_url, tmp_path, path_prefix="/tickets")
    await house.open()
    await house.admin.send("POST", "/api/v1/movies/", {"title": "Brass and Thunder"})
    for path in ("/", "/my-tickets", "/ops"):
        page = await browser.open(f"{house.base_url}{path}")
        await page.until("document.querySelector('h1') !== null")
        loaded = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert len(loaded) >= 4
        assert [url for url in loaded if not url.startswith(f"{house.base_url}/")] == []
        await page.at(f"/tickets{path}")
        await page.click_on("link", re.compile("^Frontrow"))
        await page.at("/tickets/ops" if path == "/ops" else "/tickets/")
        await page.close()
    page = await browser.open(f"{house.base_url}/ops/")
    await page.at("/tickets/ops")
    await page.load(f"{house.base_url}/films/none/of/these")
    await page.shows("This page does not exist")
    page.allow("status of 404")
    await house.close()
