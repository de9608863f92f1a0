"""Sockets end when their tokens expire, with one alarm for all of them."""

import gc

from api.identity.token_watches import TokenExpiries, TokenWatch
from api.identity.tokens import Identity
from engine.memory import ManualClock

NOW = 1000.0


class User:
    """A user of a token that notes when it was told that the token has expired."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.expired_at: list[float] = []

    def token_expired(self) -> None:
        self.expired_at.append(self._clock.now())

    def token_revoked(self) -> None:
        raise AssertionError


def watch_of(user: User, expires_at: float) -> TokenWatch:
    return TokenWatch(Identity(7, False, expires_at, "token", NOW, "", "user:7"), user)


def test_every_user_is_told_once_when_its_token_expires() -> None:
    clock = ManualClock(NOW)
    expiries, users = TokenExpiries(clock), {}
    for seconds in (30.0, 10.0, 20.0, 10.0, 40.0):
        user = User(clock)
        users[user] = NOW + seconds
        expiries.add(watch_of(user, NOW + seconds))
    for _ in range(50):
        clock.advance(1.0)
    assert all(user.expired_at == [expires_at] for user, expires_at in users.items())


def test_a_token_that_has_expired_already_is_told_soon() -> None:
    clock = ManualClock(NOW)
    user = User(clock)
    TokenExpiries(clock).add(watch_of(user, NOW - 1))
    clock.advance(0.0)
    assert user.expired_at == [NOW]


def test_a_watch_that_has_ended_is_not_told_and_keeps_nothing() -> None:
    clock = ManualClock(NOW)
    expiries, users = TokenExpiries(clock), [User(clock) for _ in range(1000)]
    watches = [watch_of(user, NOW + 10 + number) for number, user in enumerate(users)]
    for watch in watches:
        expiries.add(watch)
    for watch in watches[:990]:
        expiries.end(watch)
    assert sum(isinstance(found, TokenWatch) for found in gc.get_referents(expiries._heap)) < 100
    clock.advance(2000.0)
    assert [len(user.expired_at) for user in users] == [0] * 990 + [1] * 10


def test_a_user_that_fails_does_not_keep_others_from_being_told() -> None:
    clock = ManualClock(NOW)
    expiries, user = TokenExpiries(clock), User(clock)
    broken = User(clock)
    broken.token_expired = lambda: 1 / 0
    expiries.add(watch_of(broken, NOW + 1))
    expiries.add(watch_of(user, NOW + 1))
    clock.advance(2.0)
    assert user.expired_at == [NOW + 1]


def test_a_user_that_ends_its_watch_when_told() -> None:
    clock = ManualClock(NOW)
    expiries = TokenExpiries(clock)

    class Leaving(User):
        def token_expired(self) -> None:
            super().token_expired()
            expiries.end(watches[self])

    users = [Leaving(clock) for _ in range(200)]
    watches = {user: watch_of(user, NOW + 1 + number // 100) for number, user in enumerate(users)}
    for watch in watches.values():
        expiries.add(watch)
    clock.advance(1.0)
    clock.advance(1.0)
    assert [user.expired_at for user in users] == [[NOW + 1]] * 100 + [[NOW + 2]] * 100
