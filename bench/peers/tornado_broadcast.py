"""Tornado's `write_message`: every message goes to every socket."""

from tornado.websocket import WebSocketHandler

from bench.peers.given import Given, serve_tornado


class Member(WebSocketHandler):
    """One socket."""

    def initialize(self, members: "set[Member]") -> None:
        """Take the collaborators."""
        self._members = members

    def open(self) -> None:
        """Join."""
        self.set_nodelay(True)
        self._members.add(self)

    async def on_message(self, message: str | bytes) -> None:
        """Send it to everybody, without awaiting the writes: the readers keep up."""
        for member in self._members:
            member.write_message(message)

    def on_close(self) -> None:
        """Leave."""
        self._members.discard(self)


async def serve(given: Given) -> None:
    """Serve until the process is killed."""
    await serve_tornado(("/", Member, {"members": set()}), given)
