"""The screenings that this server owns: how it takes them, keeps them and gives them up.

Alone, a server raises the epoch of a screening when it loads it. Only a command that changes something takes
a screening from another living server; for a read it is loaded as a copy.

In a cluster (`Peers`) a server loads only screenings that belong to it; `engine.takeovers` gets them from the
others.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from math import inf
from time import perf_counter

from engine.actor import ScreeningActor
from engine.actor_context import ActorContext
from engine.copies import Copies, Copy
from engine.errors import OwnershipLost, Unavailable
from engine.guards import guarded
from engine.handover import Handover, Handovers
from engine.ports import LoadedScreening, Peers, Store
from engine.screening import Screening
from engine.selling_errors import ScreeningNotFound
from engine.takeovers import Takeovers

log = logging.getLogger("frontrow.engine")


class OwnedScreenings:
    """The actors of this server, and its lease on them.

    Args:
        store: loads screenings and takes their ownership.
        context: shared by the actors.
        load: makes a screening of its stored state.
        peers: the other servers; None outside a cluster.

    Attributes:
        actors: those of the screenings in memory.
        releases: of the screenings that are being given up; these are not taken.
        copies: screenings that another server owns, outside a cluster.
        lease: without a limit outside a cluster; in one it has to be renewed from the start.
    """

    def __init__(
        self,
        store: Store,
        context: ActorContext,
        load: Callable[[LoadedScreening], Screening],
        peers: Peers | None,
    ) -> None:
        self._store = store
        self._context = context
        self._journal = context.journal
        self._clock = context.clock
        self._publisher = guarded(context.publisher)
        self._load = load
        self._peers = peers
        self.actors: dict[int, ScreeningActor] = {}
        self.releases: dict[int, asyncio.Task[Handover]] = {}
        self.copies = Copies()
        self.lease = context.lease
        self._dropped: set[int] = set()
        # Memories of screenings that have been unloaded, until they are loaded again here or elsewhere.
        self._handovers = Handovers()
        self._takeovers: Takeovers | None = None
        self._unfinished: dict[int, str | None] = {}
        if peers is not None:
            self._takeovers = Takeovers(
                store, peers, context.observer, context.clock, self._handovers, self._require_share
            )
            self._unfinished = self._takeovers.unfinished
        self._moved_seconds = 0.0
        self._postponed_seconds = 0.0
        context.journal.on_ownership_lost(self.step_down)

    @property
    def in_cluster(self) -> bool:
        """True if there are other servers that own screenings of the same database."""
        return self._peers is not None

    @property
    def unfinished(self) -> Collection[int]:
        """Screenings whose epoch this server may have raised, but for which it does not answer yet."""
        return self._unfinished.keys()

    def belongs_here(self, screening_id: int) -> bool:
        """True if this server may own the screening."""
        return self._peers is None or self._peers.belongs_here(screening_id)

    def _require_lease(self, screening_id: int) -> None:
        """Raise OwnershipLost if the lease has expired."""
        if self.lease.until <= self._clock.now():
            raise OwnershipLost(screening_id)

    async def take(self, screening_id: int, *, depose: bool) -> ScreeningActor | Copy:
        """Take and load a screening. Not to be called twice at once for one screening.

        Args:
            screening_id: the screening.
            depose: take it even from a living server that does not hand it over.

        Raises:
            OwnershipLost: it belongs to another server, or its owner does not hand it over.
        """
        started = perf_counter()
        if screening_id in self._dropped:
            # A new epoch would fence our own entries of the old one, so these have to be written first.
            await self._journal.flushed(screening_id)
            self._dropped.discard(screening_id)
        moved_seconds, lapses = self._moved_seconds, self.lease.lapses
        confirmations = self.lease.confirmations
        try:
            if self._takeovers is None:
                loaded = await self._store.activate(screening_id, depose=depose)
            else:
                loaded = await self._takeovers.load(screening_id, depose)
        except ScreeningNotFound:
            self.copies.pop(screening_id, None)
            self._unfinished.pop(screening_id, None)
            raise
        if loaded.owned and confirmations != self.lease.confirmations:
            await self._require_epoch(screening_id, loaded.epoch)
        self._require_lease(screening_id)
        if lapses != self.lease.lapses:
            raise OwnershipLost(screening_id)  # another server may have taken it during the pause
        screening, now = self._load(loaded), self._clock.now()
        before = self.copies.pop(screening_id, None)
        outdated = before.outdated | screening.differing_seats(before.screening) if before else frozenset()
        if not loaded.owned:
            return self.copies.keep(Copy(screening, now, outdated))
        handover = self._handovers.pop(screening_id, None)
        if handover is not None and handover.epoch == loaded.epoch - 1:
            screening.recall(handover)
        actor = ScreeningActor(screening, self._context)
        self.actors[screening_id] = actor
        if moved_seconds != self._moved_seconds:
            # The clock was stepped after the deadlines had been read.
            actor.move_deadlines(self._moved_seconds - moved_seconds)
        self._context.observer.screening_activated(perf_counter() - started)
        missed = screening_id in self._unfinished and not screening.continued
        self._unfinished.pop(screening_id, None)
        if missed or before is not None:
            # Watchers have seen the copies, but not what the other server did after the last one. In a
            # cluster they learn that a new epoch has begun, and reload what they have missed.
            self._publisher.publish(screening.show_again(outdated, now))
        return actor

    async def _require_epoch(self, screening_id: int, epoch: int) -> None:
        """Raise OwnershipLost if a loaded screening has another epoch now, or that cannot be told.

        The lease may only last because the database has confirmed the active screenings.
        """
        confirmations = self.lease.confirmations
        if await self._store.lost({screening_id: epoch}) or confirmations != self.lease.confirmations:
            raise OwnershipLost(screening_id)

    def _require_share(self, screening_id: int) -> None:
        """Raise OwnershipLost if this server may not take a screening, or not any more."""
        self._require_lease(screening_id)
        if not self.belongs_here(screening_id) or screening_id in self.releases:
            raise OwnershipLost(screening_id)

    def stop_asking(self, screening_id: int) -> None:
        """Do not wait for another server to give a screening up: it may be waiting for this one."""
        if self._takeovers is not None:
            self._takeovers.stop_asking(screening_id)

    def expect(self, handover: Handover) -> None:
        """Keep what another server has handed over until the screening is loaded."""
        self._handovers.keep(handover)

    async def give_up(self, screening_id: int) -> Handover:
        """Unload a screening for another server, after everything that was decided is in the database.

        From now on commands are refused. If this is cancelled, the next command loads the screening again.
        """
        actor = self.actors.get(screening_id)
        if actor is None:
            await self._journal.flushed(screening_id)
            handover = self._handovers.get(screening_id) or Handover(screening_id, 0, 0, None)
            return handover._replace(deposed=self._unfinished.get(screening_id))
        actor.close(OwnershipLost(screening_id))
        actor.store_digest()
        try:
            await self._journal.flushed(screening_id)
        except BaseException:
            self.drop(actor)
            self._remember(screening_id, actor)
            raise
        if self.actors.get(screening_id) is not actor:
            self._remember(screening_id, actor)
            return Handover(screening_id, 0, 0, None)  # it was lost meanwhile
        handover = actor.screening.handover()
        if actor.screening.arrivals:
            handover = handover._replace(positions=())
        self._handovers.keep(handover)
        del self.actors[screening_id]
        return handover._replace(memory=handover.memory and handover.memory.limited())

    async def set_aside(self, screening_id: int) -> bool:
        """Unload a screening after its earlier commands, with everything written, so that it can be changed.

        It is taken from another server first if necessary.

        Returns:
            True if it was in memory.

        Raises:
            OwnershipLost: it belongs to another server, or its owner does not hand it over.
        """
        self._require_lease(screening_id)
        if (
            self._takeovers is not None
            and screening_id not in self.actors
            and await self._takeovers.is_needed(screening_id)
        ):
            await self.take(screening_id, depose=False)
        actor, epochs = self.actors.get(screening_id), 1
        if actor is not None:
            await actor.caught_up()
            actor.store_digest()
            self.drop(actor)
        try:
            await self._journal.flushed(screening_id)
            if actor is not None and await self._store.lost({screening_id: actor.epoch}):
                # The server that has taken it would not notice that the change raises its epoch.
                raise OwnershipLost(screening_id)
            if actor is not None and actor.screening.arrivals:
                # A new epoch refuses what another screening might still write.
                await self._store.activate(screening_id, known_epoch=actor.epoch)
                epochs = 2
        finally:
            self._remember(screening_id, actor, epochs)
        self._require_lease(screening_id)
        return actor is not None

    def _remember(self, screening_id: int, actor: ScreeningActor | None, epochs: int = 1) -> None:
        """Keep what is known about holders until a screening is loaded again. Clients then need all seats.

        Args:
            screening_id: the screening.
            actor: the closed actor that it had; None if it was not in memory.
            epochs: by how much its epoch will have grown when it is loaded again.
        """
        handover = self._handovers.get(screening_id) if actor is None else actor.screening.handover()
        if handover is not None:
            self._handovers.keep(handover._replace(positions=(), epoch=handover.epoch + epochs - 1))

    def unload(self, actor: ScreeningActor) -> bool:
        """Remove an idle actor that has nothing to write. False if it was removed before."""
        if self.actors.get(actor.screening_id) is not actor:
            return False
        del self.actors[actor.screening_id]
        actor.close(OwnershipLost(actor.screening_id))
        self._context.observer.screening_passivated()
        return True

    def drop(self, actor: ScreeningActor, reason: Unavailable | None = None) -> None:
        """Remove an actor whose state must not be used any more."""
        if self.actors.get(actor.screening_id) is actor:
            del self.actors[actor.screening_id]
            self._dropped.add(actor.screening_id)
        actor.close(reason or OwnershipLost(actor.screening_id))

    def step_down(self, screening_id: int, epoch: int) -> None:
        """Remove a screening that another server has taken over."""
        actor = self.actors.get(screening_id)
        if actor is not None and actor.epoch == epoch:
            log.warning("screening %d was taken over by another server", screening_id)
            self.drop(actor, OwnershipLost(screening_id))
            if self._peers is None:
                self.copies.keep(Copy(actor.screening, -inf, frozenset()))

    def set_lease(self, seconds: float) -> bool:
        """Change how long the lease lasts from now. Has no effect on one that has expired: see `confirm`.

        Args:
            seconds: 0 or less ends it now.

        Returns:
            False if it has expired.
        """
        now = self._clock.now()
        if self.lease.until <= now:
            return False
        self.lease.until = now + seconds
        return True

    async def confirm(self, lease_seconds: Callable[[], float]) -> Sequence[int]:
        """Find out which screenings are still owned, and renew the lease on these, also one that has expired.

        Args:
            lease_seconds: returns how long the lease lasts at least. It is called when the database has
                answered, which may take longer than what its answer is worth.

        Returns:
            The screenings that other servers have taken.

        Raises:
            StoreUnavailable: the database cannot be reached; the lease was not renewed.
        """
        lease = self.lease
        expired = lease.until <= self._clock.now()
        epochs = {screening_id: actor.epoch for screening_id, actor in self.actors.items()}
        lost = await self._store.lost(epochs) if epochs else ()
        for screening_id in lost:
            self.step_down(screening_id, epochs[screening_id])
        lease.confirmations += 1
        if expired := expired or lease.until <= self._clock.now():
            lease.lapses += 1
        lease.until = max(lease.until, self._clock.now() + lease_seconds())
        if expired and self._clock.now() < lease.until:
            postponed_seconds, self._postponed_seconds = self._postponed_seconds, 0.0
            for actor in tuple(self.actors.values()):
                actor.move_deadlines(postponed_seconds)
        return lost

    def move_deadlines(self, seconds: float) -> None:
        """The clock was stepped, or the machine was suspended."""
        if seconds:
            log.warning(
                "the wall clock was stepped by %+.1f s; holds keep the time that they had left", seconds
            )
        self._moved_seconds += seconds
        self.copies.move(seconds)
        self.lease.until += seconds
        if self.lease.until <= self._clock.now():
            self._postponed_seconds += seconds  # until it is known what is still owned
            return
        for actor in tuple(self.actors.values()):
            actor.move_deadlines(seconds)
