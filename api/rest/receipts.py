"""`ReceiptForm`: the encoding of an operation's response, the same for the first one and for repeats."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson


class ReceiptForm(NamedTuple):
    """A named encoding of replies to durable commands.

    Attributes:
        name: stored with the booking, so it must never change.
        status: HTTP status of the response.
        document: builds the body from the engine's reply.
        paid_tickets: returns the ids of the tickets in a body, if a payment was named for them.
    """

    name: str
    status: int
    document: Callable[[Any], object]
    paid_tickets: Callable[[Any], Sequence[int]]

    def encoded(self, reply: object) -> tuple[int, bytes]:
        """Return the HTTP status and the body."""
        return self.status, orjson.dumps(self.document(reply))
