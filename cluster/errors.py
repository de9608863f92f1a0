"""Errors of calls between nodes. Those that may reach a client are errors of the engine, answered with 503.

The difference that matters: after `NodeUnreachable`, `LinkFull` or `MessageTooLong` the other node has
certainly done nothing; after `NoAnswer` it may have done what it was asked to.
"""

from engine.errors import OutcomeUnknown, OwnershipLost, Stopping, Unavailable


class NodeUnreachable(Unavailable):
    """The other node has not been asked: nobody receives messages under its name, or NATS is away.

    Args:
        node: its name.
    """

    code = "node_unreachable"

    def __init__(self, node: str) -> None:
        super().__init__(f"Server {node} cannot be reached; nothing was changed")
        self.node = node


class LinkFull(Unavailable):
    """Too many calls to one node are unanswered, or too many bytes wait for NATS."""

    code = "overloaded"
    detail = "Too many requests are waiting for another server"


class MessageTooLong(Unavailable):
    """A message is longer than NATS accepts.

    Args:
        size: in bytes.
        limit: in bytes.
    """

    code = "message_too_long"
    retryable = False

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"A message between servers has {size} bytes; NATS accepts {limit} (max_payload)")


class NoAnswer(OutcomeUnknown):
    """The other node did not answer in time, or the connection was lost: it may have done what was asked."""


class NoOwner(Unavailable):
    """No node serves."""

    code = "no_owner"
    detail = "No server of the cluster can answer now; nothing was changed"


NOT_DONE = (NoOwner, NodeUnreachable, OwnershipLost, Stopping)
"""After these a command has certainly had no effect, and its owner may be looked up again."""


class RemoteDefect(Exception):
    """The other node failed because of a bug, which it has logged."""


class NatsUnavailable(Exception):
    """NATS cannot be used; the message says what to do."""


class NodeRefused(Exception):
    """This node cannot join the cluster; the message says why, and what to do."""


class NodesNotFound(Exception):
    """There is no such node or cluster, or more than one; the message says what to do."""


class NodeNotDrained(Exception):
    """A node still owns screenings after a long time."""
