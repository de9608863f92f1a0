"""The time limit of requests that wait for a reply."""

import asyncio

import pytest

from api.rest.patience import Patience
from tests.api.cinema import eventually
from tests.http.stage import on_both_loops

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop"), on_both_loops]


async def test_those_that_wait_too_long_are_told_in_order() -> None:
    expired: list[tuple[str, bool]] = []
    patience: Patience[str] = Patience(0.05, lambda name: expired.append((name, patience.end(name))))
    for name in ("first", "answered", "second"):
        patience.begin(name)
    assert patience.end("answered")
    assert not patience.end("answered")
    await eventually(lambda: len(expired) == 2)
    patience.begin("third")
    await asyncio.sleep(0.01)
    patience.begin("fourth")
    await eventually(lambda: len(expired) == 4)
    assert expired == [(name, True) for name in ("first", "second", "third", "fourth")]
    assert not patience.end("first")
