"""Replies that are too long for one message, such as the seat map of a large hall that is sold out.

The owner sends all parts but the last ahead of the reply, and the last one as the reply. Messages from one
node to another keep their order, so the parts have arrived when the reply does.
"""

from itertools import count

from cluster.forms import Form, decode
from cluster.kinds import PARTS
from cluster.messages import NotUnderstood, ReplyPart

PART_BYTES = 256 * 1024
"""Longer replies travel in parts of this length. NATS carries 1 MiB in a message unless told otherwise."""

KEPT_BYTES_LIMIT = 64 * 1024 * 1024
"""Bound on the parts that a node keeps until their reply comes. Beyond it the oldest ones are dropped."""

_FORMS = {kind: Form(kind, part) for kind, part in PARTS.items()}

_KIND = next(iter(PARTS))

PART_OF_REPLY = bytes((_KIND,))
"""The first byte of a part."""


class LongReplies:
    """Cuts long replies into parts, and joins the parts that come from other nodes.

    Args:
        part_bytes: length of a part.
        kept_bytes_limit: bound on the parts that are kept.
    """

    def __init__(self, part_bytes: int = PART_BYTES, kept_bytes_limit: int = KEPT_BYTES_LIMIT) -> None:
        self._part_bytes = part_bytes
        self._kept_bytes_limit = kept_bytes_limit
        self._numbers = count(1)
        # By sender and number of the reply, oldest first.
        self._kept: dict[tuple[str, int], list[bytes]] = {}
        self._kept_bytes = 0

    @property
    def kept_bytes(self) -> int:
        """Length of all parts whose reply has not come."""
        return self._kept_bytes

    def cut(self, reply: bytes) -> list[bytes]:
        """Cut an encoded reply into messages: all but the last are to be sent ahead of it."""
        if len(reply) <= self._part_bytes:
            return [reply]
        number, encode = next(self._numbers), _FORMS[_KIND].encode
        starts = range(0, len(reply), self._part_bytes)
        return [
            encode(ReplyPart(number, position, reply[start : start + self._part_bytes]))
            for position, start in enumerate(starts)
        ]

    def keep(self, sender: str, message: object) -> None:
        """Keep a part that was sent ahead of its reply.

        Raises:
            NotUnderstood: the message is no part.
        """
        part: ReplyPart = decode(_FORMS, "part", message)
        kept = self._kept.setdefault((sender, part.number), [])
        if part.position != len(kept):
            self._drop((sender, part.number))
            return
        kept.append(part.data)
        self._kept_bytes += len(part.data)
        while self._kept_bytes > self._kept_bytes_limit:
            self._drop(next(iter(self._kept)))

    def join(self, sender: str, reply: object) -> object:
        """Return the whole reply.

        Args:
            sender: the node that has answered.
            reply: its answer: the reply, or the last part of it.

        Raises:
            NotUnderstood: other parts of it are missing.
        """
        if type(reply) is not bytes or not reply or reply[0] != _KIND:
            return reply
        part: ReplyPart = decode(_FORMS, "part", reply)
        kept = self._drop((sender, part.number))
        if part.position != len(kept):
            raise NotUnderstood("parts of a reply are missing")
        return b"".join((*kept, part.data))

    def forget(self, sender: str) -> None:
        """Drop the parts of a node that is gone."""
        for reply in [reply for reply in self._kept if reply[0] == sender]:
            self._drop(reply)

    def _drop(self, reply: tuple[str, int]) -> list[bytes]:
        kept = self._kept.pop(reply, [])
        self._kept_bytes -= sum(map(len, kept))
        return kept
