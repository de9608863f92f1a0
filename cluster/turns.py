"""Hands things on some turns of the event loop later, so that replies overtake changes.

A socket that asked for a change has to be answered before it is sent what happened after that change. In one
process the feed sends changes a few turns after they were made, and until then the reply has arrived. Between
nodes a change and the reply to its command travel in the same direction, so the owner sends the change a few
turns later than the reply, and the receiver takes as long to pass it on as the reply takes to its socket.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

TURNS = 4
"""Turns of the event loop for which something is kept: more than a reply needs. A future that is done wakes
its waiter in the next turn; a reply passes two or three of them, one after the other."""

Item = TypeVar("Item")


class TurnsLater(Generic[Item]):
    """Keeps items for `TURNS` turns of the event loop, in order.

    Args:
        handle: called with the items of one turn; it must not raise.
    """

    def __init__(self, handle: Callable[[list[Item]], None]) -> None:
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        # Those of one turn each, oldest first; items are added to the last one until its turn is over.
        self._batches: deque[list[Item]] = deque()
        self._open = False

    def __bool__(self) -> bool:
        """True if items are kept."""
        return bool(self._batches)

    def add(self, item: Item) -> None:
        """Keep an item."""
        if not self._open:
            self._open = True
            self._batches.append([])
            self._loop.call_soon(self._wait, self._batches[-1], TURNS)
        self._batches[-1].append(item)

    def flush(self) -> None:
        """Hand everything on now."""
        self._open = False
        while self._batches:
            self._handle(self._batches.popleft())

    def _wait(self, batch: list[Item], turns: int) -> None:
        if turns == TURNS and self._batches and self._batches[-1] is batch:
            self._open = False
        if turns > 1:
            self._loop.call_soon(self._wait, batch, turns - 1)
        elif self._batches and self._batches[0] is batch:
            self._handle(self._batches.popleft())
