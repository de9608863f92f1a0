"""Limits how long a holder may keep a seat in all, across releases and new holds.

Without this limit a holder could keep a seat for ever by releasing it and holding it again at once, or by
holding it again whenever the hold expires. The limit starts afresh once the holder has left the seat alone
for as long as the limit itself (`Policy.hold_life_seconds`). Places of a ticket type are interchangeable, so
for them the limit counts per type.
"""

from collections.abc import Sequence

from engine.errors import HoldLifeSpent
from engine.places import ticket_type_of
from engine.records import Hold

REMEMBERED_LIMIT = 10_000
"""Holders that a screening remembers; beyond it the one who left first is forgotten, and starts afresh."""

_SLACK = 64

_Life = tuple[float, float]
"""When a holder's first hold on a seat was made, and when the last one ended, in seconds since the epoch."""

_Ended = tuple[float, Sequence[Hold]]
"""When a holder's only holds ended, and which they were."""


class HoldLives:
    """Remembers holds that ended without a sale.

    Args:
        life_seconds: how long a holder may keep a seat in all.
        by_ticket_type: whether there are places of ticket types, for which the type counts.
    """

    __slots__ = ("_by_ticket_type", "_life_seconds", "_lives", "_prune_above")

    def __init__(self, life_seconds: float, *, by_ticket_type: bool) -> None:
        self._life_seconds = life_seconds
        self._by_ticket_type = by_ticket_type
        # By holder, in the order in which their last holds ended. Most holders leave once, so what they had
        # is kept as it is, and worked out by seat or ticket type only for those who come again.
        self._lives: dict[str, _Ended | dict[int, _Life]] = {}
        self._prune_above = _SLACK

    def __len__(self) -> int:
        """How many holders are remembered."""
        return len(self._lives)

    def expiry(self, holder: str, stock_ids: Sequence[int], now: float, hold_seconds: float) -> float:
        """When a hold that is made now expires: no later than the limit of any of its seats.

        Args:
            holder: who wants it.
            stock_ids: the seats; of places their ticket types, as numbers below zero.
            now: seconds since the epoch.
            hold_seconds: how long the hold is to last.

        Raises:
            HoldLifeSpent: the holder has had one of them for the whole limit.
        """
        life_seconds = self._life_seconds
        expires_at = now + (hold_seconds if hold_seconds < life_seconds else life_seconds)
        if holder not in self._lives:
            return expires_at
        lives = self._lives_of(holder)
        for stock_id in stock_ids:
            began_at, left_at = lives.get(stock_id, (now, now))
            if left_at + life_seconds <= now:
                continue
            if began_at + life_seconds <= now:
                what = f"Seat {stock_id}" if not self._by_ticket_type else "Such a ticket"
                raise HoldLifeSpent(what, life_seconds, left_at + life_seconds - now)
            expires_at = min(expires_at, began_at + life_seconds)
        return expires_at

    def end_of(self, hold: Hold) -> float:
        """When a live hold must end, however often it is extended."""
        return self._beginning(hold) + self._life_seconds

    def ended(self, holder: str, holds: Sequence[Hold], at: float) -> None:
        """Remember holds of one holder that were released, or have expired, at the same time."""
        if holder in self._lives:
            lives = self._lives_of(holder)
            lives.update({self._stock_id(hold): (self._beginning(hold), at) for hold in holds})
            del self._lives[holder]
            self._lives[holder] = lives
        else:
            self._lives[holder] = at, holds
        if len(self._lives) > self._prune_above:
            self._prune(at)

    def move(self, seconds: float) -> None:
        """Shift all remembered times by a step of the wall clock."""
        for holder in self._lives:
            lives = self._lives_of(holder).items()
            self._lives[holder] = {
                stock_id: (began + seconds, left + seconds) for stock_id, (began, left) in lives
            }

    def _lives_of(self, holder: str) -> dict[int, _Life]:
        known = self._lives.get(holder, {})
        if isinstance(known, dict):
            return known
        ended_at, holds = known
        return {self._stock_id(hold): (hold.reserved_at, ended_at) for hold in holds}

    def _stock_id(self, hold: Hold) -> int:
        seat_id = hold.seat_id
        return -ticket_type_of(seat_id) if self._by_ticket_type and seat_id < 0 else seat_id

    def _beginning(self, hold: Hold) -> float:
        """When the life began that a hold is a part of."""
        life = self._lives_of(hold.holder).get(self._stock_id(hold))
        # A life that was over before this hold was made has nothing to do with it.
        if life is None or life[1] + self._life_seconds <= hold.reserved_at:
            return hold.reserved_at
        return life[0]

    def _prune(self, now: float) -> None:
        """Forget those who left too long ago to matter, and those beyond the limit."""
        lives = self._lives
        for holder in tuple(lives):
            left_at = max(left for _, left in self._lives_of(holder).values())
            if left_at + self._life_seconds > now and len(lives) <= REMEMBERED_LIMIT:
                break
            del lives[holder]
        self._prune_above = min(2 * len(lives) + _SLACK, REMEMBERED_LIMIT)
