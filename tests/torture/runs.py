"""Random correct histories: a hall that is sold one request after the other, seen by clients who overlap.

Every request takes effect at one time. Its client has sent it before and gets the answer afterwards, or
never, so the order is hidden from the checker, and no answer is wrong.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.torture.stories import Story

HOLD_SECONDS = 40.0

ACTIONS = (
    "hold",
    "hold",
    "hold",
    "release",
    "release",
    "book",
    "book_held",
    "cancel",
    "cancel",
    "extend",
    "look",
    "look",
)


class Wish(NamedTuple):
    """One request of a client.

    Attributes:
        user, seat: who does it to what.
        before, after: seconds from sending to taking effect, and from there to the answer.
        fate: "answered", "unanswered" if it takes effect without an answer, "lost" if it never does.
    """

    action: str
    user: str
    seat: int
    before: float
    after: float
    fate: str = "answered"


@dataclass
class _Seat:
    user: str | None = None
    until: float | None = None
    payment_id: str | None = None


class Hall:
    """Serves requests in order, and records what the clients see.

    Args:
        settings: of the history.
    """

    def __init__(self, **settings: Any) -> None:
        self.story = Story(
            **{"hold_seconds": HOLD_SECONDS, "early_seconds": 0.0, "late_seconds": 0.0, **settings}
        )
        self._seats: dict[int, _Seat] = {}
        self._payments = 0
        self._latest: dict[int, str] = {}

    def serve(self, wish: Wish, now: float) -> None:
        """Let a request take effect now."""
        seat = self._seat(wish.seat, now)
        at = now - wish.before, None if wish.fate != "answered" else now + wish.after
        asked: dict[str, Any] = {}
        if wish.action.startswith("book"):
            self._payments += 1
            asked["payment_id"] = f"p{self._payments}"
        elif wish.action == "cancel":
            asked["payment_id"] = self._latest.get(wish.seat, "p0")
        answer: dict[str, Any] = {}
        if wish.fate != "lost":
            answer = getattr(self, f"_{wish.action}")(seat, wish, now, asked.get("payment_id"))
        seats = () if wish.action == "look" else [wish.seat]
        self.story.ask(wish.action, wish.user, at, seats, **asked, **answer)

    def close(self, now: float) -> Story:
        """Look at everything at the end."""
        self.story.ends(
            *((number, *self._shown(self._seat(number, now))) for number in self._seats), time=now
        )
        return self.story

    def _seat(self, number: int, now: float) -> _Seat:
        seat = self._seats.setdefault(number, _Seat())
        if seat.until is not None and now >= seat.until:
            self._seats[number] = seat = _Seat()
        return seat

    def _shown(self, seat: _Seat) -> tuple[str, str | None]:
        status = "available" if seat.user is None else "booked" if seat.payment_id else "reserved"
        return status, seat.user

    def _refused(self, seat: _Seat, wish: Wish) -> dict[str, Any]:
        data = {"booked" if seat.payment_id else "held": [wish.seat]}
        return {"status": 409, "code": "seats_unavailable", "data": data}

    def _hold(self, seat: _Seat, wish: Wish, now: float, _: object) -> dict[str, Any]:
        if seat.payment_id or seat.user not in (None, wish.user):
            return self._refused(seat, wish)
        if seat.user is None:
            seat.user, seat.until = wish.user, now + HOLD_SECONDS
        return {"status": 201, "data": {"until": seat.until}}

    def _release(self, seat: _Seat, wish: Wish, now: float, _: object) -> dict[str, Any]:
        if seat.user == wish.user and not seat.payment_id:
            seat.user = seat.until = None
        return {"status": 204}

    def _extend(self, seat: _Seat, wish: Wish, now: float, _: object) -> dict[str, Any]:
        if seat.user != wish.user or seat.until is None:
            return {"status": 409, "code": "not_held"}
        seat.until += HOLD_SECONDS
        return {"data": {"until": seat.until}}

    def _book(self, seat: _Seat, wish: Wish, now: float, payment_id: str) -> dict[str, Any]:
        if seat.payment_id or seat.user not in (None, wish.user):
            return self._refused(seat, wish)
        seat.user, seat.until, seat.payment_id = wish.user, None, payment_id
        self._latest[wish.seat] = payment_id
        return {"status": 201, "data": {"tickets": [{"id": payment_id, "seat": wish.seat}]}}

    def _book_held(self, seat: _Seat, wish: Wish, now: float, payment_id: str) -> dict[str, Any]:
        if seat.payment_id or seat.user != wish.user:
            return {"status": 409, "code": "not_held"}
        return self._book(seat, wish, now, payment_id)

    def _cancel(self, seat: _Seat, wish: Wish, now: float, payment_id: str) -> dict[str, Any]:
        if seat.payment_id == payment_id:
            seat.user = seat.payment_id = None
        return {"status": 204}

    def _look(self, seat: _Seat, wish: Wish, now: float, _: object) -> dict[str, Any]:
        status, user = self._shown(seat)
        return {"data": {"seats": [{"seat": wish.seat, "status": status, "user": user}]}}


def told(wishes: Iterable[Wish], pause_seconds: float = 1.0, **settings: Any) -> Story:
    """Serve requests one after the other, at a fixed interval in seconds."""
    hall = Hall(**settings)
    now = 100.0
    for wish in wishes:
        hall.serve(wish, now)
        now += pause_seconds
    return hall.close(now + pause_seconds)


def random_wishes(
    number: int, seed: int, *, seats: int, users: int, overlap: float, unanswered: float = 0.01
) -> Iterable[Wish]:
    """Wishes of a busy sale.

    Args:
        number: how many.
        seed: of everything.
        seats, users: among how many.
        overlap: seconds that a request takes at most on each side.
        unanswered: share of the requests that get no answer.
    """
    draw = random.Random(seed)
    for _ in range(number):
        fate = draw.choice(("unanswered", "lost")) if draw.random() < unanswered else "answered"
        yield Wish(
            draw.choice(ACTIONS),
            f"user:{draw.randrange(users)}",
            draw.randrange(seats),
            draw.uniform(0, overlap),
            draw.uniform(0, overlap),
            fate,
        )
