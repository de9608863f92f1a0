"""The entry point of the engine: finds the actor of a screening, and loads and unloads screenings.

The first command for a screening loads it; commands that arrive meanwhile wait for the same activation. It is
unloaded when it is idle and everything it has decided is written. Callers just `ask`.

Only a command that changes something takes a screening from another living server. Reads of a screening that
another server owns are answered from a copy, which is reloaded when it is a second old. Each sweep checks
whether the owner of a copy is gone; if so, the screening is taken over, and watchers get what has changed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from math import inf
from time import perf_counter
from typing import TypeVar

from engine.actor import ScreeningActor
from engine.actor_context import ActorContext, CommandMeters
from engine.commands import READS, Command, ReadStock, ReleaseLapsed, ShowStock
from engine.copies import Copies, Copy
from engine.errors import EngineError, OwnershipLost, Stopping, Unavailable
from engine.guards import DefectLog, guarded
from engine.policy import Policy
from engine.ports import Clock, IdSource, Journal, Observer, Publisher, Store
from engine.replies import Lapsed, Reply
from engine.screening import Screening
from engine.selling_errors import ScreeningNotFound
from engine.waiting import WaitingCommands

log = logging.getLogger("frontrow.engine")

Written = TypeVar("Written")

_BATCH_LIMIT = 256
_OVERDUE_LIMIT = 1000
_FAR_SECONDS = 10 * 365 * 86_400.0
# Screenings that a sweep loads at one time: few, so that screenings with waiting callers are loaded first.
_SWEPT_AT_ONCE = 4
# How long passivation waits for the journal; if that takes longer, the screening stays in memory for now.
_FLUSH_SECONDS = 1.0


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
    ) -> None:
        self._store = store
        self._journal = journal
        self._publisher = guarded(publisher)
        self._observer = guarded(observer)
        self._clock = clock
        self._load: Callable[..., Screening] = lambda loaded: Screening(
            loaded, policy, hold_ids, ticket_ids, change_memory
        )
        self._context = ActorContext(
            journal,
            publisher,
            DefectLog(f"{type(publisher).__name__}.publish"),
            self._observer,
            CommandMeters(observer),
            clock,
            mailbox_limit,
            _BATCH_LIMIT,
            ask_timeout_seconds,
            self._drop,
        )
        self._idle_seconds = idle_seconds
        self._actors: dict[int, ScreeningActor] = {}
        self._activations: dict[int, asyncio.Task[ScreeningActor | Copy]] = {}
        self._copies = Copies()
        self._changes: dict[int, asyncio.Future[None]] = {}
        # States from which a screening recalls what is not stored when it is loaded again.
        self._before_change: dict[int, Screening] = {}
        self._dropped: set[int] = set()
        self._waiting = WaitingCommands(mailbox_limit, waiting_limit)
        self._stopping = False
        self._moved_seconds = 0.0
        journal.on_ownership_lost(self._step_down)
        clock.on_step(self._move_deadlines)

    async def ask(self, command: Command) -> Reply:
        """Send a command to its screening and wait for the reply.

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
        return await actor.ask(command)

    def ask_active(self, command: Command) -> "Reply | asyncio.Future[Reply] | None":
        """Send a command to its screening if that is in memory, without awaiting anything.

        If no other command is queued it is handled immediately, so callers must yield to the event loop by
        themselves.

        Args:
            command: any of `engine.commands`.

        Returns:
            The reply, if the command could be decided immediately; a future of what `ask` would return or
            raise, if it has to wait; None if the screening has to be loaded first.

        Raises:
            EngineError: the command was rejected, and nothing has changed.
        """
        actor = self._actors.get(command.screening_id)
        return None if actor is None else actor.ask_first(command)

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
        """Change a screening's properties (its times, prices, room or seats) while nothing is sold for it.

        Earlier decisions are written first, so `write` can rely on the database. Commands that arrive
        meanwhile wait and find the changed screening. If the screening was in memory, its watchers are told
        how many seats and places it now has.

        Args:
            screening_id: the screening.
            write: changes the database, all or nothing.

        Returns:
            The result of `write`, whose exceptions are passed on.

        Raises:
            Overloaded: too many commands wait for the screening; nothing was written.
        """
        with self._waiting.count(screening_id):
            await self._unchanging(screening_id)
        change = self._changes[screening_id] = asyncio.get_running_loop().create_future()
        actor: ScreeningActor | None = None
        try:
            activation = self._activations.get(screening_id)
            if activation is not None:
                await asyncio.wait((activation,))
            actor = self._actors.get(screening_id)
            if actor is not None:
                await actor.caught_up()
                self._drop(actor)
                if not actor.at_rest:  # otherwise it might not be loaded again for a long time
                    self._before_change[screening_id] = actor.screening
            await self._journal.flushed(screening_id)
            written = await write()
        finally:
            del self._changes[screening_id]
            change.set_result(None)
        if actor is not None:
            # The change has been written, so an error here must not hide that. A deleted screening has
            # nothing to show; one that cannot be loaded now is shown with its next change.
            try:
                await self.ask(ShowStock(screening_id))
            except EngineError:
                pass
            except Exception:
                log.exception("watchers of screening %d were not told that it has changed", screening_id)
            finally:
                self._before_change.pop(screening_id, None)
        return written

    async def sweep(self) -> int:
        """Release what has lapsed, also in screenings that are not in memory.

        Screenings of other living servers are left to those.

        Returns:
            Number of holds and pending tickets that were released.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        now = self._clock.now()
        due = {sid for sid, actor in self._actors.items() if actor.next_deadline <= now}
        due.update(self._copies, await self._store.overdue(now, _OVERDUE_LIMIT))
        released = 0
        remaining = iter(sorted(due))
        while few := list(islice(remaining, _SWEPT_AT_ONCE)):
            answers = await asyncio.gather(
                *(self._release_lapsed(screening_id) for screening_id in few), return_exceptions=True
            )
            for answer in answers:
                if isinstance(answer, Exception) and not isinstance(answer, EngineError):
                    # The other screenings have to be swept all the same.
                    log.error("the holds of a screening could not be released", exc_info=answer)
            released += sum(answer.number for answer in answers if isinstance(answer, Lapsed))
        return released

    async def _release_lapsed(self, screening_id: int) -> Reply | None:
        actor = self._actors.get(screening_id) or await self._found(screening_id, depose=False)
        return None if isinstance(actor, Copy) else await actor.ask(ReleaseLapsed(screening_id))

    async def passivate_idle(self) -> int:
        """Unload the screenings that are idle and written completely. Returns their number."""
        deadline = self._clock.now() - self._idle_seconds
        passivated = 0
        for actor in [actor for actor in self._actors.values() if self._is_idle(actor, deadline)]:
            try:
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._journal.flushed(actor.screening_id)
            except TimeoutError:
                continue
            if self._is_idle(actor, deadline) and self._actors.get(actor.screening_id) is actor:
                del self._actors[actor.screening_id]
                actor.close(OwnershipLost(actor.screening_id))
                self._observer.screening_passivated()
                passivated += 1
        return passivated

    async def load_lapsing(self) -> None:
        """Load all screenings with stored holds or pending tickets, so that a clock step moves their
        deadlines.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        for screening_id in await self._store.overdue(self._clock.now() + _FAR_SECONDS, _OVERDUE_LIMIT):
            await self.ask(ReadStock(screening_id))

    def _move_deadlines(self, seconds: float) -> None:
        """The clock was stepped, or the machine was suspended."""
        if seconds:
            log.warning(
                "the wall clock was stepped by %+.1f s; holds keep the time that they had left", seconds
            )
        self._moved_seconds += seconds
        self._copies.move(seconds)
        for actor in tuple(self._actors.values()):
            actor.move_deadlines(seconds)

    async def stop(self) -> None:
        """Reject all queued and future commands with `Stopping`.

        Pending writes are still settled, and their callers answered, while the journal is flushed.
        """
        self._stopping = True
        pending = list(self._activations.values())
        for activation in pending:
            activation.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for actor in self._actors.values():
            actor.close(Stopping())

    @property
    def active_count(self) -> int:
        """Number of screenings in memory."""
        return len(self._actors)

    def active_ids(self) -> Sequence[int]:
        """Ids of the screenings in memory, ascending."""
        return sorted(self._actors)

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
            if not depose and (copy := self._copies.fresh(screening_id, self._clock.now())):
                return copy
            activation = self._activations.get(screening_id)
            if activation is None:
                activation = asyncio.create_task(self._activate(screening_id, depose))
                self._activations[screening_id] = activation
                activation.add_done_callback(lambda task: self._activation_done(screening_id, task))
            try:
                found = await asyncio.shield(activation)
            except asyncio.CancelledError:
                if activation.cancelled() and self._stopping:
                    raise Stopping from None
                raise
            if isinstance(found, ScreeningActor) or not depose:
                return found
            # That activation was for a read; this command has to take the screening from its owner.

    async def _unchanging(self, screening_id: int) -> None:
        """Return when the screening is not being changed."""
        while (change := self._changes.get(screening_id)) is not None:
            await asyncio.wait((change,))

    def _activation_done(self, screening_id: int, task: "asyncio.Task[ScreeningActor | Copy]") -> None:
        del self._activations[screening_id]
        if not task.cancelled():
            task.exception()  # mark it as retrieved; the callers may all be gone

    async def _activate(self, screening_id: int, depose: bool) -> ScreeningActor | Copy:
        started = perf_counter()
        if screening_id in self._dropped:
            # A new epoch would fence our own entries of the old one, so these have to be written first.
            await self._journal.flushed(screening_id)
            self._dropped.discard(screening_id)
        moved_seconds = self._moved_seconds
        try:
            loaded = await self._store.activate(screening_id, depose=depose)
        except ScreeningNotFound:
            self._copies.pop(screening_id, None)
            raise
        screening, now = self._load(loaded), self._clock.now()
        before = self._copies.pop(screening_id, None)
        outdated = before.outdated | screening.differing_seats(before.screening) if before else frozenset()
        if not loaded.owned:
            return self._copies.keep(Copy(screening, now, outdated))
        if earlier := self._before_change.pop(screening_id, None):
            screening.recall(earlier)
        actor = ScreeningActor(screening, self._context)
        self._actors[screening_id] = actor
        if moved_seconds != self._moved_seconds:
            # The clock was stepped after the deadlines had been read.
            actor.move_deadlines(self._moved_seconds - moved_seconds)
        self._observer.screening_activated(perf_counter() - started)
        if before is not None:
            # Watchers have seen the copies, but not what the other server did after the last one.
            self._publisher.publish(screening.show_again(outdated, now))
        return actor

    def _step_down(self, screening_id: int, epoch: int) -> None:
        actor = self._actors.get(screening_id)
        if actor is not None and actor.epoch == epoch:
            log.warning("screening %d was taken over by another server", screening_id)
            self._drop(actor, OwnershipLost(screening_id))
            self._copies.keep(Copy(actor.screening, -inf, frozenset()))

    def _drop(self, actor: ScreeningActor, reason: Unavailable | None = None) -> None:
        """Remove an actor whose state must not be used any more."""
        if self._actors.get(actor.screening_id) is actor:
            del self._actors[actor.screening_id]
            self._dropped.add(actor.screening_id)
        actor.close(reason or OwnershipLost(actor.screening_id))

    @staticmethod
    def _is_idle(actor: ScreeningActor, deadline: float) -> bool:
        return actor.at_rest and actor.last_asked_at < deadline
