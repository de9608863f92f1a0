"""Files that packages bring along for browsers, served as they are."""

from typing import Any, ClassVar

from tornado.web import StaticFileHandler


class StaticFile(StaticFileHandler):
    """A file out of a folder. Subclasses say how the log calls them and how long browsers may keep it."""

    route: ClassVar[str]
    caching: ClassVar[str]
    """The `Cache-Control` header."""

    def set_extra_headers(self, path: str) -> None:
        """Add what Tornado does not know."""
        self.set_header("Cache-Control", self.caching)
        self.set_header("X-Content-Type-Options", "nosniff")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say nothing beyond the status."""
        self.finish()
