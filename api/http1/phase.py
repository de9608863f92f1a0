"""The phases of a connection, which serves one request after the other:

HEAD ──► BODY ──► ANSWER ──► HEAD …          (a request without a body skips BODY)
  │        │         ├─────► DETACHED        101: the socket is a WebSocket's now
  └────────┴─────────┴─────► CLOSING ──► CLOSED
"""

from enum import Enum, auto


class Phase(Enum):
    """What a connection waits for, if it has to wait.

    Attributes:
        HEAD: the head of the next request.
        BODY: the rest of its body.
        ANSWER: its handler.
        CLOSING: the client, to take what was sent to it.
        CLOSED: nothing.
        DETACHED: nothing; somebody else goes on with the socket.
    """

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    CLOSING = auto()
    CLOSED = auto()
    DETACHED = auto()
