"""Tornado's `write_message`: whatever anybody sends goes to everybody."""

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from bench.peers.surroundings import Surroundings, told_to_stop


class Member(WebSocketHandler):
    """One of the audience."""

    def initialize(self, members: "set[Member]") -> None:
        """Take the collaborators."""
        self._members = members

    def open(self) -> None:
        """Come."""
        self.set_nodelay(True)
        self._members.add(self)

    async def on_message(self, message: str | bytes) -> None:
        """Tell everybody. What each write returns need not be awaited: readers keep up here."""
        for member in self._members:
            member.write_message(message)

    def on_close(self) -> None:
        """Go."""
        self._members.discard(self)


async def serve(surroundings: Surroundings) -> None:
    """Run until SIGTERM."""
    application = Application([("/", Member, {"members": set()})], log_function=lambda handler: None)
    server = HTTPServer(application)
    server.add_socket(surroundings.listening)
    await told_to_stop()
