"""The web pages: the HTML of each path, their hashed files below `/assets/`, and the icon.

`web.build` builds them into web/dist. All paths of an area are answered with the same HTML, and its script
shows the page of the path. Paths of pages must differ from those of the API.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from mimetypes import guess_type
from pathlib import Path

from tornado.routing import URLSpec

from api.bodies import Body
from api.documents.static_files import StaticFile
from api.rest.endpoint import Access, Answer, Call, Resource
from api.rest.path_prefix import within
from api.rest.plan import Plan
from api.rest.routes import Routes
from api.services import Services

BUILT = Path(str(files("web"))) / "dist"

VARY = "Origin, Accept-Encoding, Accept"
"""The Vary field of a path that has both a page and a document."""

pages = Resource("", tag="Pages")

_BOX_OFFICE, _OPERATIONS = "index.html", "ops.html"
_PATHS: Mapping[str, tuple[str, ...]] = {
    _BOX_OFFICE: (
        "/films/{film_id}",
        "/screenings/{screening_id}",
        "/screenings/{screening_id}/checkout",
        "/events/{event_id}",
        "/events/{event_id}/checkout",
        "/login",
        "/register",
        "/forgot-password",
        "/reset-password",
        "/my-tickets",
        "/account",
        "/my-tickets/{ticket_id}/move",
    ),
    _OPERATIONS: (
        "/ops",
        "/ops/screenings/{screening_id}",
        "/ops/check-in",
        "/ops/check-in/{screening_id}",
        "/ops/deliveries",
        "/ops/refunds",
        "/ops/webhooks",
        "/ops/rooms",
        "/ops/rooms/{room_id}",
    ),
}
_MEDIA_RANGE = re.compile(r"([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)[^,]*?(?:;\s*q=([01](?:\.\d*)?)[^,]*)?(?=,|$)")
_BASE = '<base href="/" />'
_CURRENCY = '<meta name="currency" content="" />'
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    # Browsers must revalidate: the HTML names the hashed files of one release.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "Vary": VARY,
}
_MISSING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Frontrow</title>
<h1>The web pages have not been built</h1>
<p>Run <code>make install</code> in the repository, then restart the server. The API works without them.</p>
</html>
"""


def prefers_html(accept: str) -> bool:
    """Return whether a client prefers HTML to JSON (RFC 9110, section 12.5.1).

    Args:
        accept: the Accept field, or empty.
    """
    qualities = {media_range: float(q or 1) for media_range, q in _MEDIA_RANGE.findall(accept.lower())}

    def quality(kind: str, media_type: str) -> float:
        for media_range in (media_type, f"{kind}/*", "*/*"):
            if media_range in qualities:
                return qualities[media_range]
        return 0.0

    return quality("text", "text/html") > quality("application", "application/json")


def box_office(call: Call) -> Answer:
    """The HTML of the box office."""
    return page(BUILT, _BOX_OFFICE, call.services.path_prefix, call.services.currency)


@lru_cache
def page(built: Path, name: str, prefix: str, currency: str, policy: str = CONTENT_SECURITY_POLICY) -> Answer:
    """The HTML of an area.

    Args:
        built: the folder with the built pages.
        name: of the file.
        prefix: path prefix under which everything is served.
        currency: of all prices (ISO 4217).
        policy: the content security policy.

    Returns:
        503 with a page that says how to build the pages, if they are missing.
    """
    try:
        html = (built / name).read_text()
    except FileNotFoundError:
        return Answer(503, Body(_MISSING.encode()), _HEADERS, "text/html; charset=utf-8")
    told = {_BASE: f'<base href="{prefix}/" />', _CURRENCY: f'<meta name="currency" content="{currency}" />'}
    for placeholder, element in told.items():
        html = html.replace(placeholder, element)
    content = html.encode()
    version = hashlib.sha256(content).hexdigest()[:16]
    headers = {**_HEADERS, "Content-Security-Policy": policy, "ETag": f'"{version}"'}
    return Answer(200, Body(content), headers, "text/html; charset=utf-8")


_NO_PAGES = ("/api/", "/ws/")
"""Prefixes of paths that are not for people."""


def unknown_page(plan: Plan, routes: Routes, services: Services) -> Answer | None:
    """Answer a browser's request for a path that nothing serves.

    Args:
        plan: of the request.
        routes: the paths that are served.
        services: of the application.

    Returns:
        A redirect if only a slash at the end is too much, else a page that says so, with status 404. None for
        clients that do not prefer HTML, and for paths of the API.
    """
    prefix = services.path_prefix
    path = within(prefix, plan.path)
    if path is None or path.startswith(_NO_PAGES) or plan.method not in ("GET", "HEAD"):
        return None
    if not prefers_html(plan.headers.get("Accept", "")):
        return None
    without_slash = path.rstrip("/")
    match = routes.find(without_slash) if without_slash != path else None
    operation = match.route.operations.get("GET") if match else None
    if operation and operation.endpoint.media_type == "text/html":
        query = plan.query and f"?{plan.query}"
        return Answer(308, headers={"Location": f"{prefix}{without_slash}{query}", "Vary": VARY})
    missing = page(BUILT, _BOX_OFFICE, prefix, services.currency)
    if missing.status != 200:
        return None
    headers = {name: value for name, value in missing.headers.items() if name != "ETag"}
    return missing._replace(status=404, headers=headers)


def _serve(path: str, name: str) -> None:
    @pages.get(path, access=Access.PUBLIC, media_type="text/html")
    async def show(call: Call, **_: int) -> Answer:
        return page(BUILT, name, call.services.path_prefix, call.services.currency)


for _name, _paths in _PATHS.items():
    for _path in _paths:
        _serve(_path, _name)


class PageFile(StaticFile):
    """A file of the pages, whose name changes with its content."""

    route = "/assets/{file}"
    caching = "public, max-age=31536000, immutable"
    _encoding: str | None = None

    def parse_url_path(self, url_path: str) -> str:
        """Choose the smallest variant that the client accepts, of those made by the build."""
        self._path = path = super().parse_url_path(url_path)
        accepted = self.request.headers.get("Accept-Encoding", "")
        for encoding, ending in (("br", ".br"), ("gzip", ".gz")):
            if encoding in accepted and (Path(self.root) / (path + ending)).is_file():
                self._encoding = encoding
                return path + ending
        return path

    def get_content_type(self) -> str:
        """Return the type of the file itself, not of its compressed variant."""
        return guess_type(self._path)[0] or "application/octet-stream"

    def set_extra_headers(self, path: str) -> None:
        super().set_extra_headers(path)
        self.set_header("Vary", "Accept-Encoding")
        if self._encoding:
            self.set_header("Content-Encoding", self._encoding)


class Icon(StaticFile):
    """The icon, at the path where browsers look for it."""

    route = "/favicon"
    caching = "public, max-age=86400"


def page_routes() -> list[URLSpec]:
    """Return the routes that serve the files of the pages."""
    return [
        # The compressed variants are no files of their own: they would be sent without their encoding.
        URLSpec(r"/assets/([\w.-]+(?<!\.br)(?<!\.gz))", PageFile, {"path": str(BUILT / "assets")}),
        URLSpec(r"/(favicon\.(?:ico|svg))", Icon, {"path": str(BUILT)}),
    ]
