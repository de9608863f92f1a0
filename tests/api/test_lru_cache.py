"""The bounded cache evicts the least recently used entries, and those that nobody uses."""

from api.lru_cache import LruCache
from engine.memory import ManualClock


def test_the_least_recently_used_entry_is_evicted_first() -> None:
    memory: LruCache[str, int] = LruCache(30)
    for number, name in enumerate("abc"):
        memory.put(name, number, 10)
    assert memory.get("a") == 0
    memory.put("d", 3, 10)
    assert [memory.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_replacing_a_value_frees_its_size() -> None:
    memory: LruCache[str, int] = LruCache(30)
    for number in range(10):
        memory.put("a", number, 20)
    memory.put("b", 1, 10)
    assert (memory.get("a"), memory.get("b")) == (9, 1)


def test_a_value_over_the_limit_is_not_stored_and_evicts_nothing() -> None:
    memory: LruCache[str, int] = LruCache(30)
    memory.put("a", 1, 10)
    memory.put("b", 2, 31)
    assert (memory.get("a"), memory.get("b")) == (1, None)


def test_what_nobody_uses_is_evicted_when_something_is_stored() -> None:
    clock = ManualClock(100.0)
    memory: LruCache[str, int] = LruCache(30, idle_seconds=10.0, now=clock.now)
    memory.put("a", 1, 10)
    memory.put("b", 2, 10)
    clock.advance(9.0)
    assert memory.get("a") == 1
    clock.advance(1.0)
    memory.put("c", 3, 10)
    assert [memory.get(name) for name in "abc"] == [1, None, 3]


def test_what_is_evicted_because_it_was_unused_makes_room() -> None:
    clock = ManualClock(100.0)
    memory: LruCache[str, int] = LruCache(30, idle_seconds=10.0, now=clock.now)
    for name in "abc":
        memory.put(name, 1, 10)
    clock.advance(10.0)
    memory.put("d", 2, 31)
    for name in "efg":
        memory.put(name, 3, 10)
    assert [memory.get(name) for name in "abcdefg"] == [None, None, None, None, 3, 3, 3]
