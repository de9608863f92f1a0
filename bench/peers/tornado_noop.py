"""Tornado's own server with a `RequestHandler` that verifies the token, decodes the body and answers JSON."""

import orjson
from tornado.web import RequestHandler

from bench.peers.given import Callers, Given, serve_tornado


class NoOp(RequestHandler):
    """Answers as if seats were held or released."""

    def initialize(self, callers: Callers) -> None:
        """Take the collaborators."""
        self._callers = callers

    def prepare(self) -> None:
        """Require a valid token."""
        if self._callers.user_id(self.request.headers.get("Authorization", "")) is None:
            self.send_error(401)

    def post(self) -> None:
        """Answer as if the seats were held."""
        wanted = orjson.loads(self.request.body)
        self.set_status(201)
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps({"reservations": wanted["seat_ids"], "message": "Reserved 2 seats"}))

    def delete(self) -> None:
        """Answer as if the seats were released."""
        self.set_status(204)


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    await serve_tornado((".*", NoOp, {"callers": Callers(given)}), given)
