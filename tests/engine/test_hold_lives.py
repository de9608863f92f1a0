"""The limit of the time that a holder keeps a seat, and the memory for it, compared with a plain model."""

import random
from typing import Any

import pytest

from engine.hold_lives import HoldLives
from engine.places import place_id
from engine.records import Hold
from engine.selling_errors import HoldLifeSpent

LIFE = 10.0
HOLDERS = ("user:1", "user:2")


def hold(seat_id: int, holder: str = HOLDERS[0], reserved_at: float = 0.0) -> Hold:
    return Hold(1, 1, 1, seat_id, holder, reserved_at, reserved_at + 5)


class Model:
    """A plain model that forgets nothing: the last holder of each seat, and the times of that hold."""

    def __init__(self, by_ticket_type: bool) -> None:
        self.by_ticket_type = by_ticket_type
        self.last: dict[Any, tuple[str, float, float]] = {}

    def key(self, holder: str, stock_id: int) -> Any:
        return (holder, stock_id) if self.by_ticket_type else stock_id

    def began_at(self, stock_id: int, holder: str, reserved_at: float) -> float:
        last_holder, began_at, left_at = self.last.get(self.key(holder, stock_id), ("", 0.0, 0.0))
        return began_at if last_holder == holder and left_at + LIFE > reserved_at else reserved_at

    def ended(self, stock_id: int, holder: str, reserved_at: float, at: float) -> None:
        self.last[self.key(holder, stock_id)] = (holder, self.began_at(stock_id, holder, reserved_at), at)

    def expiry(self, holder: str, stock_ids: list[int], now: float, seconds: float) -> float | str:
        ends = [now + min(seconds, LIFE)]
        for stock_id in stock_ids:
            last_holder, began_at, left_at = self.last.get(self.key(holder, stock_id), ("", 0.0, 0.0))
            if last_holder == holder and left_at + LIFE > now:
                if began_at + LIFE <= now:
                    what = "Such a ticket" if self.by_ticket_type else f"Seat {stock_id}"
                    return str(HoldLifeSpent(what, LIFE, left_at + LIFE - now))
                ends.append(began_at + LIFE)
        return min(ends)

    def spent(self, holder: str, now: float) -> list[int]:
        return [
            seat
            for seat, (last, began_at, left_at) in self.last.items()
            if not self.by_ticket_type and last == holder and began_at + LIFE <= now < left_at + LIFE
        ]

    def rows(self, now: float) -> list[Any]:
        return sorted(
            (key[1] if self.by_ticket_type else key, *life)
            for key, life in self.last.items()
            if life[2] + LIFE > now
        )


@pytest.mark.parametrize("by_ticket_type", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_the_limit_is_that_of_a_plain_model(seed: int, by_ticket_type: bool) -> None:
    chance = random.Random(seed)
    lives, model, now = HoldLives(LIFE, by_ticket_type=by_ticket_type), Model(by_ticket_type), 0.0
    stocks = [-1, -2] if by_ticket_type else [3, 4]
    for _ in range(150):
        # Whole seconds, so that ends coincide.
        now += chance.choice((0, 0, 1, 2, 5))
        holder, stock_id = chance.choice(HOLDERS), chance.choice(stocks)
        place = place_id(-stock_id, chance.randint(1, 9)) if stock_id < 0 else stock_id
        match chance.choice(("hold", "hold", "end", "end", "life", "move", "recall")):
            case "hold":
                wanted, seconds = chance.choices(stocks, k=2), chance.choice((3, 8, 10, 20))
                try:
                    outcome: float | str = lives.expiry(holder, wanted, now, seconds)
                except HoldLifeSpent as spent:
                    outcome = str(spent)
                    assert spent.life_seconds == LIFE
                assert outcome == model.expiry(holder, wanted, now, seconds)
            case "end":
                since = now - chance.choice((0, 1, 4, 9, 12))
                lives.ended((hold(place, holder, since),), now)
                model.ended(stock_id, holder, since, now)
            case "life":
                since = now - chance.choice((0, 1, 4, 9, 12))
                end = model.began_at(stock_id, holder, since) + LIFE
                assert lives.end_of(hold(place, holder, since)) == end
            case "move":
                step = chance.choice((-3.0, 3.0))
                lives.move(step)
                now += step
                model.last = {
                    key: (last, began_at + step, left_at + step)
                    for key, (last, began_at, left_at) in model.last.items()
                }
            case "recall":
                rows = lives.rows()
                lives = HoldLives(LIFE, by_ticket_type=by_ticket_type)
                lives.recall(rows)
        assert sorted(lives.spent(holder, now)) == sorted(model.spent(holder, now))
        assert sorted(row for row in lives.rows() if row[3] + LIFE > now) == model.rows(now)
        assert len(lives) == len(lives.rows())


def test_seats_of_an_event_are_counted_by_their_own_ids() -> None:
    lives = HoldLives(LIFE, by_ticket_type=True)
    lives.ended((hold(7), hold(8, HOLDERS[1])), 4.0)
    assert lives.rows() == ((7, HOLDERS[0], 0.0, 4.0), (8, HOLDERS[1], 0.0, 4.0))
    assert lives.end_of(hold(7, reserved_at=12.0)) == LIFE
    assert lives.end_of(hold(7, HOLDERS[1], 12.0)) == 12.0 + LIFE


def test_what_is_too_old_is_forgotten_now_and_then() -> None:
    lives = HoldLives(LIFE, by_ticket_type=False)

    def end(seats: range, at: float) -> int:
        lives.ended([hold(seat) for seat in seats], at)
        return len(lives)

    assert end(range(1, 65), 0.0) == 64
    # At 10 s the first ones count no more.
    assert end(range(100, 101), 10.0) == 1
    assert end(range(200, 265), 19.0) == 66
    assert end(range(300, 301), 20.0) == 66
    assert end(range(300, 364), 20.0) == 129
    lives.recall(lives.rows()[:10])
    assert end(range(400, 474), 40.0) == 84
    assert end(range(500, 501), 40.0) == 75


def test_of_too_many_seats_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.hold_lives.REMEMBERED_LIMIT", 100)
    lives = HoldLives(1000.0, by_ticket_type=False)
    for seat in range(1, 101):
        lives.ended((hold(seat),), 200.0 - seat)
        assert len(lives) == seat
    lives.ended((hold(101),), 99.0)
    assert sorted(row[0] for row in lives.rows()) == list(range(1, 76))
    lives.ended([hold(seat) for seat in range(201, 226)], 300.0)
    assert len(lives) == 100
    lives.recall(lives.rows())
    lives.ended((hold(300),), 301.0)
    assert len(lives) == 75
    at_once = HoldLives(1000.0, by_ticket_type=False)
    at_once.ended([hold(seat) for seat in range(80)], 300.0)
    assert len(at_once) == 75
