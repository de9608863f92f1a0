"""The state that an owner of a screening hands to the next one, as plain values that can travel.

The database has the holds and the tickets. It does not have how long holders have kept their seats in all
(`engine.hold_lives`), nor the networks of guests (`engine.unpaid_seats`). Without them, each planned move
would start the limits afresh. The changes that are kept for clients that resume are not handed over, only the
position after the last one: a client that has seen everything goes on, any other gets all seats instead.

Times are seconds since the epoch, like the deadlines in the database.
"""

from typing import NamedTuple

MEMORY_LIMIT = 5_000
"""Entries of each kind that are handed over to another server, the latest ones: less than 1 MB in all."""

POSITIONS_LIMIT = 16
"""Positions that are handed over: a client may sleep through so many moves between which nothing changes."""

Positions = tuple[tuple[int, int], ...]
"""Pairs of epoch and `seq`."""

LifeRow = tuple[int, str, float, float]
"""A seat, or a ticket type of an event; its last holder; when that holder's first hold began and its last one
ended.
"""


class Memory(NamedTuple):
    """A screening's memory of its holders.

    Attributes:
        by_ticket_type: True if `lives` are of ticket types.
        lives: the holds that ended without a sale, those that were remembered last at the end.
        networks: pairs of a guest with seats and its network.
        warned_at: when holders were last warned of the end of their holds.
    """

    by_ticket_type: bool
    lives: tuple[LifeRow, ...]
    networks: tuple[tuple[str, str], ...]
    warned_at: float = 0.0

    def limited(self) -> "Memory":
        """Return at most `MEMORY_LIMIT` entries of each kind."""
        return self._replace(lives=self.lives[-MEMORY_LIMIT:], networks=self.networks[-MEMORY_LIMIT:])


class Handover(NamedTuple):
    """A screening that its owner has given up. Everything that the owner decided is in the database.

    Attributes:
        epoch: the ownership period that has ended; 0 if the owner did not have the screening in memory.
        seq: number of the last change that watchers have seen in that epoch.
        memory: None if the owner did not have the screening in memory.
        positions: the last ones that clients have seen, newest first. A client with one of them has missed
            nothing. Empty if that is not certain, so that all clients need all seats.
        deposed: a server that owned the screening before and has perhaps not found out that it does not any
            more; None if there is no such server.
    """

    screening_id: int
    epoch: int
    seq: int
    memory: Memory | None
    positions: Positions = ()
    deposed: str | None = None


class Handovers(dict[int, Handover]):
    """The latest handover of each screening; beyond a limit the oldest ones are dropped."""

    _LIMIT = 256

    def keep(self, handover: Handover) -> None:
        self.pop(handover.screening_id, None)
        if len(self) == self._LIMIT:
            del self[next(iter(self))]
        self[handover.screening_id] = handover
