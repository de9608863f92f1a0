"""Serves the files of a folder, as any web server would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, StaticFileHandler


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """Serve a folder on a free port. Yields the origin."""
    pages = Application([("/(.*)", StaticFileHandler, {"path": str(folder)})])
    server = HTTPServer(pages)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        await server.close_all_connections()
