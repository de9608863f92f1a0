"""Several servers on one database, as a cluster, with their membership in the test's hands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from engine.commands import BookSeats, HoldSeats
from engine.errors import EngineError
from engine.handover import Handover, Memory
from engine.memory import MemoryDatabase, MemoryStore
from engine.policy import Policy
from engine.ports import LoadedScreening
from tests.engine.house import House

LEASE_SECONDS = 3.0


class Cluster:
    """Servers by name. Screenings belong to the first one that lives, unless `homes` says otherwise."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.database = MemoryDatabase()
        self.homes: dict[int, str] = {}
        self.living = list(names)
        self.silent: set[str] = set()
        self.left: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.takeover_seconds = 0.0
        self.options = options
        self.nodes: dict[str, Node] = {}
        for name in names:
            self.nodes[name] = Node(self, name)

    def __getitem__(self, name: str) -> "Node":
        return self.nodes[name]

    def home(self, screening_id: int) -> str:
        home = self.homes.get(screening_id)
        return home if home in self.living else self.living[0]

    async def renew(self) -> None:
        """All that live get a lease."""
        for name in self.living:
            await self[name].renew()


def pair() -> Cluster:
    """Two servers, "a" and "b"."""
    policy = Policy(guest_seats_limit=4, hold_life_seconds=900.0)
    return Cluster("a", "b", policy=policy, ask_timeout_seconds=60.0)


class Node(House):
    """A server of a cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        super().__init__(cluster.database, owner=name, peers=Neighbours(cluster, name), **cluster.options)
        for ids in (self.hold_ids, self.ticket_ids):
            ids._next += 100_000 * len(cluster.nodes)

    async def renew(self) -> list[int]:
        """Confirm the ownership, and get a lease."""
        owned = self.screenings.owned
        if owned.lease.until > self.clock.now():
            owned.set_lease(LEASE_SECONDS)
            return []
        return list(await owned.confirm(lambda: LEASE_SECONDS))

    def pause(self, seconds: float) -> None:
        """Let time pass in which the process does not run."""
        self.clock._now += seconds

    def guest(self, name: str, network: str, *seat_ids: int) -> Awaitable:
        return self.screenings.ask(HoldSeats(1, name, seat_ids, guest_network=network))

    def booking(self, holder: str, *seat_ids: int) -> Any:
        return self.screenings.ask_active(BookSeats(1, holder, seat_ids))


class Neighbours:
    """`engine.ports.Peers` that calls the other servers directly."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    def belongs_here(self, screening_id: int) -> bool:
        return self._cluster.home(screening_id) == self._name

    def lives(self, name: str) -> bool:
        return name != self._name and name in self._cluster.living

    def watch_silence(self, name: str) -> Callable[[], bool]:
        clock = self._cluster[self._name].clock
        certain_at = clock.now() + self._cluster.takeover_seconds

        def certainly_silent() -> bool:
            if name in self._cluster.left or name == self._name:
                return True
            return clock.now() >= certain_at and not self.lives(name)

        return certainly_silent

    async def release(self, name: str, screening_id: int) -> Handover | None:
        self._cluster.asked.append((name, screening_id))
        if name in self._cluster.silent:
            return None
        try:
            return sent(await self._cluster[name].screenings.release(screening_id))
        except EngineError:
            return None


def sent(handover: Handover) -> Handover:
    """A handover that was encoded as plain values and decoded again."""
    screening_id, epoch, seq, memory, positions, deposed = plain(handover)
    if memory is not None:
        by_ticket_type, lives, networks, warned_at = memory
        memory = Memory(by_ticket_type, tuple(map(tuple, lives)), tuple(map(tuple, networks)), warned_at)
    return Handover(screening_id, epoch, seq, memory, tuple(map(tuple, positions)), deposed)


def plain(value: Any) -> Any:
    """A value made of lists and scalars only."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    assert value is None or type(value) in (bool, int, float, str)
    return value


class SlowStore(MemoryStore):
    """Returns the loaded screening when the test says so."""

    go_on: asyncio.Event

    @classmethod
    def under(cls, house: House) -> "SlowStore":
        """Put it under a house."""
        house.store.__class__ = cls
        house.store.go_on = asyncio.Event()
        return house.store

    async def activate(self, screening_id: int, **how: object) -> LoadedScreening:
        loaded = await super().activate(screening_id, **how)
        await self.go_on.wait()
        return loaded
