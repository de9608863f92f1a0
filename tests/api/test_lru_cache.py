"""The bounded cache evicts the least recently used entries, and no more than necessary."""

from api.lru_cache import LruCache


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
