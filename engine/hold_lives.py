"""Limits how long a holder may keep a seat in all, across releases and new holds.

Without this limit a holder could keep a seat forever by releasing it and holding it again at once, or by
holding it again whenever the hold expires. The limit starts afresh once somebody else has held the seat, or
the holder has left it alone for as long as the limit itself (`Policy.hold_life_seconds`). A pending ticket
that is not paid for counts as a hold, so that booking without paying is no way round the limit. Places of a
ticket type are interchangeable, so for them the limit counts per holder and type.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.handover import LifeRow
from engine.places import ticket_type_of
from engine.records import Hold, make
from engine.selling_errors import HoldLifeSpent

REMEMBERED_LIMIT = 10_000
"""Seats that a screening remembers. Beyond it those that were left first are forgotten, and start afresh."""

_SLACK = 64


class _Life(NamedTuple):
    """The last holder of a seat, and for how long. Times are seconds since the epoch.

    Attributes:
        began_at: when the holder's first hold began.
        left_at: when its last hold ended.
    """

    holder: str
    began_at: float
    left_at: float


class HoldLives:
    """Remembers the last hold of each seat that ended without a sale.

    Args:
        life_seconds: how long a holder may keep a seat in all.
        by_ticket_type: True for an event, whose places are remembered by ticket type.

    Attributes:
        by_stock: the remembered holds by seat; for an event by holder and ticket type.
        by_ticket_type: see above.
    """

    __slots__ = ("_life_seconds", "_prune_above", "by_stock", "by_ticket_type")

    def __init__(self, life_seconds: float, *, by_ticket_type: bool) -> None:
        self._life_seconds = life_seconds
        self.by_ticket_type = by_ticket_type
        self.by_stock: dict[int | tuple[str, int], _Life] = {}
        self._prune_above = _SLACK

    def __len__(self) -> int:
        return len(self.by_stock)

    def expiry(self, holder: str, stock_ids: Sequence[int], now: float, hold_seconds: float) -> float:
        """Time at which a hold that begins now expires: within the limit for each of its seats.

        Args:
            holder: who wants the hold.
            stock_ids: the seats; for places their ticket types, as negative numbers.
            now: seconds since the epoch.
            hold_seconds: how long the hold lasts unless the limit shortens it.

        Raises:
            HoldLifeSpent: the holder has used up the limit for one of them.
        """
        life_seconds, lives = self._life_seconds, self.by_stock
        expires_at = now + (hold_seconds if hold_seconds < life_seconds else life_seconds)
        for stock_id in stock_ids:
            life = lives.get((holder, stock_id) if self.by_ticket_type else stock_id)
            if life is None:
                continue
            last_holder, began_at, left_at = life
            if last_holder != holder or left_at + life_seconds <= now:
                continue
            latest = began_at + life_seconds
            if latest <= now:
                what = "Such a ticket" if self.by_ticket_type else f"Seat {stock_id}"
                raise HoldLifeSpent(what, life_seconds, left_at + life_seconds - now)
            if latest < expires_at:
                expires_at = latest
        return expires_at

    def spent(self, holder: str, now: float) -> list[int]:
        """Return the seats that a holder cannot hold again yet (`HoldLifeSpent`); none for an event."""
        life_seconds = self._life_seconds
        return [
            key
            for key, (last_holder, began_at, left_at) in self.by_stock.items()
            if last_holder == holder and began_at + life_seconds <= now < left_at + life_seconds
            if isinstance(key, int)
        ]

    def end_of(self, hold: Hold) -> float:
        """Time at which a live hold must end, even if it is extended; in seconds since the epoch."""
        return self._beginning(hold, self._key(hold)) + self._life_seconds

    def ended(self, holds: Sequence[Hold], at: float) -> None:
        """Remember holds that were released or expired `at` this time."""
        lives, by_ticket_type = self.by_stock, self.by_ticket_type
        for hold in holds:
            key = self._key(hold) if by_ticket_type else hold.seat_id
            _, _, _, _, holder, reserved_at, _, _, _, _ = hold
            began_at = self._beginning(hold, key) if key in lives else reserved_at
            lives[key] = make(_Life, (holder, began_at, at))
        if len(lives) > self._prune_above:
            self._prune(at)

    def move(self, seconds: float) -> None:
        """Shift all remembered times by a step of the wall clock."""
        self.by_stock = {
            key: _Life(holder, began_at + seconds, left_at + seconds)
            for key, (holder, began_at, left_at) in self.by_stock.items()
        }

    def rows(self) -> tuple[LifeRow, ...]:
        """The remembered holds, as plain values."""
        return tuple(
            (key if isinstance(key, int) else key[1], life.holder, life.began_at, life.left_at)
            for key, life in self.by_stock.items()
        )

    def recall(self, rows: Iterable[LifeRow]) -> None:
        """Remember holds as an earlier owner of the screening did.

        Args:
            rows: of the same kind of stock.
        """
        self.by_stock = {
            (holder, stock_id) if self.by_ticket_type else stock_id: _Life(holder, began_at, left_at)
            for stock_id, holder, began_at, left_at in rows
        }
        self._prune_above = min(2 * len(self.by_stock) + _SLACK, REMEMBERED_LIMIT)

    def _key(self, hold: Hold) -> int | tuple[str, int]:
        seat_id = hold.seat_id
        if not self.by_ticket_type:
            return seat_id
        return hold.holder, -ticket_type_of(seat_id) if seat_id < 0 else seat_id

    def _beginning(self, hold: Hold, key: int | tuple[str, int]) -> float:
        """Time at which the holder first held the seat, unless that was too long ago to count."""
        life, reserved_at = self.by_stock.get(key), hold.reserved_at
        if life is None:
            return reserved_at
        holder, began_at, left_at = life
        # A life of another holder, or one that was forgotten before this hold began, does not count.
        unrelated = holder != hold.holder or left_at + self._life_seconds <= reserved_at
        return reserved_at if unrelated else began_at

    def _prune(self, now: float) -> None:
        """Forget holds that ended too long ago to count, and the oldest ones beyond the limit."""
        lives = {key: life for key, life in self.by_stock.items() if life.left_at + self._life_seconds > now}
        if len(lives) > REMEMBERED_LIMIT * 3 // 4:
            latest = sorted(lives.items(), key=lambda item: item[1].left_at)
            lives = dict(latest[-(REMEMBERED_LIMIT * 3 // 4) :])
        self.by_stock = lives
        self._prune_above = min(2 * len(lives) + _SLACK, REMEMBERED_LIMIT)
