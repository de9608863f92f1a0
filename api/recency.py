"""A memory of bounded size that forgets what has not been used for longest."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentlyUsed(Generic[K, V]):
    """A mapping bounded by the bytes that its values take.

    Args:
        limit_bytes: the bound. A value larger than it is not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: K) -> V | None:
        """What was put under the key, unless it has been forgotten."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Keep a value in place of what was there, and forget others if it must be.

        Args:
            key: its key.
            value: the value.
            size_bytes: roughly what it takes in memory.
        """
        self.discard(key)
        if size_bytes > self._limit_bytes:
            return
        self._entries[key] = (value, size_bytes)
        self._size_bytes += size_bytes
        while self._size_bytes > self._limit_bytes:
            _, (_, forgotten_bytes) = self._entries.popitem(last=False)
            self._size_bytes -= forgotten_bytes

    def discard(self, key: K) -> None:
        """Forget a key, if it is known."""
        if forgotten := self._entries.pop(key, None):
            self._size_bytes -= forgotten[1]
