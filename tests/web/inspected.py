"""A place where JavaScript runs: tests evaluate expressions in it and wait until they become true."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

_POLL_SECONDS = 0.02


class ScriptError(Exception):
    """JavaScript threw an exception."""


class Inspected(ABC):
    """A page or a program."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """Return the JSON-compatible value of an expression; promises are awaited.

        Raises:
            ScriptError: it threw; the message has the exception.
        """

    @property
    @abstractmethod
    def said(self) -> str:
        """Return its console output, for failure messages."""

    async def until(self, expression: str, within_seconds: float = 60.0) -> Any:
        """Wait until an expression is truthy, and return its value.

        Raises:
            TimeoutError: it did not become truthy; the message has its last value and the console output.
        """
        value = None
        try:
            async with asyncio.timeout(within_seconds):
                # There is no event for changes of an arbitrary expression.
                while not (value := await self.evaluate(expression)):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{expression} is {value!r} after {within_seconds} s\n{self.said}") from None
        return value
