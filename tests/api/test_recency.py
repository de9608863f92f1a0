"""The bounded cache evicts the least recently used entries, and no more than necessary."""

from api.recency import RecentlyUsed


def test_the_least_recently_used_is_forgotten_first() -> None:
    memory: RecentlyUsed[str, int] = RecentlyUsed(30)
    for number, name in enumerate("abc"):
        memory.put(name, number, 10)
    assert memory.get("a") == 0
    memory.put("d", 3, 10)
    assert [memory.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_a_replaced_value_gives_its_room_back() -> None:
    memory: RecentlyUsed[str, int] = RecentlyUsed(30)
    for number in range(10):
        memory.put("a", number, 20)
    memory.put("b", 1, 10)
    assert (memory.get("a"), memory.get("b")) == (9, 1)


def test_a_value_beyond_the_bound_is_not_kept_and_costs_nobody_else() -> None:
    memory: RecentlyUsed[str, int] = RecentlyUsed(30)
    memory.put("a", 1, 10)
    memory.put("b", 2, 31)
    assert (memory.get("a"), memory.get("b")) == (1, None)
