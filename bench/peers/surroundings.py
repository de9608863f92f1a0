"""What a peer is given, and what all of them do alike."""

import asyncio
import json
import signal
import socket
from typing import NamedTuple, Self

from api.identity.tokens import Identity, InvalidToken, Tokens

BACKLOG = 1024


class Surroundings(NamedTuple):
    """What a peer works with. Crosses a process border as JSON.

    Attributes:
        descriptor: of the socket that it listens on.
        secret: what tokens are signed with.
        database_url: a PostgreSQL database of its own, if it needs one.
    """

    descriptor: int
    secret: str
    database_url: str = ""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """As they were written by `to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """As text."""
        return json.dumps(self._asdict())

    @property
    def listening(self) -> socket.socket:
        """The socket, bound and listening."""
        return socket.socket(fileno=self.descriptor)

    @property
    def doorman(self) -> "Doorman":
        """Who checks tokens."""
        return Doorman(Tokens(self.secret))


class Doorman:
    """Knows callers by the value of their Authorization header.

    Args:
        tokens: verifies, and remembers.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def caller(self, authorization: str) -> Identity | None:
        """Who calls; None if that is not to be believed."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self._tokens.verify(token)
        except InvalidToken:
            return None


async def told_to_stop() -> None:
    """Return on SIGTERM."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()
