"""Somewhere JavaScript runs, seen from a test: its expressions have values, and some become true in time."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

_POLL_SECONDS = 0.02


class ScriptError(Exception):
    """JavaScript threw."""


class Inspected(ABC):
    """A page, or a program."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited if it is a promise; anything that JSON can carry.

        Raises:
            ScriptError: it threw, with what was thrown.
        """

    @property
    @abstractmethod
    def said(self) -> str:
        """What it wrote to its console, for reports."""

    async def until(self, expression: str, within_seconds: float = 60.0) -> Any:
        """Wait until an expression is truthy, and return its value.

        Raises:
            TimeoutError: it did not become so; with its last value, and what the console says.
        """
        value = None
        try:
            async with asyncio.timeout(within_seconds):
                # Nothing tells when an arbitrary expression changes.
                while not (value := await self.evaluate(expression)):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{expression} is {value!r} after {within_seconds} s\n{self.said}") from None
        return value
