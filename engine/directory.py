"""The entry point of the engine: finds the actor of a screening, and loads and unloads screenings.

The first command for a screening loads it; commands that arrive meanwhile wait for the same activation. It is
unloaded when it is idle and everything it has decided is written. Callers just `ask`.

`engine.owned` and `engine.takeovers` take screenings from other servers. Reads of a screening that another
server owns are answered from a copy, which is reloaded when it is a second old. Each sweep checks whether the
owner of a copy is gone; if so, the screening is taken over, and watchers get what has changed. In a cluster
there are no copies: what belongs to another server is refused with `OwnershipLost`, and the caller asks that
server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from heapq import nlargest
from math import inf
from secrets import token_hex
from typing import Any, TypeVar

from engine.actor import ScreeningActor
from engine.actor_context import ActorContext
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.commands import READS, Command, ShowStock
from engine.copies import Copy
from engine.errors import EngineError, OwnershipLost, Stopping, StoreUnavailable
from engine.figures import ScreeningFigures
from engine.handover import Handover
from engine.lease import Lease
from engine.owned import OwnedScreenings
from engine.policy import Policy
from engine.ports import Clock, IdSource, Journal, Observer, Peers, Publisher, Store
from engine.replies import Reply
from engine.screening import Screening
from engine.suspensions import SUSPENSION_SECONDS, Suspensions
from engine.upkeep import Upkeep
from engine.waiting import WaitingCommands

log = logging.getLogger("frontrow.engine")

Written = TypeVar("Written")

# Time limit for handing a screening over.
RELEASE_SECONDS = 2.0


class ScreeningDirectory:
    """Directory of the screenings of this process.

    Args:
        store: loads screenings and takes their ownership.
        journal: writes decisions to storage.
        publisher: sends changes to watchers.
        observer: counts.
        clock: the time.
        hold_ids: ids for holds.
        ticket_ids: ids for tickets.
        policy: limits of selling.
        mailbox_limit: commands that may wait for one screening, also while it is being loaded or changed.
        waiting_limit: commands that may wait for screenings to be loaded or changed, in all.
        ask_timeout_seconds: how long a command may be queued; after that it is rejected.
        idle_seconds: how long an unused screening stays in memory.
        change_memory: changes kept per screening for clients that resume.
        peers: the other servers of a cluster; None outside a cluster.

    Attributes:
        owned: the screenings in memory, and this server's lease on them.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        publisher: Publisher,
        observer: Observer,
        clock: Clock,
        hold_ids: IdSource,
        ticket_ids: IdSource,
        policy: Policy,
        *,
        mailbox_limit: int = 10_000,
        waiting_limit: int = 20_000,
        ask_timeout_seconds: float = 2.0,
        idle_seconds: float = 300.0,
        change_memory: int = 1024,
        peers: Peers | None = None,
    ) -> None:
        self._clock = clock
        context = ActorContext(
            journal,
            publisher,
            observer,
            clock,
            Lease(inf if peers is None else -inf),
            mailbox_limit,
            ask_timeout_seconds,
            lambda actor: self.owned.drop(actor),
            self._reload,
        )
        self.owned = OwnedScreenings(
            store,
            context,
            lambda loaded: Screening(loaded, policy, hold_ids, ticket_ids, change_memory),
            peers,
        )
        self._actors = self.owned.actors
        self._activations: dict[int, asyncio.Task[ScreeningActor | Copy]] = {}
        self._suspensions = Suspensions(clock, self._set_aside)
        self._releases = self.owned.releases
        self._upkeep = Upkeep(store, context, self.owned, partial(self._found, depose=False), idle_seconds)
        self._waiting = WaitingCommands(mailbox_limit, waiting_limit)
        self._reloads: dict[int, asyncio.Task[None]] = {}
        self._stopping = False
        clock.on_step(self.owned.move_deadlines)

    async def ask(self, command: Command) -> Reply:
        """Send a command to its screening and wait for the reply.

        Its changes are recorded with the request on whose behalf the caller's task works.

        Args:
            command: any of `engine.commands`.

        Returns:
            The reply; to a durable command after the commit. Cancelling the caller does not undo what has
            been decided.

        Raises:
            EngineError: the command was rejected, and nothing has changed.
        """
        actor = self._actors.get(command.screening_id)
        if actor is None:
            found = await self._found(command.screening_id, depose=type(command) not in READS)
            if isinstance(found, Copy):
                return found.answer(command)
            actor = found
        return await actor.ask(command, present_cause.get())

    def ask_active(
        self, command: Command, cause: Cause | None = None
    ) -> "Reply | asyncio.Future[Reply] | None":
        """Send a command to its screening if that is in memory, without awaiting anything.

        If no other command is queued it is handled immediately, so callers must yield to the event loop by
        themselves.

        Args:
            command: any of `engine.commands`.
            cause: the request that sends it, if that is to be recorded with what it changes.

        Returns:
            The reply, if the command could be decided immediately; a future of what `ask` would return or
            raise, if it has to wait; None if the screening has to be loaded first.

        Raises:
            EngineError: the command was rejected, and nothing has changed.
        """
        actor = self._actors.get(command.screening_id)
        return None if actor is None else actor.ask_first(command, cause)

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
        """Change the properties of one screening; see `change_all`."""
        return await self.change_all((screening_id,), write)

    async def change_all(
        self, screening_ids: Collection[int], write: Callable[[], Awaitable[Written]]
    ) -> Written:
        """Change properties of screenings (their times, prices, room or seats) while they sell nothing.

        Earlier decisions are written first, so `write` can rely on the database. Commands that arrive
        meanwhile wait and find the changed screening. If a screening was in memory, its watchers are told
        how many seats and places it now has.

        Args:
            screening_ids: the screenings. They are suspended in the order of their ids, so that two changes
                never wait for each other.
            write: changes the database, all or nothing.

        Returns:
            The result of `write`, whose exceptions are passed on.

        Raises:
            Overloaded: too many commands wait for a screening; nothing was written.
        """
        change_id = token_hex(8)
        suspended: list[int] = []
        changed = False
        try:
            for screening_id in sorted(screening_ids):
                await self.suspend(screening_id, change_id, inf)
                suspended.append(screening_id)
            written = await write()
            changed = True
        finally:
            await asyncio.gather(
                *(self.resume(screening_id, change_id, changed=changed) for screening_id in suspended)
            )
        return written

    async def suspend(
        self, screening_id: int, change_id: str, limit_seconds: float = SUSPENSION_SECONDS
    ) -> None:
        """Begin a change of a screening's properties that another server writes.

        When this returns, earlier decisions are written, and commands wait for `resume`. Suspending again
        with the same id has no effect.

        Args:
            screening_id: the screening.
            change_id: unique for the change.
            limit_seconds: after this time it is resumed without a call of `resume`.

        Raises:
            Overloaded: too many commands wait for the screening.
            OwnershipLost: it belongs to another server; nothing is suspended.
            StoreUnavailable: the database cannot be reached; nothing is suspended.
        """
        if (suspension := self._suspensions.find(screening_id, change_id)) is not None:
            return await self._suspensions.ready(screening_id, suspension)
        with self._waiting.count(screening_id):
            await self._unchanging(screening_id)
        await self._suspensions.begin(screening_id, change_id, limit_seconds)

    async def _set_aside(self, screening_id: int) -> bool:
        if (activation := self._activations.get(screening_id)) is not None:
            await asyncio.wait((activation,))
        return await self.owned.set_aside(screening_id)

    async def resume(self, screening_id: int, change_id: str, *, changed: bool = True) -> None:
        """End a suspension. If the screening was in memory, its watchers are told how many seats it has.

        If the suspension has ended before, by its time limit or because another server owned the screening
        then, the screening is unloaded, so that the next command finds what was written.

        Args:
            screening_id: the screening.
            change_id: as given to `suspend`.
            changed: False if certainly nothing was written.

        Raises:
            EngineError: the suspension had ended, and the screening could not be unloaded.
        """
        if (suspension := self._suspensions.find(screening_id, change_id)) is not None:
            self._suspensions.end(screening_id, suspension)
            if changed and suspension.loaded:
                await self._show(screening_id)
        elif changed:
            await self.change(screening_id, _nothing)

    def _reload(self, screening_id: int) -> None:
        """Load a screening again, unless that is being done. Its watchers are told."""
        if screening_id not in self._reloads and not self._stopping:
            task = asyncio.create_task(self.change(screening_id, _nothing))
            self._reloads[screening_id] = task
            task.add_done_callback(partial(self._done, self._reloads, screening_id))

    async def _show(self, screening_id: int) -> None:
        # The change has been written, so an error here must not hide that. A deleted screening has nothing to
        # show; one that cannot be loaded now is shown with its next change.
        try:
            await self.ask(ShowStock(screening_id))
        except EngineError:
            pass
        except Exception:
            log.exception("watchers of screening %d were not told that it has changed", screening_id)

    async def release(self, screening_id: int) -> Handover:
        """Give a screening up for another server, which may take it over as soon as this returns.

        From now on its commands are refused with `OwnershipLost`. Earlier decisions are written. A
        screening that is being loaded or changed is given up after that. Repeated calls return the same,
        until the screening is loaded here again.

        Raises:
            StoreUnavailable: that took too long. The screening has been unloaded, but not everything is
                written.
        """
        release = self._releases.get(screening_id)
        if release is None:
            release = self._releases[screening_id] = asyncio.create_task(self._release(screening_id))
            release.add_done_callback(partial(self._done, self._releases, screening_id))
        return await asyncio.shield(release)

    async def _release(self, screening_id: int) -> Handover:
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._suspensions.over(screening_id)
                self.owned.stop_asking(screening_id)
                if (activation := self._activations.get(screening_id)) is not None:
                    await asyncio.wait((activation,))
                return await self.owned.give_up(screening_id)
        except TimeoutError:
            raise StoreUnavailable("The screening could not be handed over in time") from None

    async def accept(self, handover: Handover) -> None:
        """Take over a screening that its owner has released without being asked.

        Raises:
            OwnershipLost: it does not belong to this server, or somebody else has taken it.
            StoreUnavailable: the database cannot be reached.
        """
        self.owned.expect(handover)
        await self._found(handover.screening_id, depose=False)

    async def give_away(self, give: Callable[[Handover], Awaitable[object]]) -> int:
        """Hand over the screenings in memory that belong to other servers, those that were used last first.

        To be called whenever the share of this server has changed, and before it ends. A few screenings are
        handed over at a time, but one that its new owner asks for is released at once.

        Args:
            give: lets the server that should own a screening take it over (`accept`). If it raises an
                `EngineError`, that server takes the screening later, with the first command for it.

        Returns:
            Number of screenings in memory that belong to other servers, since they were loaded meanwhile.
        """
        return await self._upkeep.give_away(self.release, give)

    async def sweep(self) -> int:
        """Release lapsed holds and pending tickets in all screenings of this server. Returns their number."""
        return await self._upkeep.sweep()

    async def passivate_idle(self) -> int:
        """Unload the screenings that are idle. Returns their number."""
        return await self._upkeep.passivate_idle()

    async def hash_states(self) -> None:
        """Send watchers the hashes they want, and store hashes of screenings that have changed much."""
        await self._upkeep.hash_states()

    async def load_lapsing(self) -> None:
        """Load all screenings of this server with stored holds or pending tickets."""
        await self._upkeep.load_lapsing()

    async def stop(self) -> None:
        """Reject all queued and future commands with `Stopping`.

        Pending writes are still settled, and their callers answered, while the journal is flushed.
        """
        self._stopping = True
        pending = [*self._activations.values(), *self._releases.values(), *self._reloads.values()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for actor in tuple(self._actors.values()):  # one that fails is unloaded
            actor.close(Stopping())
            actor.store_digest()

    def position_of(self, screening_id: int) -> tuple[int, int] | None:
        """Epoch and number of a screening's last visible change; None if it is not in memory."""
        actor = self._actors.get(screening_id)
        return None if actor is None else actor.position

    @property
    def active_count(self) -> int:
        """Number of screenings in memory."""
        return len(self._actors)

    @property
    def waiting_count(self) -> int:
        """Number of live entries of the waiting lists of the screenings in memory."""
        return sum(actor.waiting_count for actor in self._actors.values())

    def active_ids(self) -> Sequence[int]:
        """Ids of the screenings in memory, ascending."""
        return sorted(self._actors)

    def figures(self, limit: int) -> Sequence[ScreeningFigures]:
        """Figures of the screenings in memory, for operators.

        Args:
            limit: highest number; of more screenings, those that were used last.
        """
        actors = nlargest(limit, self._actors.values(), key=lambda actor: actor.last_asked_at)
        return [actor.figures() for actor in actors]

    @property
    def mailbox_depth(self) -> int:
        """Number of queued commands of all screenings."""
        return sum(actor.mailbox_depth for actor in self._actors.values())

    @property
    def hold_count(self) -> int:
        """Number of live holds of all screenings in memory."""
        return sum(actor.hold_count for actor in self._actors.values())

    async def _found(self, screening_id: int, *, depose: bool) -> ScreeningActor | Copy:
        """The screening's actor; a recent copy if another living server owns it and `depose` is false.

        Raises:
            Overloaded: too many commands wait for this screening, or for screenings in all.
        """
        with self._waiting.count(screening_id):
            return await self._activated(screening_id, depose=depose)

    async def _activated(self, screening_id: int, *, depose: bool) -> ScreeningActor | Copy:
        while True:
            await self._unchanging(screening_id)
            if self._stopping:
                raise Stopping
            if (actor := self._actors.get(screening_id)) is not None:
                return actor
            if not depose and (copy := self.owned.copies.fresh(screening_id, self._clock.now())):
                return copy
            activation = self._activations.get(screening_id)
            # One that is done may still be registered; joining it would not yield to the event loop.
            joined = activation is not None and not activation.done()
            if activation is None or not joined:
                activation = asyncio.create_task(self.owned.take(screening_id, depose=depose))
                self._activations[screening_id] = activation
                activation.add_done_callback(partial(self._done, self._activations, screening_id))
            try:
                found = await asyncio.shield(activation)
            except asyncio.CancelledError:
                if activation.cancelled() and self._stopping:
                    raise Stopping from None
                raise
            except OwnershipLost:
                if not (depose and joined):
                    raise
                continue  # that activation may have been for a read
            if isinstance(found, ScreeningActor) or not depose:
                return found
            # That activation was for a read; this command has to take the screening from its owner.

    async def _unchanging(self, screening_id: int) -> None:
        """Return when the screening is not being changed.

        Raises:
            OwnershipLost: it is being handed over to another server.
        """
        if screening_id not in self._releases:
            await self._suspensions.over(screening_id)
        if screening_id in self._releases:
            raise OwnershipLost(screening_id)

    @staticmethod
    def _done(tasks: dict[int, asyncio.Task[Any]], screening_id: int, task: asyncio.Task[Any]) -> None:
        if tasks.get(screening_id) is task:
            del tasks[screening_id]
        if not task.cancelled():
            task.exception()  # mark it as retrieved; the callers may all be gone


async def _nothing() -> None:
    """A change that was written before."""
