"""The messages between nodes beside the engine's own commands, replies, refusals and changes."""

from typing import NamedTuple

from engine.errors import Unavailable
from engine.views import SeatMap


class NotUnderstood(Unavailable):
    """A message of another node cannot be decoded: its release is too far away, or the message is damaged.

    A command that is not understood was not carried out. If a reply is not understood, its command may have
    taken effect.

    Args:
        what: the message, and what is wrong with it.
    """

    code = "not_understood"

    def __init__(self, what: str) -> None:
        super().__init__(f"One server did not understand another ({what}); try again in a moment")


class LayoutMissing(Exception):
    """A seat map refers to a layout that this node has not loaded. Load it, then decode the reply again."""

    def __init__(self, room_id: int, version: int) -> None:
        super().__init__(f"version {version} of the layout of room {room_id} is not loaded")
        self.room_id = room_id
        self.version = version


class SeatsUnchanged(NamedTuple):
    """The seat map is still that of (epoch, seq), which the caller has."""

    screening_id: int
    epoch: int
    seq: int


class ReadNewSeats(NamedTuple):
    """Read the state of all seats unless it is still that of (epoch, seq). → `SeatMap` or `SeatsUnchanged`

    The owner handles it as `ReadSeats`, and answers with `reply_with`.
    """

    screening_id: int
    epoch: int
    seq: int

    def reply_with(self, seat_map: SeatMap) -> SeatMap | SeatsUnchanged:
        """Return the seat map, or `SeatsUnchanged` if the caller has it already."""
        if (self.epoch, self.seq) == (seat_map.epoch, seat_map.seq):
            return SeatsUnchanged(*self)
        return seat_map


class ChangeLeftOut(NamedTuple):
    """A change that is too long to be sent to watchers. They have to ask for the state of the seats."""

    screening_id: int
    epoch: int
    seq: int


class ReplyPart(NamedTuple):
    """A part of a reply that is too long for one message; see `cluster.long_replies`.

    Attributes:
        number: of the reply, among those of its sender.
        position: number of parts before this one.
        data: the bytes.
    """

    number: int
    position: int
    data: bytes
