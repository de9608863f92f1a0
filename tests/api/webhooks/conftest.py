"""A server that may send to this machine, a screening of six seats, and an integrator's server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tornado.ioloop import IOLoop

from tests.api.caller import Response
from tests.api.webhooks.receiver import PATIENCE_SECONDS, Receiver
from tests.catalogue.programme import open_house
from tests.house import House

WEBHOOKS = "/api/v1/admin/webhooks"
QUICK_RETRIES = (0.1, 0.2)


async def eventually(read: Callable[[], Awaitable[Any]]) -> Any:
    """Return what is read as soon as it is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (result := await read()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return result


class Integration(NamedTuple):
    """The sender's and the receiver's side."""

    house: House
    screening_id: int
    seat_ids: Sequence[int]
    receiver: Receiver

    async def send(self, method: str, path: str = "", body: object = None) -> Response:
        return await self.house.admin.send(method, WEBHOOKS + path, body)

    async def add(self, *events: str, url: str | None = None) -> Any:
        """Create a webhook; of all types unless some are named."""
        body = {"url": url or self.receiver.url, **({"events": events} if events else {})}
        made = await self.send("POST", "", body)
        assert made.status == 201, made.body
        return made.json

    async def show(self, webhook: Any) -> Any:
        answer = await self.send("GET", f"/{webhook['id']}")
        assert answer.status == 200, answer.body
        return answer.json

    async def deliveries(self, webhook: Any, query: str = "") -> Any:
        answer = await self.send("GET", f"/{webhook['id']}/deliveries{query}")
        assert answer.status == 200, answer.body
        return answer.json

    async def shown_disabled(self, webhook: Any) -> Any:
        """The webhook if it is disabled."""
        shown = await self.show(webhook)
        return shown if shown["disabled_at"] else None

    async def shown_failing(self, webhook: Any) -> Any:
        """The webhook if an event has failed."""
        shown = await self.show(webhook)
        return shown if shown["failing_since"] else None

    async def drained(self) -> Any:
        """The only webhook if no event waits for it."""
        (webhook,) = (await self.send("GET")).json
        return webhook if webhook["waiting_since"] is None else None

    async def log_of(self, webhook: Any, number: int) -> Any:
        """Return the log of deliveries if it has that number of entries."""
        log = await self.deliveries(webhook)
        return log if len(log) == number else None

    async def buy(self, *seat_ids: int, payment_id: str | None = None, user_id: int = 7) -> Any:
        buyer = self.house.user(user_id)
        body = {"payment_id": payment_id or f"pay-{seat_ids}"}
        answer = await buyer.book(self.screening_id, seat_ids, **body)
        assert answer.status == 201, answer.body
        return answer.json


@pytest.fixture
def three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the third attempt the last one, instead of those of three days."""
    monkeypatch.setattr("frontrow.deliveries.ATTEMPTS_LIMIT", 3)


@pytest.fixture
def integration(database_url: str, tmp_path: Path, io_loop: IOLoop) -> Iterator[Integration]:
    house = House(
        database_url,
        tmp_path,
        webhook_private_addresses=True,
        outbox_retry_seconds=QUICK_RETRIES,
        hold_seconds=1.0,
        hold_life_seconds=1.0,
    )

    async def opened() -> Integration:
        await house.open()
        screening_id, seat_ids = await open_house(house)
        return Integration(house, screening_id, seat_ids, Receiver())

    async def close(made: Integration) -> None:
        await house.close()
        await made.receiver.close()

    made = io_loop.run_sync(opened)
    yield made
    io_loop.run_sync(lambda: close(made))
