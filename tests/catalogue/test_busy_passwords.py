"""More people register at once than passwords can be hashed: some are told to wait, nobody is locked out."""

import asyncio

import httpx
import pytest

from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH, PASSWORD, member

pytestmark = pytest.mark.gen_test(timeout=240)

SLOW_HASH = {"password_memory_kib": 8192, "password_passes": 40}
CROWD = 150
"""More than the server lets wait."""

ATTEMPTS = 120
"""Allowed attempts from one address; attempts that are told to wait do not count."""


async def test_what_cannot_be_hashed_in_time_is_refused_at_once_and_does_not_count(
    open_house: OpenHouse,
) -> None:
    house = await open_house(attempts_per_address=ATTEMPTS, **SLOW_HASH)
    ada = await member(house, "ada@home.example")
    async with httpx.AsyncClient(base_url=house.base_url, limits=httpx.Limits(), timeout=120) as client:

        async def register(number: int) -> httpx.Response:
            account = {"email": f"user-{number}@home.example", "password": PASSWORD}
            return await client.post(f"{AUTH}/register", json=account)

        answers = await asyncio.gather(*map(register, range(CROWD)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) > CROWD - ATTEMPTS, "too few had to wait"
    for answer in refused:
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "overloaded"
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await ada.log_in()).status == 200, "nobody is locked out afterwards"
