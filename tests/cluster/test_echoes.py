"""`Echoes`, the own beats of a node that NATS returns, compared with a plain model over random histories."""

from math import inf
from random import Random

import pytest

from cluster import echoes
from cluster.beats import Timing
from cluster.echoes import Echoes

TIMING = Timing(node_heartbeat_seconds=2.0, node_gone_seconds=10.0)
"""A lease of 9 s; deaf after more than 3 s."""


class Model:
    """Says the same from the whole history, which it never shortens."""

    def __init__(self) -> None:
        self.outstanding: list[tuple[int, float]] = []
        self.returns: list[tuple[float, float]] = []
        self.losses: list[float] = []
        self.gaps = [-inf]
        self.lost_since_return = True

    def came_back(self, number: int, now: float) -> bool:
        sent_at = next((at for other, at in self.outstanding if other == number), None)
        if sent_at is None:
            return False
        if self.lost_since_return or any(other < number for other, _ in self.outstanding):
            self.losses.append(now)
        if now >= self.fresh_until:
            self.gaps.append(now)
        self.lost_since_return = False
        self.outstanding = [(other, at) for other, at in self.outstanding if other > number]
        self.returns.append((sent_at, now))
        return True

    @property
    def fresh_until(self) -> float:
        return max((sent_at + 9.0 for sent_at, _ in self.returns), default=-inf)

    def all(self, now: float) -> tuple[float, ...]:
        heard_until = self.returns[-1][0] if self.returns else -inf
        unbroken_since = self.gaps[-1] if self.returns or len(self.gaps) > 1 else inf
        listening_since = self.losses[-1] if self.losses else inf
        joined_at = self.losses[0] if self.losses else inf
        deaf = now > heard_until + 3.0
        return heard_until, listening_since, joined_at, self.fresh_until, unbroken_since, deaf


def test_a_node_knows_what_it_has_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echoes, "OUTSTANDING_LIMIT", 4)
    for seed in range(60):
        chance, now, number = Random(seed), 0.0, 0
        heard, model = Echoes(TIMING, lambda: now), Model()  # noqa: B023 - called in this turn only
        for _ in range(40):
            now += chance.choice((0.0, 0.0, 1.0, 1.0, 2.0, 5.0))
            what = chance.random()
            if what < 0.5:
                number += 1
                assert heard.sent(number) == now
                model.outstanding.append((number, now))
                if len(model.outstanding) > 4:
                    del model.outstanding[0]
                    model.lost_since_return = True
            elif what < 0.9:
                back = max(0, number - chance.choice((0, 0, 1, 3, 4, 5)))
                assert heard.came_back(back) is model.came_back(back, now)
            elif what < 0.95:
                heard.interrupted()
                model.outstanding.clear()
                model.lost_since_return = True
            else:
                heard.not_heard()
                model.gaps.append(now)
            seen = (
                *(heard.heard_until, heard.listening_since, heard.joined_at),
                *(heard.fresh_until, heard.unbroken_since, heard.deaf),
            )
            assert seen == model.all(now), f"seed {seed}"
            for heard_at in (-inf, now - 3.0, now):
                known_since = max(heard_at, heard.listening_since)
                assert heard.silent_seconds(heard_at) == heard.heard_until - known_since
