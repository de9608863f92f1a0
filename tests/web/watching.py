"""A client in a tab that watches a screening."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from frontrow_client import SeatState
from tests.acceptance.seat_picture import SeatSeen, expected_picture
from tests.web.inspected import Inspected

LIMITS = {
    "connectMs": 1000,
    "answerMs": 1000,
    "heartbeatMs": 300,
    "firstDelayMs": 50,
    "longestDelayMs": 400,
    "stableMs": 1000,
    "attemptsBeforePolling": 100,
    "pollMs": 100,
}
"""Short limits, so that tests need not wait."""

AGREE_SECONDS = 60.0
_POLL_SECONDS = 0.02


class Watching:
    """A `ScreeningClient` in a tab.

    Args:
        tab: has the functions of `js/actions.mjs`.
    """

    def __init__(self, tab: Inspected) -> None:
        self._tab = tab

    async def begin(self, url: str, screening_id: int, *tokens: str, **limits: float) -> None:
        """Watch a screening.

        Args:
            url: of the server.
            screening_id: the screening.
            tokens: returned to the client in turn; the last one repeatedly.
            limits: overrides of `LIMITS`.
        """
        given = (url, screening_id, tokens, LIMITS | limits)
        await self._tab.evaluate(f"watch({', '.join(map(json.dumps, given))})")

    async def until(self, state: str) -> None:
        """Wait until the client is in a state."""
        await self._tab.until(f"client.state === '{state}'")

    async def until_confirmed(self, times: int) -> None:
        """Wait until the server has confirmed that many sockets."""
        await self._tab.until(f"seen.opens.length === {times}")

    async def seen(self) -> dict[str, Any]:
        """Return the client's events as recorded by `js/actions.mjs`."""
        noted: dict[str, Any] = await self._tab.evaluate("seen")
        return noted

    async def end(self) -> None:
        """Close the client."""
        await self._tab.evaluate("client.close()")

    async def picture(self) -> dict[int, SeatSeen]:
        """Return the client's seats."""
        rows = await self._tab.evaluate("picture()")
        return {seat_id: SeatSeen(status, is_mine) for seat_id, status, is_mine in rows}

    async def agrees_with(self, availability: Callable[[], Awaitable[list[dict[str, Any]]]]) -> None:
        """Wait until the client's seats are the server's.

        Args:
            availability: requests `availability/me` from the server.
        """
        expected = expected_picture(msgspec.convert(await availability(), list[SeatState]))
        picture = {}
        try:
            async with asyncio.timeout(AGREE_SECONDS):
                # There is no notification outside the client.
                while (picture := await self.picture()) != expected:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            assert picture == expected, self._tab.said
