"""Tornado as it is: a `RequestHandler` that decodes the token and the JSON body, and only answers."""

import orjson
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from bench.peers.surroundings import Doorman, Surroundings, told_to_stop


class NoOp(RequestHandler):
    """Answers as if seats had been held or released."""

    def initialize(self, doorman: Doorman) -> None:
        """Take the collaborators."""
        self._doorman = doorman

    def prepare(self) -> None:
        """Refuse whoever is not known."""
        if self._doorman.caller(self.request.headers.get("Authorization", "")) is None:
            self.send_error(401)

    def post(self) -> None:
        """What was asked for, as JSON."""
        wanted = orjson.loads(self.request.body)
        self.set_status(201)
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps({"reservations": wanted["seat_ids"], "message": "Reserved 2 seats"}))

    def delete(self) -> None:
        """Nothing."""
        self.set_status(204)


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    application = Application(
        [(".*", NoOp, {"doorman": surroundings.doorman})], log_function=lambda handler: None
    )
    server = HTTPServer(application)
    server.add_socket(surroundings.listening)
    await told_to_stop()
