"""Claims that a node has granted: when a key may be granted, and when a claim ends. Without a network."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from cluster import granted_claims
from cluster.beats import NodeState
from cluster.connection import Connection
from cluster.granted_claims import SETTLE_SECONDS, GrantedClaims
from cluster.hashing import Ring
from cluster.keys import KeyedCalls
from cluster.links import Links
from cluster.membership import View

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]

JOINING, SERVING, DRAINING, GONE = NodeState


class Taken(Exception):
    """Somebody else has the key."""


class Full(Exception):
    """There are too many claims."""


class Shelf:
    """Grants each key once, and three keys in all.

    Attributes:
        held: what was granted, by key. `leave` gets the same object.
        restored: the ages of claims that other nodes had granted.
    """

    def __init__(self) -> None:
        self.held: dict[str, list[Any]] = {}
        self.lost: dict[str, Callable[[], None]] = {}
        self.restored: list[float] = []

    def take(self, key: str, value: Any, lost: Callable[[], None]) -> list[Any]:
        if key in self.held:
            raise Taken
        if value == "full":
            raise Full
        self.lost[key] = lost
        self.held[key] = [key]
        return self.held[key]

    def restore(self, key: str, value: Any, seconds: float, lost: Callable[[], None]) -> list[Any] | None:
        self.restored.append(seconds)
        return None if key in self.held else self.take(key, value, lost)

    def leave(self, granted: list[Any]) -> None:
        assert self.held.pop(granted[0]) is granted


class Granting:
    """The node `a`: it alone serves at first. `told` are claims that were given to somebody else."""

    def __init__(self, **states: NodeState) -> None:
        self.now = 100.0
        self.view = View(0, MappingProxyType({"a": SERVING} | states), Ring(["a"]))
        self._handlers: list[Callable[[View, View], None]] = []
        self.calls = KeyedCalls(Links(Connection(["nats://unused.example"], "a"), "cluster", "a"), self)
        self.shelf = Shelf()
        self.told: list[tuple[str, int]] = []
        self.claims = GrantedClaims(
            *(self.calls, "box", self.shelf, (Taken, Full)),
            lost=lambda node, number: self.told.append((node, number)),
            now=lambda: self.now,
        )

    def node_of(self, key: str) -> str | None:
        return self.view.ring.node_of(key)

    def on_change(self, handler: Callable[[View, View], None]) -> None:
        self._handlers.append(handler)

    def members(self, **states: NodeState) -> None:
        """Change the members."""
        states = {"a": SERVING} | states
        serving = [node for node, state in states.items() if state is SERVING]
        before, self.view = self.view, View(self.view.version + 1, MappingProxyType(states), Ring(serving))
        for handler in self._handlers:
            handler(before, self.view)

    def take(self, node: str, number: int, key: str, value: Any = None) -> int:
        return self.claims.take(node, key, [number, value, "of a newer release"])

    def announce(self, node: str, *nodes: str) -> None:
        """A node announces that it has no claims, while it sees these nodes serve."""
        self.claims.announced(node, [1, [], True, [], list(nodes)])

    def ready(self, *, moved: bool) -> bool:
        """Tell whether `a` may grant a key that is its own now.

        Args:
            moved: whether the key belonged to `b` while `a`, `b` and `c` served.
        """
        was = Ring(["a", "b", "c"])
        keys = (f"key-{number}" for number in range(1000))
        key = next(
            key
            for key in keys
            if self.calls.is_own("box", key) and was.node_of(f"box {key}") == ("b" if moved else "a")
        )
        return self.calls.is_ready("box", key)

    def key_of(self, node: str) -> str:
        keys = (f"key-{number}" for number in range(1000) if f"key-{number}" not in self.shelf.held)
        return next(key for key in keys if self.calls.node_of("box", key) == node)


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_claim_is_granted_once_and_ends_once() -> None:
    a = Granting()
    assert [a.take("b", 1, "x"), a.take("b", 1, "x"), a.take("b", 2, "y")] == [0, 0, 0]
    assert [a.take("c", 1, "x"), a.take("c", 2, "z", "full"), a.take("c", 3, "z")] == [1, 2, 0]
    assert len(a.claims) == len(a.shelf.held) == 3
    a.claims.leave("c", 1)
    a.claims.leave("d", 1)
    assert len(a.claims) == 3
    for _ in range(2):
        a.claims.leave("b", 1)
        assert set(a.shelf.held) == {"y", "z"}
    assert a.take("c", 4, "x") == 0


async def test_a_claim_that_is_given_to_somebody_else_is_told_and_forgotten() -> None:
    a = Granting()
    a.take("b", 1, "x")
    del a.shelf.held["x"]
    a.shelf.lost["x"]()
    assert (a.told, len(a.claims)) == ([("b", 1)], 0)
    a.claims.leave("b", 1)
    a.claims.announced("b", [2, [], False, [[5, "y", None, 1.5]], ["a"]])
    del a.shelf.held["y"]
    a.shelf.lost["y"]()
    assert (a.told, len(a.claims)) == ([("b", 1), ("b", 5)], 0)


async def test_an_announcement_enters_and_ends_claims() -> None:
    a = Granting()
    for number in (1, 2, 3, 4, 5, 6):
        a.take("b", number, f"key-{number}")
    a.take("c", 1, "other")
    serving = ["a"]
    a.claims.announced("b", [5, [3], False, [[1, "key-1", None, 9.0, "newer"]], serving, "newer"])
    assert (len(a.claims), a.shelf.restored) == (7, []), "the rest of the announcement may name them"
    rows = [[2, "key-2", None, 9.0], [7, "new", None, 2.5], [8, "other", None, 3.5]]
    a.claims.announced("b", [0, [], True, rows, serving])
    assert set(a.shelf.held) == {"key-1", "key-2", "key-3", "key-5", "key-6", "new", "other"}
    assert (len(a.claims), a.shelf.restored) == (7, [2.5, 3.5])
    a.claims.leave("b", 8)
    a.claims.announced("b", [0, [], True, [], serving])
    assert len(a.claims) == 7
    a.claims.announced("b", [9, [7], True, [], serving])
    assert set(a.shelf.held) == {"new", "other"}


async def test_a_key_that_moved_here_is_granted_once_the_others_have_announced_theirs() -> None:
    a = Granting()
    assert a.ready(moved=True) and a.ready(moved=False), "it is alone"
    a.members(b=SERVING)
    assert a.ready(moved=False), "all claims of it are known here"
    a.announce("b", "a", "b")
    a.members(b=DRAINING)
    assert (a.ready(moved=True), a.ready(moved=False)) == (False, True)
    a.announce("b", "a", "b")
    assert not a.ready(moved=True), "it does not know of the change yet"
    a.announce("b", "a")
    assert a.ready(moved=True)
    a.members(b=GONE)
    assert a.ready(moved=True)


@pytest.mark.parametrize(
    ("state", "waits"), [(JOINING, False), (SERVING, True), (DRAINING, True), (GONE, False)]
)
async def test_only_nodes_that_may_have_claims_are_waited_for(state: NodeState, waits: bool) -> None:
    a = Granting()
    a.members(b=SERVING)
    a.members(b=SERVING, c=SERVING)
    a.members(b=SERVING, c=state)
    a.announce("b", *a.view.ring.nodes)
    assert a.ready(moved=False) is not waits


async def test_other_nodes_are_not_waited_for_long() -> None:
    a = Granting()
    a.members(b=SERVING)
    a.members(b=DRAINING)
    for a.now, ready in ((100.0 + SETTLE_SECONDS - 0.5, False), (100.0 + SETTLE_SECONDS, True)):
        assert a.ready(moved=True) is ready


async def test_a_node_that_drained_before_this_one_came_is_waited_for_too() -> None:
    a = Granting(b=DRAINING)
    assert not a.ready(moved=False)
    a.announce("b", "a")
    assert a.ready(moved=False)


async def test_claims_are_only_known_after_a_change_if_they_were_before() -> None:
    a = Granting()
    a.members(b=SERVING)
    a.members(b=SERVING, c=SERVING)
    assert not a.ready(moved=False), "nobody had announced anything yet"
    a.announce("b", "a", "b", "c")
    a.announce("c", "a", "b", "c")
    assert a.ready(moved=False)
    a.members(b=SERVING, c=DRAINING)
    assert a.ready(moved=False)
    a.members(b=DRAINING, c=DRAINING)
    assert not a.ready(moved=False)


async def test_announcements_are_outdated_by_a_change_and_may_precede_it() -> None:
    a = Granting()
    a.members(b=SERVING)
    a.announce("b", "a", "b")
    a.announce("b", "a")
    a.members(b=DRAINING)
    assert a.ready(moved=True), "it knew of the change before this node"
    a.members(b=SERVING)
    a.members(b=DRAINING)
    assert not a.ready(moved=True), "it has served again meanwhile"


async def test_a_node_that_is_back_announces_again() -> None:
    a = Granting()
    a.members(b=SERVING)
    a.announce("b", "a", "b", "c")
    a.members(b=GONE)
    a.members(b=GONE, c=SERVING)
    a.members(b=SERVING, c=SERVING)
    a.announce("c", "a", "b", "c")
    assert not a.ready(moved=False)


async def test_a_change_that_moves_no_key_changes_nothing() -> None:
    a = Granting()
    a.members(b=SERVING)
    a.announce("b", "a", "b")
    a.now += 1.0
    a.members(b=SERVING, c=JOINING)
    a.members(b=SERVING, c=GONE)
    assert a.ready(moved=False)
    a.members(b=DRAINING, c=GONE)
    assert not a.ready(moved=True)


async def test_the_claims_of_a_node_that_is_gone_end_at_once() -> None:
    a = Granting()
    a.members(b=SERVING, c=SERVING)
    a.take("b", 1, "x")
    a.take("b", 2, "y")
    a.take("c", 1, "z")
    a.claims.announced("b", [3, [], False, [], ["a", "b", "c"]])
    a.members(b=GONE, c=SERVING)
    assert (set(a.shelf.held), len(a.claims)) == ({"z"}, 1)
    a.take("b", 2, "late")
    a.members(b=GONE, c=DRAINING)
    assert set(a.shelf.held) == {"z", "late"}
    a.claims.announced("b", [0, [], True, [], ["a", "b", "c"]])
    assert set(a.shelf.held) == {"z", "late"}, "its announcement ended with it"


async def test_strangers_claims_are_dropped_later_some_in_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Granting()
    a.members(b=SERVING, c=SERVING)
    for number in range(1, 6):
        a.take("c", number, a.key_of("b"))
    own = a.key_of("a")
    a.take("c", 6, own)
    a.members(b=SERVING, c=GONE)
    assert not a.shelf.held
    a.members(b=SERVING, c=SERVING)
    a.take("d", 1, "of a node that is not known")
    for number in range(1, 6):
        a.take("c", number, a.key_of("b"))
    a.take("c", 6, own)
    await turns()
    assert len(a.claims) == 7, "the others may not know of the change yet"
    monkeypatch.setattr(granted_claims, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(granted_claims, "HASHED_AT_ONCE", 2)
    a.members(b=SERVING, c=DRAINING)
    assert (
        sum(task.get_name() == "drop claims" and not task.cancelling() for task in asyncio.all_tasks()) == 1
    )
    left: defaultdict[int, int] = defaultdict(int)
    for _ in range(20):
        left[len(a.claims)] += 1
        await asyncio.sleep(0)
    assert list(left) == [7, 4, 2, 1]
    assert set(a.shelf.held) == {own}


async def test_a_node_that_left_drops_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Granting()
    monkeypatch.setattr(granted_claims, "SETTLE_SECONDS", 0.0)
    a.take("b", 1, "x")
    a.members(a=GONE, b=SERVING)
    await turns()
    assert set(a.shelf.held) == {"x"}
