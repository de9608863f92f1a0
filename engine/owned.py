"""The screenings that this server owns: how it takes them, keeps them and gives them up.

Alone, a server raises the epoch of a screening when it loads it. Only a command that changes something takes
a screening from another living server; for a read it is loaded as a copy.

In a cluster (`Peers`) a server loads only screenings that belong to it. It looks who owns the screening, asks
that server to hand it over, and raises the epoch only if nobody else has done so meanwhile; else it looks
again. From a server that is gone it takes a screening without asking, but answers only when that server
certainly does not answer any more. From one that lives but does not hand over, only a command that changes
something may take it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import perf_counter

from engine.actor import ScreeningActor
from engine.actor_context import ActorContext, CommandMeters
from engine.copies import Copies, Copy
from engine.errors import OwnershipLost, Unavailable
from engine.guards import DefectLog, guarded
from engine.handover import Handover, Handovers
from engine.lease import Lease
from engine.ports import Clock, Journal, LoadedScreening, Observer, Owner, Peers, Publisher, Store
from engine.screening import Screening
from engine.selling_errors import ScreeningNotFound

log = logging.getLogger("frontrow.engine")

_BATCH_LIMIT = 256

# How long the owner of a screening has to hand it over before it is taken without its help. Longer than
# `directory.RELEASE_SECONDS`, so that the owner's refusal arrives first.
_ANSWER_SECONDS = 2.5

# How often a screening is looked at again because another server was faster.
_TAKE_ATTEMPTS = 5

# How often to look whether the former owner certainly does not answer any more.
_LOOK_SECONDS = 0.1


class OwnedScreenings:
    """The actors of this server, and its lease on them.

    Args:
        store: loads screenings and takes their ownership.
        journal: writes decisions to storage.
        publisher: sends changes to watchers.
        observer: counts.
        clock: the time.
        load: makes a screening of its stored state.
        peers: the other servers; None outside a cluster.
        mailbox_limit: commands that may be queued per screening.
        ask_timeout_seconds: how long a command may be queued.

    Attributes:
        actors: those of the screenings in memory.
        releases: of the screenings that are being given up; these are not taken.
        copies: screenings that another server owns, outside a cluster.
        lease: without a limit outside a cluster; in one it has to be renewed from the start.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        publisher: Publisher,
        observer: Observer,
        clock: Clock,
        load: Callable[[LoadedScreening], Screening],
        peers: Peers | None,
        mailbox_limit: int,
        ask_timeout_seconds: float,
    ) -> None:
        self._store = store
        self._journal = journal
        self._publisher = guarded(publisher)
        self._observer = guarded(observer)
        self._clock = clock
        self._load = load
        self._peers = peers
        self.actors: dict[int, ScreeningActor] = {}
        self.releases: dict[int, asyncio.Task[Handover]] = {}
        self.copies = Copies()
        self.lease = Lease(inf if peers is None else -inf)
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
            self.lease,
            self.drop,
        )
        self._dropped: set[int] = set()
        # What screenings remember, until they are loaded again here or elsewhere.
        self._handovers = Handovers()
        self._asking: dict[int, asyncio.Timeout] = {}
        # Screenings of others whose epoch this server may have raised, but for which it does not answer yet.
        # They stay here until an attempt succeeds. The value is a server that may not know it was deposed.
        self._taking: dict[int, str | None] = {}
        self._moved_seconds = 0.0
        self._postponed_seconds = 0.0
        journal.on_ownership_lost(self.step_down)

    @property
    def in_cluster(self) -> bool:
        """True if there are other servers that own screenings of the same database."""
        return self._peers is not None

    def belongs_here(self, screening_id: int) -> bool:
        """True if this server may own the screening."""
        return self._peers is None or self._peers.belongs_here(screening_id)

    def require_lease(self, screening_id: int) -> None:
        """Raise OwnershipLost if the lease has expired."""
        if self.lease.until <= self._clock.now():
            raise OwnershipLost(screening_id)

    async def require(self, screening_id: int) -> None:
        """Make sure that no other server owns a screening; take it over if one does.

        Raises:
            OwnershipLost: it belongs to another server, or its owner does not hand it over.
        """
        self.require_lease(screening_id)
        if self._peers is None or screening_id in self.actors:
            return
        if not self.belongs_here(screening_id):
            raise OwnershipLost(screening_id)
        owner = await self._store.owner(screening_id)
        if owner is not None and (not owner.own or screening_id in self._taking):
            await self.take(screening_id, depose=False)

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
        try:
            loaded = await self._loaded(screening_id, depose)
        except ScreeningNotFound:
            self.copies.pop(screening_id, None)
            self._taking.pop(screening_id, None)
            raise
        self.require_lease(screening_id)
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
        self._observer.screening_activated(perf_counter() - started)
        missed = screening_id in self._taking and not screening.continued
        self._taking.pop(screening_id, None)
        if missed or before is not None:
            # Watchers have seen the copies, but not what the other server did after the last one. In a
            # cluster they learn that a new epoch has begun, and reload what they have missed.
            self._publisher.publish(screening.show_again(outdated, now))
        return actor

    async def _loaded(self, screening_id: int, depose: bool) -> LoadedScreening:
        if self._peers is None:
            return await self._store.activate(screening_id, depose=depose)
        for _ in range(_TAKE_ATTEMPTS):
            self._require_share(screening_id)
            owner = await self._store.owner(screening_id)
            epoch, reason = await self._given_up(screening_id, owner, depose) if owner else (0, None)
            try:
                loaded = await self._store.activate(screening_id, known_epoch=epoch)
            except OwnershipLost:
                continue  # another server was faster
            if reason is not None:
                self._observer.screening_taken_over(reason)
            await self._outlast_former_owner(screening_id, depose)
            return loaded
        raise OwnershipLost(screening_id)

    async def _given_up(self, screening_id: int, owner: Owner, depose: bool) -> tuple[int, str | None]:
        """Get a screening from its owner.

        Returns:
            The epoch that may be raised, and why; None if this server took the screening last.
        """
        assert self._peers is not None
        if owner.own:
            return owner.epoch, None
        self._taking.pop(screening_id, None)
        handover = self._handovers.get(screening_id)
        if handover is None or handover.epoch != owner.epoch:
            if not self._peers.lives(owner.name):
                self._taking[screening_id] = owner.name
                return owner.epoch, "gone"
            handover = await self._handed_over(screening_id, owner.name)
        if handover is not None:
            self._handovers.keep(handover)
            self._taking[screening_id] = handover.deposed
            # The owner may have loaded it after we looked, or may have raised the epoch without loading it.
            return max(handover.epoch, owner.epoch), "handed_over"
        if not depose and self._peers.lives(owner.name):
            raise OwnershipLost(screening_id, owner.name)
        log.warning("screening %d is taken from %s, which has not handed it over", screening_id, owner.name)
        self._taking[screening_id] = None
        return owner.epoch, "deposed"

    async def _outlast_former_owner(self, screening_id: int, depose: bool) -> None:
        """Return when a server that has not handed the screening over certainly does not answer any more.

        Raises:
            OwnershipLost: it has come back, and does not hand over; or this server may not own the screening
                any more.
            Unavailable: the servers cannot reach each other.
        """
        assert self._peers is not None
        for _ in range(_TAKE_ATTEMPTS):
            name = self._taking.get(screening_id)
            if name is None:
                return
            still_silent = self._peers.watch_silence(name)
            handover = None
            while not still_silent():
                self._require_share(screening_id)
                if self._peers.lives(name):
                    # It may have confirmed its ownership before the epoch was raised.
                    handover = await self._handed_over(screening_id, name)
                    if handover is None and not depose:
                        raise OwnershipLost(screening_id, name)
                    break
                await self._sleep(_LOOK_SECONDS)
            # What it has decided since the epoch was raised is lost, so the handover is not kept.
            self._taking[screening_id] = handover and handover.deposed
        raise OwnershipLost(screening_id)

    async def _sleep(self, seconds: float) -> None:
        slept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(seconds, partial(slept.set_result, None))
        try:
            await slept
        finally:
            timer.cancel()

    def _require_share(self, screening_id: int) -> None:
        """Raise OwnershipLost if this server may not take a screening, or not any more."""
        self.require_lease(screening_id)
        if not self.belongs_here(screening_id) or screening_id in self.releases:
            raise OwnershipLost(screening_id)

    async def _handed_over(self, screening_id: int, name: str) -> Handover | None:
        """Ask a server to give a screening up. None if it does not do so in time.

        Raises:
            OwnershipLost: this server is asked to give it up itself.
        """
        assert self._peers is not None
        self._require_share(screening_id)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS) as limit:
                self._asking[screening_id] = limit
                return await self._peers.release(name, screening_id)
        except TimeoutError:
            self._require_share(screening_id)
            return None
        finally:
            del self._asking[screening_id]

    def stop_asking(self, screening_id: int) -> None:
        """Do not wait for another server to give a screening up: it may be waiting for this one."""
        if (limit := self._asking.get(screening_id)) is not None:
            limit.reschedule(0.0)

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
            return handover._replace(deposed=self._taking.get(screening_id))
        actor.close(OwnershipLost(screening_id))
        try:
            await self._journal.flushed(screening_id)
        except BaseException:
            self.drop(actor)
            self.remember(screening_id, actor)
            raise
        if self.actors.get(screening_id) is not actor:
            self.remember(screening_id, actor)
            return Handover(screening_id, 0, 0, None)  # it was lost meanwhile
        handover = actor.screening.handover()
        self._handovers.keep(handover)
        del self.actors[screening_id]
        return handover._replace(memory=handover.memory and handover.memory.limited())

    def remember(self, screening_id: int, actor: ScreeningActor | None) -> None:
        """Keep what is known about holders until a screening is loaded again. Clients then need all seats.

        Args:
            screening_id: the screening.
            actor: the closed actor that it had; None if it was not in memory.
        """
        handover = self._handovers.get(screening_id) if actor is None else actor.screening.handover()
        if handover is not None:
            self._handovers.keep(handover._replace(positions=()))

    def unload(self, actor: ScreeningActor) -> bool:
        """Remove an idle actor that has nothing to write. False if it was removed before."""
        if self.actors.get(actor.screening_id) is not actor:
            return False
        del self.actors[actor.screening_id]
        actor.close(OwnershipLost(actor.screening_id))
        self._observer.screening_passivated()
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

    def set_lease(self, seconds: float) -> None:
        """Change how long the lease lasts from now. Has no effect on one that has expired: see `confirm`.

        Args:
            seconds: 0 or less ends it now.
        """
        now = self._clock.now()
        if self.lease.until > now:
            self.lease.until = now + seconds

    async def confirm(self, *, lease_seconds: float) -> Sequence[int]:
        """Find out which screenings are still owned, and renew the lease on these, also one that has expired.

        Args:
            lease_seconds: how long the lease lasts at least, counted from this call.

        Returns:
            The screenings that other servers have taken.

        Raises:
            StoreUnavailable: the database cannot be reached; the lease was not renewed.
        """
        lease, moved_seconds = self.lease, self._moved_seconds
        until = self._clock.now() + lease_seconds
        expired = lease.until <= self._clock.now()
        epochs = {screening_id: actor.epoch for screening_id, actor in self.actors.items()}
        lost = await self._store.lost(epochs) if epochs else ()
        for screening_id in lost:
            self.step_down(screening_id, epochs[screening_id])
        if expired := expired or lease.until <= self._clock.now():
            lease.lapses += 1
        lease.until = max(lease.until, until + self._moved_seconds - moved_seconds)
        if expired and self._clock.now() < lease.until:
            postponed_seconds, self._postponed_seconds = self._postponed_seconds, 0.0
            for actor in tuple(self.actors.values()):
                actor.move_deadlines(postponed_seconds)
        return lost

    def move_deadlines(self, seconds: float) -> None:
        """The clock was stepped, or the machine was suspended."""
        self._moved_seconds += seconds
        self.copies.move(seconds)
        self.lease.until += seconds
        if self.lease.until <= self._clock.now():
            self._postponed_seconds += seconds  # until it is known what is still owned
            return
        for actor in tuple(self.actors.values()):
            actor.move_deadlines(seconds)
