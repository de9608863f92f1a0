"""Requests on several seats: random correct histories are accepted, and half a change in a map is found."""

import random
from typing import Any

import pytest

from tests.torture.stories import Story

SEATS, USERS = (1, 2, 3, 4), ("ada", "joan", "grace")
CHANGES = 40


class Hall:
    """A hall that serves one request after the other; its clients overlap, and some get no answer.

    Args:
        seed: of what they do.
    """

    def __init__(self, seed: int) -> None:
        self.story = Story()
        self.users: dict[int, str | None] = dict.fromkeys(SEATS)
        self._draw = random.Random(seed)
        self._now = 0.0

    def serve(self) -> None:
        """Serve a request and show everybody what it has changed."""
        draw = self._draw
        self._now += 1.0
        action, user = draw.choice(("hold", "hold", "release", "look")), draw.choice(USERS)
        seats = draw.sample(SEATS, draw.randint(1, 3))
        span = self._now - draw.uniform(0, 4), self._now + draw.uniform(0, 4)
        match action:
            case "look":
                self.look(span)
            case "release":
                for seat in seats:
                    self.users[seat] = None if self.users[seat] == user else self.users[seat]
                self.story.ask("release", user, self._perhaps(span), seats, status=204)
            case "hold" if others := [seat for seat in seats if self.users[seat] not in (None, user)]:
                data = {"held": others}
                self.story.ask("hold", user, span, seats, status=409, code="seats_unavailable", data=data)
            case "hold":
                self.users |= dict.fromkeys(seats, user)
                data = {"until": 300.0, "seats": seats}
                self.story.ask("hold", user, self._perhaps(span), seats, status=201, data=data)
        shown = [tuple(seen.values()) for seen in self._map()]
        self.story.seen("w1", self._now + 0.5, (1, int(self._now)), *shown, whole=True)

    def look(self, span: tuple[float, float]) -> None:
        """Show the map to somebody."""
        self.story.ask("look", "mary", span, data={"seats": self._map()})

    def _map(self) -> list[dict[str, Any]]:
        return [
            {"seat": seat, "status": "reserved" if user else "available", "user": user}
            for seat, user in self.users.items()
        ]

    def _perhaps(self, span: tuple[float, float]) -> tuple[float, float | None]:
        return span if self._draw.random() < 0.8 else (span[0], None)


@pytest.mark.parametrize("seed", range(10))
def test_correct_histories_are_accepted(seed: int) -> None:
    hall = Hall(seed)
    for _ in range(CHANGES):
        hall.serve()
    verdict = hall.story.judged()
    assert verdict.clean, verdict
    assert verdict.together > 3
    assert verdict.not_decided_together == 0


@pytest.mark.parametrize("seed", range(5))
def test_half_a_hold_is_found_among_many_requests(seed: int) -> None:
    hall = Hall(seed)
    for _ in range(CHANGES):
        hall.serve()
    for user in USERS:
        hall.story.ask("release", user, (60, 61), SEATS)
    hall.users = {1: "hedy", 2: None, 3: None, 4: None}
    hall.story.ask("hold", "hedy", (70, 79), [1, 2, 3], status=201, data={"until": 400.0})
    hall.look((72, 73))
    verdict = hall.story.judged()
    assert {finding.kind for finding in verdict.findings} == {"not together"}, verdict
