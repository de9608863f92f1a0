"""Limits how long a holder may keep a seat in all, across releases and new holds.

Without this limit a holder could keep a seat for ever by releasing it and holding it again at once, or by
holding it again whenever the hold expires. The limit starts afresh once the holder has left the seat alone
for as long as the limit itself (`Policy.hold_life_seconds`). A pending ticket that is not paid for counts as
a hold, so that booking without paying is no way round the limit. Places of a ticket type are interchangeable,
so for them the limit counts per type.
"""

from collections.abc import Sequence

from engine.errors import HoldLifeSpent
from engine.places import ticket_type_of
from engine.records import Hold

REMEMBERED_LIMIT = 10_000
"""Seats that a screening remembers, counted once for each holder. Beyond it the holders who left first are
forgotten, and their limits start afresh."""

_SLACK = 64

_Life = tuple[float, float]
"""When a holder's first hold on a seat was made, and when the last one ended, in seconds since the epoch."""

_Past = Sequence[Hold] | dict[int, _Life]
"""The ended holds of a holder; or, if it has held the same again, a `_Life` by seat or ticket type."""


class HoldLives:
    """Remembers holds that ended without a sale.

    Args:
        life_seconds: how long a holder may keep a seat in all.
        by_ticket_type: whether there are places of ticket types, for which the type counts.
    """

    __slots__ = ("_by_ticket_type", "_life_seconds", "_lives", "_prune_above", "_remembered")

    def __init__(self, life_seconds: float, *, by_ticket_type: bool) -> None:
        self._life_seconds = life_seconds
        self._by_ticket_type = by_ticket_type
        # By holder, in the order in which their last holds ended, each with the time of that. Most holders
        # leave once, so what they had is kept as it is, and worked out only for those who come again.
        self._lives: dict[str, tuple[float, _Past]] = {}
        self._remembered = 0
        self._prune_above = _SLACK

    def __len__(self) -> int:
        """How many seats are remembered, counted once for each holder."""
        return self._remembered

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
        past: _Past
        if holder in self._lives:
            self._remembered -= len(self._lives[holder][1])
            past = self._lives_of(holder)
            past.update({self._stock_id(hold): (self._beginning(hold), at) for hold in holds})
            del self._lives[holder]
        elif holds[0].note is None:
            past = holds
        else:  # not to be kept for so long
            past = {self._stock_id(hold): (hold.reserved_at, at) for hold in holds}
        self._lives[holder] = at, past
        self._remembered += len(past)
        if self._remembered > self._prune_above:
            self._prune(at)

    def move(self, seconds: float) -> None:
        """Shift all remembered times by a step of the wall clock."""
        for holder, (left_at, past) in self._lives.items():
            lives = self._lives_of(holder)
            self._remembered += len(lives) - len(past)
            self._lives[holder] = (
                left_at + seconds,
                {stock_id: (began + seconds, left + seconds) for stock_id, (began, left) in lives.items()},
            )

    def _lives_of(self, holder: str) -> dict[int, _Life]:
        ended_at, past = self._lives.get(holder, (0.0, {}))
        if isinstance(past, dict):
            return past
        return {self._stock_id(hold): (hold.reserved_at, ended_at) for hold in past}

    def _stock_id(self, hold: Hold) -> int:
        seat_id = hold.seat_id
        return -ticket_type_of(seat_id) if self._by_ticket_type and seat_id < 0 else seat_id

    def _beginning(self, hold: Hold) -> float:
        """When the holder first held the seat of a hold, as far as it still counts."""
        life = self._lives_of(hold.holder).get(self._stock_id(hold))
        # A life that was over before this hold was made has nothing to do with it.
        if life is None or life[1] + self._life_seconds <= hold.reserved_at:
            return hold.reserved_at
        return life[0]

    def _prune(self, now: float) -> None:
        """Forget holders who left too long ago to count, and those beyond the limit."""
        lives = self._lives
        # Where it is too much, more than necessary goes, so that the next one to leave need not look again.
        most = REMEMBERED_LIMIT if self._remembered <= REMEMBERED_LIMIT else REMEMBERED_LIMIT * 3 // 4
        for holder, (left_at, past) in tuple(lives.items()):
            if left_at + self._life_seconds > now and self._remembered <= most:
                break
            del lives[holder]
            self._remembered -= len(past)
        self._prune_above = min(2 * self._remembered + _SLACK, REMEMBERED_LIMIT)
