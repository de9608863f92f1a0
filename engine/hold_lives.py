"""How long a holder may keep a seat in all: giving it back and taking it again does not start a new life.

Without this rule a holder could keep a seat indefinitely by releasing it and taking it again at once, or by
taking it again whenever its hold expires. A holder who has left a seat alone for as long as a life lasts
starts afresh. Places of a ticket type are interchangeable, so for them the rule goes by the type.
"""

from collections.abc import Iterable
from typing import NamedTuple

from engine.errors import HoldLifeSpent
from engine.records import Hold

REMEMBERED_LIMIT = 10_000
"""Ended holds that a screening remembers; beyond it the oldest is forgotten, and its seat starts afresh."""


class _Life(NamedTuple):
    """The time a holder has had a seat. Seconds since the epoch.

    Attributes:
        began_at: when the first hold was made.
        left_at: when the last one ended.
    """

    began_at: float
    left_at: float


class HoldLives:
    """What is remembered of holds that ended without a sale.

    Args:
        life_seconds: how long a holder may keep a seat in all.
    """

    __slots__ = ("_life_seconds", "_lives")

    def __init__(self, life_seconds: float) -> None:
        self._life_seconds = life_seconds
        # In the order in which the holds ended, so the first is the first to be forgotten.
        self._lives: dict[tuple[str, int], _Life] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._lives)

    def expiry(self, holder: str, stock_ids: Iterable[int], now: float, hold_seconds: float) -> float:
        """When a hold that is made now expires: within the life of every seat it is on.

        Args:
            holder: who wants it.
            stock_ids: the seats, or ticket types below zero.
            now: seconds since the epoch.
            hold_seconds: how long the hold is to last.

        Raises:
            HoldLifeSpent: the holder has had one of them for as long as anybody may.
        """
        expires_at = now + min(hold_seconds, self._life_seconds)
        if not self._lives:
            return expires_at
        for stock_id in stock_ids:
            life = self._lives.get((holder, stock_id))
            if life is None or life.left_at + self._life_seconds <= now:
                continue
            ends_at = life.began_at + self._life_seconds
            if ends_at <= now:
                raise HoldLifeSpent(stock_id, self._life_seconds, life.left_at + self._life_seconds - now)
            expires_at = min(expires_at, ends_at)
        return expires_at

    def move(self, seconds: float) -> None:
        """The wall clock was stepped; what is remembered is as long ago as it was."""
        self._lives = {
            key: _Life(life.began_at + seconds, life.left_at + seconds) for key, life in self._lives.items()
        }

    def end_of(self, hold: Hold, stock_id: int) -> float:
        """When a live hold must end, however often it is extended."""
        life = self._lives.get((hold.holder, stock_id))
        # A life that ended long before this hold was made has nothing to do with it.
        if life is None or life.left_at + self._life_seconds <= hold.reserved_at:
            return hold.reserved_at + self._life_seconds
        return life.began_at + self._life_seconds

    def ended(self, holds: Iterable[tuple[Hold, int]], now: float) -> None:
        """Remember holds that were released or have expired, each with its seat or ticket type."""
        lives = self._lives
        for hold, stock_id in holds:
            began_at = self.end_of(hold, stock_id) - self._life_seconds
            key = hold.holder, stock_id
            lives.pop(key, None)
            lives[key] = _Life(began_at, min(now, hold.expires_at))
        while lives:
            oldest = next(iter(lives))
            if lives[oldest].left_at + self._life_seconds > now and len(lives) <= REMEMBERED_LIMIT:
                return
            del lives[oldest]
