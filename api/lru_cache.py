"""An LRU cache bounded by size in bytes and by the time for which an entry is unused."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from math import inf
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """A mapping that evicts the least recently used entries once its values exceed a size.

    Entries that nobody uses are evicted too, so that the cache of a busy server has the size of what is in
    use, and does not grow for days until it reaches its limit. They are evicted when another entry is
    stored, because a cache in which nothing is stored does not grow.

    Args:
        limit_bytes: largest total size. A single larger value is not stored.
        idle_seconds: how long an entry may be unused.
        now: returns the time in seconds; monotonic.
    """

    def __init__(
        self, limit_bytes: int, *, idle_seconds: float = inf, now: Callable[[], float] = monotonic
    ) -> None:
        self._limit_bytes = limit_bytes
        self._idle_seconds = idle_seconds
        self._now = now
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._size_bytes = 0

    def get(self, key: K) -> V | None:
        """Return the value of a key; None if it was never stored or has been evicted."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        entry.used_at = self._now()
        return entry.value

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Store or replace a value, evicting others if needed.

        Args:
            key: key of the value.
            value: the value.
            size_bytes: approximate size of the value in memory.
        """
        self.discard(key)
        now = self._now()
        if size_bytes <= self._limit_bytes:
            self._entries[key] = _Entry(value, size_bytes, now)
            self._size_bytes += size_bytes
        unused_since = now - self._idle_seconds
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if self._size_bytes <= self._limit_bytes and oldest.used_at > unused_since:
                return
            self._entries.popitem(last=False)
            self._size_bytes -= oldest.size_bytes

    def discard(self, key: K) -> None:
        """Remove a key, if present."""
        if (entry := self._entries.pop(key, None)) is not None:
            self._size_bytes -= entry.size_bytes


class _Entry(Generic[V]):
    __slots__ = ("size_bytes", "used_at", "value")

    def __init__(self, value: V, size_bytes: int, used_at: float) -> None:
        self.value = value
        self.size_bytes = size_bytes
        self.used_at = used_at
