"""Sends requests to random nodes and records them: what all kinds of clients have in common."""

import asyncio
import random
from typing import Any

from tests.torture.caller import ANSWER_SECONDS, Answer, Caller, NotConnected, Unanswered
from tests.torture.recorder import Recorder

VANISHING = 0.03
"""Share of the requests whose client gives up at once."""

KEYS = 0.4
"""Share of the requests that have an Idempotency-Key."""

REPEATS = 8
"""Limit of attempts for a request whose outcome is not known."""

TICKETS_KEPT = 12
"""A client that has more tickets cancels some, so that halls do not sell out."""

RETRY_SECONDS = (0.1, 0.6)
_PATIENCE_OF_VANISHING_SECONDS = (0.001, 0.02)


class Requester:
    """A client.

    Args:
        name: of the client.
        caller: sends its requests.
        urls: addresses of the nodes by name.
        recorder: gets everything.
        seed: of its choices.

    Attributes:
        draw: makes its choices.
    """

    def __init__(
        self, name: str, caller: Caller, urls: dict[str, str], recorder: Recorder, seed: int
    ) -> None:
        self.name = name
        self.caller = caller
        self.recorder = recorder
        self.draw = random.Random(f"{seed} {name}")
        self._urls = urls

    def door(self) -> tuple[str, str]:
        """Choose a node; return its name and address."""
        return self.draw.choice(sorted(self._urls.items()))

    def key(self) -> str | None:
        """Return an Idempotency-Key, or None."""
        return f"{self.draw.getrandbits(64):x}" if self.draw.random() < KEYS else None

    async def request(
        self,
        invocation: dict[str, Any],
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        is_hasty: bool = True,
    ) -> tuple[int, Answer | None]:
        """Send a request and record it. A success is not recorded yet, since its meaning is the caller's.

        Args:
            invocation: what the history says about it; its `key` becomes the Idempotency-Key. What is None is
                left out.
            method, path, body: of the request.
            is_hasty: whether the client may give up at once.

        Returns:
            The number of the operation, and the answer, or None if there was none.
        """
        node, url = self.door()
        known = {name: value for name, value in invocation.items() if value is not None}
        number = self.recorder.invoke(client=self.name, node=node, **known)
        vanishes = is_hasty and self.draw.random() < VANISHING
        self.recorder.misdeeds["client vanishes"] += vanishes
        seconds = self.draw.uniform(*_PATIENCE_OF_VANISHING_SECONDS) if vanishes else ANSWER_SECONDS
        sent = {"body": body, "key": known.get("key"), "seconds": seconds}
        try:
            try:
                answer = await self.caller.send(url, method, path, **sent)
            except NotConnected:
                _, url = self.door()  # as a proxy does
                answer = await self.caller.send(url, method, path, **sent)
        except Unanswered:
            self.recorder.unknown(number)
            await asyncio.sleep(self.draw.uniform(*RETRY_SECONDS))
            return number, None
        if answer.status >= 400:
            refusal = answer.document if isinstance(answer.document, dict) else {}
            self.recorder.answer(number, answer.status, answer.code, _taken(refusal))
        return number, answer


def _taken(refusal: dict[str, Any]) -> dict[str, list[Any]]:
    """The seats that a refusal calls held or booked. Refusals about limits have numbers in such fields."""
    fields = {name: refusal.get(name) for name in ("held", "booked")}
    return {name: seats for name, seats in fields.items() if isinstance(seats, list)}
