"""The phases of a connection, which serves one request after another:

HEAD ──► BODY ──► ANSWER ──► HEAD …          (a request without a body skips BODY)
  │        │         ├─────► DETACHED        101: the connection is a WebSocket now
  └────────┴─────────┴─────► CLOSING ──► CLOSED
"""

from enum import Enum, auto


class Phase(Enum):
    """The phase of a connection, by what it waits for.

    Attributes:
        HEAD: the head of the next request.
        BODY: the rest of the request's body.
        ANSWER: the handler's response.
        CLOSING: the client, to read the last response.
        CLOSED: nothing.
        DETACHED: nothing; another protocol has taken over the transport.
    """

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    CLOSING = auto()
    CLOSED = auto()
    DETACHED = auto()
