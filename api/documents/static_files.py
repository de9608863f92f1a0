"""Serves static files of installed packages: at `/client/` the JavaScript client (docs/client.md) and the web
component (docs/component.md).
"""

from importlib.resources import files
from typing import Any, ClassVar

from tornado.routing import URLSpec
from tornado.web import StaticFileHandler

from api.http1.common_headers import COMMON_HEADERS


class StaticFile(StaticFileHandler):
    """Serves files of a folder. Subclasses set the route's name in logs and the caching rule."""

    route: ClassVar[str]
    caching: ClassVar[str]
    """Value of the `Cache-Control` header."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", self.caching)
        for name in ("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"):
            self.set_header(name, COMMON_HEADERS.fields[name])

    def write_error(self, status_code: int, **_: Any) -> None:
        """Send an empty body."""
        self.finish()


class ClientFile(StaticFile):
    """A module of the JavaScript client."""

    route = "/client/{file}"
    # Browsers must revalidate (and get a 304); otherwise a page could mix modules of two releases.
    caching = "no-cache"

    def set_extra_headers(self, path: str) -> None:
        """Allow pages of any site to import the module. Browsers load modules with CORS; it is public."""
        super().set_extra_headers(path)
        self.set_header("Access-Control-Allow-Origin", "*")


class ComponentFile(ClientFile):
    """The web component, or its types."""

    def get_content_type(self) -> str:
        """Return the type; elsewhere .ts stands for a video format."""
        return "text/plain; charset=utf-8" if self.path.endswith(".ts") else "text/javascript"


def client_routes() -> list[URLSpec]:
    """Return the routes that serve the client's modules and the component."""
    modules, built = files("web") / "client", files("web") / "dist"
    return [
        URLSpec(r"/client/(\w+\.js)", ClientFile, {"path": str(modules)}),
        URLSpec(r"/client/(frontrow-seats\.(?:js|d\.ts))", ComponentFile, {"path": str(built)}),
    ]
