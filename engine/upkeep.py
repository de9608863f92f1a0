"""What the screenings of a server need from time to time: releasing what has lapsed, loading, unloading."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice

from engine.actor import ScreeningActor
from engine.commands import ReleaseLapsed
from engine.copies import Copy
from engine.errors import EngineError, StoreUnavailable
from engine.owned import OwnedScreenings
from engine.ports import Clock, Journal, Store
from engine.replies import Lapsed, Reply

log = logging.getLogger("frontrow.engine")

_PAGE = 1000
_FAR_SECONDS = 10 * 365 * 86_400.0
# Screenings that are loaded at one time: few, so that screenings with waiting callers are loaded first.
_LOADED_AT_ONCE = 4
# How long passivation waits for the journal; if that takes longer, the screening stays in memory for now.
_FLUSH_SECONDS = 1.0


class Upkeep:
    """The recurring work on the screenings of a server.

    Args:
        store: finds stored deadlines.
        journal: has to be written before a screening is unloaded.
        clock: the time.
        owned: the screenings in memory.
        find: loads a screening, without taking it from another living server against its will.
        idle_seconds: how long an unused screening stays in memory.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        owned: OwnedScreenings,
        find: Callable[[int], Awaitable[ScreeningActor | Copy]],
        idle_seconds: float,
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._owned = owned
        self._find = find
        self._idle_seconds = idle_seconds

    async def sweep(self) -> int:
        """Release what has lapsed, also in screenings that are not in memory.

        Screenings of other living servers are left to those.

        Returns:
            Number of holds and pending tickets that were released.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        now = self._clock.now()
        due = {sid for sid, actor in self._owned.actors.items() if actor.next_deadline <= now}
        due.update(self._owned.copies, await self._stored(now))
        released = 0
        for few in _batches(sorted(due)):
            answers = await asyncio.gather(
                *(self._release_lapsed(screening_id) for screening_id in few), return_exceptions=True
            )
            for answer in answers:
                if isinstance(answer, Exception) and not isinstance(answer, EngineError):
                    # The other screenings have to be swept all the same.
                    log.error("the holds of a screening could not be released", exc_info=answer)
            released += sum(answer.number for answer in answers if isinstance(answer, Lapsed))
        return released

    async def load_lapsing(self) -> None:
        """Load all screenings with stored holds or pending tickets.

        Then a step of the clock moves their deadlines. In a cluster these are the screenings that belong to
        this server; so after another one has gone, its holds are released in time.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        lapsing = await self._stored(self._clock.now() + _FAR_SECONDS)
        for few in _batches([sid for sid in lapsing if sid not in self._owned.actors]):
            await asyncio.gather(*(self._load(screening_id) for screening_id in few))

    async def passivate_idle(self) -> int:
        """Unload the screenings that are idle and written completely. Returns their number."""
        deadline = self._clock.now() - self._idle_seconds
        idle = [actor for actor in self._owned.actors.values() if _is_idle(actor, deadline)]
        passivated = 0
        for actor in idle:
            try:
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._journal.flushed(actor.screening_id)
            except TimeoutError:
                continue
            if _is_idle(actor, deadline) and self._owned.unload(actor):
                passivated += 1
        return passivated

    async def _stored(self, until: float) -> list[int]:
        """The screenings that belong to this server and have a stored deadline up to `until`."""
        found: list[int] = []
        after_id = 0
        while True:
            page = await self._store.overdue(until, _PAGE, after_id=after_id, of_all=self._owned.in_cluster)
            found += filter(self._owned.belongs_here, page)
            if len(page) < _PAGE:
                return found
            after_id = page[-1]

    async def _release_lapsed(self, screening_id: int) -> Reply | None:
        actor = self._owned.actors.get(screening_id) or await self._find(screening_id)
        return None if isinstance(actor, Copy) else await actor.ask(ReleaseLapsed(screening_id))

    async def _load(self, screening_id: int) -> None:
        try:
            await self._find(screening_id)
        except StoreUnavailable:
            raise
        except EngineError:
            pass  # it was deleted or taken over meanwhile, or too many commands wait


def _batches(screening_ids: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(screening_ids)
    while few := list(islice(remaining, _LOADED_AT_ONCE)):
        yield few


def _is_idle(actor: ScreeningActor, deadline: float) -> bool:
    return actor.at_rest and actor.last_asked_at < deadline
