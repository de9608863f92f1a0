"""An LRU cache bounded by size in bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """A mapping that evicts the least recently used entries once its values exceed a size.

    Args:
        limit_bytes: largest total size. A single larger value is not stored.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: K) -> V | None:
        """Return the value of a key; None if it was never stored or has been evicted."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Store or replace a value, evicting others if needed.

        Args:
            key: key of the value.
            value: the value.
            size_bytes: approximate size of the value in memory.
        """
        self.discard(key)
        if size_bytes > self._limit_bytes:
            return
        self._entries[key] = (value, size_bytes)
        self._size_bytes += size_bytes
        while self._size_bytes > self._limit_bytes:
            _, (_, evicted_bytes) = self._entries.popitem(last=False)
            self._size_bytes -= evicted_bytes

    def discard(self, key: K) -> None:
        """Remove a key, if present."""
        if entry := self._entries.pop(key, None):
            self._size_bytes -= entry[1]
