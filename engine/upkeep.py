"""The recurring work on the screenings of a server: releasing holds and tickets that have lapsed, loading,
unloading, and giving away screenings that belong to other servers.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from engine.actor import ScreeningActor
from engine.actor_context import ActorContext
from engine.commands import ReleaseLapsed
from engine.copies import Copy
from engine.errors import EngineError, OutcomeUnknown, StoreUnavailable
from engine.handover import Handover
from engine.owned import OwnedScreenings
from engine.ports import Store
from engine.replies import Lapsed

log = logging.getLogger("frontrow.engine")

_PAGE = 1000
_FAR_SECONDS = 10 * 365 * 86_400.0
# Screenings that are loaded at one time: few, so that screenings with waiting callers are loaded first. In a
# cluster that is mostly waiting for other servers.
_LOADED_AT_ONCE = 4
_TAKEN_AT_ONCE = 64
_GIVEN_AT_ONCE = 16
# Hashes are stored after so many changes, and when a screening is unloaded or handed over.
_CHANGES_PER_DIGEST = 1000
# Unchanged screenings that are looked at in one turn of the event loop; of changed ones it is one.
_LOOKED_AT_AT_ONCE = 1000
# Time for which passivation waits for the journal; after that the screening stays in memory for now.
_FLUSH_SECONDS = 1.0


class Upkeep:
    """The recurring work on the screenings of a server.

    Args:
        store: finds stored deadlines.
        context: that of the actors.
        owned: the screenings in memory.
        find: loads a screening, without taking it from another living server against its will.
        idle_seconds: how long an unused screening stays in memory.
    """

    def __init__(
        self,
        store: Store,
        context: ActorContext,
        owned: OwnedScreenings,
        find: Callable[[int], Awaitable[ScreeningActor | Copy]],
        idle_seconds: float,
    ) -> None:
        self._store = store
        self._journal = context.journal
        self._clock = context.clock
        self._owned = owned
        self._find = find
        self._idle_seconds = idle_seconds

    async def sweep(self) -> int:
        """Release holds and pending tickets that have lapsed, also in screenings that are not in memory.

        Screenings of other living servers are left to those.

        Returns:
            Number of holds and pending tickets that were released.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        now = self._clock.now()
        due = {sid for sid, actor in self._owned.actors.items() if actor.next_deadline <= now}
        due.update(self._owned.copies, await self._stored(now))
        released: list[int] = []

        async def sweep_one(screening_id: int) -> None:
            released.append(await self._release_lapsed(screening_id))

        await _each(sorted(due), sweep_one, self._loaded_at_once)
        return sum(released)

    async def load_lapsing(self) -> None:
        """Load all screenings with stored holds or pending tickets.

        Then a step of the clock moves their deadlines. In a cluster these are the screenings that belong to
        this server; so after another one has gone, its holds are released in time.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        lapsing = await self._stored(self._clock.now() + _FAR_SECONDS)
        absent = [screening_id for screening_id in lapsing if screening_id not in self._owned.actors]
        await _each(absent, self._load, self._loaded_at_once)

    async def give_away(
        self,
        release: Callable[[int], Awaitable[Handover]],
        give: Callable[[Handover], Awaitable[object]],
    ) -> int:
        """Hand over the screenings in memory that belong to other servers, those that were used last first.

        Args:
            release: gives a screening up (`ScreeningDirectory.release`).
            give: lets the server that should own a screening take it over.

        Returns:
            Number of screenings in memory that belong to other servers, since they were loaded meanwhile.
        """

        async def give_one(screening_id: int) -> None:
            if self._owned.belongs_here(screening_id):
                return
            try:
                await give(await release(screening_id))
            except OutcomeUnknown:
                log.info(
                    "screening %d was given up; its new owner has not answered, and takes it with the next "
                    "command for it",
                    screening_id,
                )
            except EngineError as refusal:
                # Its new owner takes it when it gets the first command for it.
                log.info("screening %d was not handed over: %s", screening_id, refusal)
            except Exception:
                log.exception("screening %d was not handed over", screening_id)

        leaving = sorted(self._elsewhere(), key=lambda actor: actor.last_asked_at, reverse=True)
        await _each([actor.screening_id for actor in leaving], give_one, _GIVEN_AT_ONCE)
        return len(self._elsewhere())

    def _elsewhere(self) -> list[ScreeningActor]:
        """The screenings in memory that belong to other servers."""
        actors = self._owned.actors.values()
        return [actor for actor in actors if not self._owned.belongs_here(actor.screening_id)]

    async def passivate_idle(self) -> int:
        """Unload the screenings that are idle and written completely. Returns their number."""
        deadline = self._clock.now() - self._idle_seconds
        idle = [actor for actor in self._owned.actors.values() if _is_idle(actor, deadline)]
        passivated = 0
        for actor in idle:
            actor.store_digest()
            try:
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._journal.flushed(actor.screening_id)
            except TimeoutError:
                continue
            if _is_idle(actor, deadline) and self._owned.unload(actor):
                passivated += 1
        return passivated

    async def hash_states(self) -> None:
        """Send watchers the hashes they want, and store hashes of screenings that have changed much."""
        for number, actor in enumerate(tuple(self._owned.actors.values()), 1):
            if actor.hash_state(_CHANGES_PER_DIGEST) or number % _LOOKED_AT_AT_ONCE == 0:
                await asyncio.sleep(0)

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

    @property
    def _loaded_at_once(self) -> int:
        return _TAKEN_AT_ONCE if self._owned.in_cluster else _LOADED_AT_ONCE

    async def _release_lapsed(self, screening_id: int) -> int:
        try:
            actor = self._owned.actors.get(screening_id) or await self._find(screening_id)
            reply = None if isinstance(actor, Copy) else await actor.ask(ReleaseLapsed(screening_id))
            return reply.number if isinstance(reply, Lapsed) else 0
        except EngineError:
            return 0  # another server owns it, or the next sweep succeeds
        except Exception:
            # The other screenings have to be swept all the same.
            log.exception("the holds of a screening could not be released")
            return 0

    async def _load(self, screening_id: int) -> None:
        try:
            await self._find(screening_id)
        except StoreUnavailable:
            raise
        except EngineError:
            pass  # it was deleted or taken over meanwhile, or too many commands wait


async def _each(screening_ids: Iterable[int], do: Callable[[int], Awaitable[None]], at_once: int) -> None:
    """Call `do` for all screenings in order, a few at once. After an exception no further calls are made."""
    remaining = deque(screening_ids)

    async def work() -> None:
        while remaining:
            try:
                await do(remaining.popleft())
            except BaseException:
                remaining.clear()
                raise

    workers = (work() for _ in range(min(at_once, len(remaining))))
    for outcome in await asyncio.gather(*workers, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _is_idle(actor: ScreeningActor, deadline: float) -> bool:
    return actor.at_rest and actor.last_asked_at < deadline
