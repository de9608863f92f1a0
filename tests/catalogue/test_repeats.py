"""Repeating a durable request returns the first response, both immediately and concurrently."""

import asyncio

import pytest

from tests.api.caller import Response
from tests.durable_requests import RECIPES, DurableRequest, Stage, durable_endpoints
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=180)


def test_every_durable_operation_is_tried() -> None:
    assert sorted(RECIPES) == sorted(endpoint.name for endpoint in durable_endpoints())


async def _staged(house: House, name: str) -> list[tuple[str, DurableRequest]]:
    stage = Stage(house, name)
    await stage.build()
    return [(operation, await recipe(stage)) for operation, recipe in RECIPES.items()]


def _same(first: Response, again: Response) -> bool:
    return (first.status, first.body) == (again.status, again.body)


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
async def test_twice_in_a_row(house: House, keyed: bool) -> None:
    wrong = {}
    for operation, request in await _staged(house, "row"):
        if keyed or request.repeatable:
            key = operation if keyed else None
            first, again = await request.send(key), await request.send(key)
            assert first.status < 300, (operation, first.body)
            if not _same(first, again):
                wrong[operation] = (first, again)
    assert not wrong


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
async def test_many_at_once(house: House, keyed: bool) -> None:
    wrong = {}
    for operation, request in await _staged(house, "once"):
        if keyed or request.repeatable:
            key = operation if keyed else None
            answers = await asyncio.gather(*(request.send(key) for _ in range(4)))
            assert answers[0].status < 300, (operation, answers[0].body)
            if not all(_same(answers[0], answer) for answer in answers):
                wrong[operation] = [(answer.status, answer.body) for answer in answers]
    assert not wrong


async def test_a_ticket_that_is_cancelled_many_times_at_once(house: House) -> None:
    stage = Stage(house, "cancel")
    await stage.build()
    cancellations = [await RECIPES["cancel_ticket"](stage) for _ in range(20)]
    answers = await asyncio.gather(*(request.send() for request in cancellations for _ in range(8)))
    assert {answer.status for answer in answers} == {204}


async def test_with_a_restart_between(house: House) -> None:
    requests = await _staged(house, "restart")
    first = {operation: await request.send(operation) for operation, request in requests}
    await house.restart()
    wrong = {}
    for operation, request in requests:
        request.caller.base_url = house.base_url
        again = await request.send(operation)
        if not _same(first[operation], again):
            wrong[operation] = (first[operation], again)
    assert not wrong
