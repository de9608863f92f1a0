"""Serves static files of installed packages."""

from typing import Any, ClassVar

from tornado.web import StaticFileHandler


class StaticFile(StaticFileHandler):
    """Serves files of a folder. Subclasses set the route's name in logs and the caching rule."""

    route: ClassVar[str]
    caching: ClassVar[str]
    """Value of the `Cache-Control` header."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", self.caching)
        self.set_header("X-Content-Type-Options", "nosniff")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Send an empty body."""
        self.finish()
