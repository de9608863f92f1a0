"""Takes screenings over from the other servers of a cluster.

A server takes only screenings that belong to it. It looks who owns the screening, asks that server to hand it
over, and raises the epoch only if nobody else has done so meanwhile; else it looks again. From a server that
is gone it takes a screening without asking, but answers only when that server certainly does not answer any
more. From one that lives but does not hand over, only a command that changes something may take it.

An attempt can fail or be cancelled at any time, also when the epoch has been raised. So what still has to be
done before this server may answer is remembered until an attempt succeeds.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from engine.errors import OwnershipLost
from engine.handover import Handover, Handovers
from engine.ports import Clock, LoadedScreening, Observer, Owner, Peers, Store

log = logging.getLogger("frontrow.engine")

# Time that the owner of a screening has to hand it over before it is taken without its help. Longer than
# `directory.RELEASE_SECONDS`, so that the owner's refusal arrives first.
_ANSWER_SECONDS = 2.5

# Number of attempts to take a screening while other servers are faster.
_ATTEMPTS = 5

# Pause before looking again whether the former owner certainly does not answer any more.
_LOOK_SECONDS = 0.1


class Takeovers:
    """The takeovers of a server.

    Args:
        store: raises epochs and loads screenings.
        peers: the other servers.
        observer: counts; never raises.
        clock: the time.
        handovers: of the screenings that have been given up, here or by others, and are not loaded again.
        require_share: raises OwnershipLost if this server may not take a screening, or not any more.

    Attributes:
        unfinished: the screenings of others whose epoch this server may have raised, but for which it does
            not answer yet. The value is a server that may not know that it was deposed, if there is one.
    """

    def __init__(
        self,
        store: Store,
        peers: Peers,
        observer: Observer,
        clock: Clock,
        handovers: Handovers,
        require_share: Callable[[int], None],
    ) -> None:
        self._store = store
        self._peers = peers
        self._observer = observer
        self._clock = clock
        self._handovers = handovers
        self._require_share = require_share
        self._asking: dict[int, asyncio.Timeout] = {}
        self.unfinished: dict[int, str | None] = {}

    async def load(self, screening_id: int, depose: bool) -> LoadedScreening:
        """Take a screening and load it. It stays in `unfinished` until the caller removes it.

        Args:
            screening_id: the screening.
            depose: take it even from a living server that does not hand it over.

        Raises:
            OwnershipLost: it belongs to another server, or its owner does not hand it over.
            Unavailable: the servers cannot reach each other, or the database cannot be reached.
        """
        for _ in range(_ATTEMPTS):
            self._require_share(screening_id)
            owner = await self._store.owner(screening_id)
            epoch, reason = await self._given_up(screening_id, owner, depose) if owner else (0, None)
            try:
                loaded = await self._store.activate(screening_id, known_epoch=epoch)
            except OwnershipLost:
                continue  # another server was faster
            if reason is not None:
                self._observer.screening_taken_over(reason)
            if await self._outlast_former_owner(screening_id, depose) and await self._store.lost(
                {screening_id: loaded.epoch}
            ):
                continue  # the former owner has changed the screening meanwhile, which raises the epoch
            return loaded
        raise OwnershipLost(screening_id)

    async def is_needed(self, screening_id: int) -> bool:
        """True if a screening that is not in memory has to be taken before this server decides about it.

        Raises:
            OwnershipLost: it belongs to another server.
        """
        self._require_share(screening_id)
        owner = await self._store.owner(screening_id)
        return owner is not None and (not owner.own or screening_id in self.unfinished)

    def stop_asking(self, screening_id: int) -> None:
        """Do not wait for another server to give a screening up: it may be waiting for this one."""
        if (limit := self._asking.get(screening_id)) is not None:
            limit.reschedule(0.0)

    async def _given_up(self, screening_id: int, owner: Owner, depose: bool) -> tuple[int, str | None]:
        """Get a screening from its owner.

        Returns:
            The epoch that may be raised, and why; None if no other server has the screening.
        """
        if owner.own:
            return owner.epoch, None
        self.unfinished.pop(screening_id, None)
        handover = self._handovers.get(screening_id)
        if handover is None or handover.epoch != owner.epoch:
            if not self._peers.lives(owner.name):
                self.unfinished[screening_id] = owner.name
                return owner.epoch, "gone"
            handover = await self._handed_over(screening_id, owner.name)
        if handover is not None:
            self._handovers.keep(handover)
            self.unfinished[screening_id] = handover.deposed
            # The owner may have loaded it after we looked, or may have raised the epoch without loading it.
            return max(handover.epoch, owner.epoch), "handed_over"
        if not depose and self._peers.lives(owner.name):
            raise OwnershipLost(screening_id, owner.name)
        log.warning("screening %d is taken from %s, which has not handed it over", screening_id, owner.name)
        self.unfinished[screening_id] = None
        return owner.epoch, "deposed"

    async def _outlast_former_owner(self, screening_id: int, depose: bool) -> bool:
        """Return when a server that has not handed the screening over certainly does not answer any more.

        Returns:
            False if there is no such server, so nothing was waited for.

        Raises:
            OwnershipLost: it has come back, and does not hand over; or this server may not own the screening
                any more.
            Unavailable: the servers cannot reach each other.
        """
        # Two servers that took the screening from each other during a partition name each other.
        asked: set[str] = set()
        while (name := self.unfinished.get(screening_id)) is not None and name not in asked:
            asked.add(name)
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
            # Its decisions since the epoch was raised are lost, so the handover is not kept.
            self.unfinished[screening_id] = handover and handover.deposed
        return bool(asked)

    async def _handed_over(self, screening_id: int, name: str) -> Handover | None:
        """Ask a server to give a screening up. None if it does not do so in time.

        Raises:
            OwnershipLost: this server is asked to give it up itself.
        """
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

    async def _sleep(self, seconds: float) -> None:
        slept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(seconds, partial(slept.set_result, None))
        try:
            await slept
        finally:
            timer.cancel()
