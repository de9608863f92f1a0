"""Identity of the caller, and renewal of its token."""

import asyncio
from itertools import count

import pytest

from frontrow_client import AsyncFrontrow, Frontrow, InvalidCredentials, NotAuthenticated
from frontrow_client.tokens import TokenKeeper
from tests.clients.conftest import Box
from tests.web.demo_house import FIRST_USER, PASSWORD

pytestmark = pytest.mark.gen_test


def test_a_token_is_due_a_minute_before_it_expires_or_after_half_of_its_life() -> None:
    now = 0.0
    keeper = TokenKeeper(clock=lambda: now)
    assert not keeper.is_due
    for life, due in ((3600, 3540), (60, 30)):
        now = 0.0
        keeper.received("access", life, refresh="refresh")
        now = due - 0.1
        assert not keeper.is_due
        now = due
        assert keeper.is_due
    keeper.forget()
    assert not keeper.is_due
    assert keeper.access is None
    given = TokenKeeper("access", clock=lambda: now)
    assert not given.is_due, "nothing could renew it"
    assert "access" not in repr(given)


async def test_log_in_and_out(box: Box) -> None:
    async with AsyncFrontrow(box.base_url) as frontrow:
        with pytest.raises(InvalidCredentials):
            await frontrow.log_in(FIRST_USER, "wrong horse battery")
        with pytest.raises(NotAuthenticated):
            await frontrow.me()
        await frontrow.log_in(FIRST_USER, PASSWORD)
        assert (await frontrow.me()).email == FIRST_USER
        token = frontrow.token
        await frontrow.log_out()
        assert frontrow.token is None
        async with AsyncFrontrow(box.base_url, token) as late:
            with pytest.raises(NotAuthenticated) as refused:
                await late.me()
        assert refused.value.code == "token_revoked"


async def test_a_token_is_renewed_before_it_expires_and_the_old_log_in_stays(box: Box) -> None:
    await box.restart(token_ttl_seconds=3600)
    now = [0.0]
    async with await box.logged_in() as frontrow:
        frontrow._tokens.clock = lambda: now[0]
        frontrow._tokens.received(str(frontrow.token), 3600, refresh=frontrow._tokens.refresh)
        tokens = [frontrow.token]
        for hour in (1, 2):
            now[0] = 3600.0 * hour
            people = await asyncio.gather(*(frontrow.me() for _ in range(5)))
            assert {person.email for person in people} == {FIRST_USER}
            tokens.append(frontrow.token)
        assert len(set(tokens)) == 3, "renewed once an hour, by all requests together"


async def test_a_revoked_token_is_replaced_by_another_log_in(box: Box) -> None:
    async with await box.logged_in() as frontrow, AsyncFrontrow(box.base_url, frontrow.token) as thief:
        revoked = frontrow.token
        await thief.log_out()
        assert (await frontrow.me()).email == FIRST_USER
        assert frontrow.token != revoked


async def test_a_token_alone_cannot_be_renewed(box: Box) -> None:
    async with AsyncFrontrow(box.base_url, "not.a.token") as frontrow:
        with pytest.raises(NotAuthenticated):
            await frontrow.me()


async def test_a_guest_stays_the_same_when_its_token_is_renewed(box: Box) -> None:
    async with AsyncFrontrow(box.base_url) as frontrow:
        await frontrow.become_guest()
        guest = await frontrow.describe_guest("ada@home.example", "Ada Byron")
        assert (guest.email, guest.full_name) == ("ada@home.example", "Ada Byron")
        reserved = await frontrow.reserve_best(1, 2)
        first = frontrow.token
        assert await frontrow.renew(first)
        assert frontrow.token != first
        held = [hold.seat_id async for hold in frontrow.my_reservations()]
        assert sorted(held) == sorted(reserved.seat_ids)


async def test_a_function_gives_the_present_token(box: Box) -> None:
    asked = count()

    async def token() -> str:
        return "expired" if next(asked) == 0 else box.token(7)

    async with AsyncFrontrow(box.base_url, token) as frontrow:
        assert (await frontrow.reserve_best(1, 1)).seat_ids

    def blocking_token() -> str:
        return box.token(8)

    def reserve() -> list[int]:
        with Frontrow(box.base_url, blocking_token) as frontrow:
            return frontrow.reserve_best(1, 1).seat_ids

    assert await asyncio.to_thread(reserve)
