"""How an operation says in which form its reply is written down, when it answers and for every repeat."""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson


class ReceiptForm(NamedTuple):
    """A form of replies to durable commands.

    Attributes:
        name: under which it is stored with the booking, so it must not change.
        status: of the answer.
        document: makes the body out of the engine's reply.
    """

    name: str
    status: int
    document: Callable[[Any], object]

    def encoded(self, reply: object) -> tuple[int, bytes]:
        """HTTP status and body."""
        return self.status, orjson.dumps(self.document(reply))
