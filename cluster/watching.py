"""Lets the sockets of this node see the changes of screenings that other nodes own.

A screening's first socket makes this node watch it at its owner (`cluster.publishing`). The message leaves
before the socket asks for the seats, so no change is missed in between. Changes go to the feed, which sends
them to the sockets:

    following ── a change whose position before it is not the last one ──────────► asking
       ▲         the owner has another position, or does not know the screening       │
       └───────────── what was missed, then the changes kept meanwhile ───────────────┘

While the owner is asked (`cluster.missed`), newer changes are kept. If the missed ones are not kept by the
owner any more, sockets are sent all seats. So every socket sees every change once and in order, and positions
never go back.

Every few seconds, and at once when the members change or NATS is back, this node repeats to each owner what
it watches there and which positions it has. That finds everything that got lost silently, and tells whether
sockets want hashes. When a screening moves, the former owner goes on sending until this expires, so that no
change is missed before the new owner has taken the screening.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Protocol, cast

from cluster.links import Links
from cluster.membership import View
from cluster.messages import ChangeLeftOut, NotUnderstood
from cluster.missed import Ask, Missed, MissedChanges, Watched
from cluster.publishing import (
    CHANGE,
    NOWHERE,
    UNWATCH,
    WATCH,
    ChangePublisher,
    Members,
    Position,
    WatchObserver,
)
from cluster.turns import TurnsLater
from cluster.wire import decode_change
from engine.errors import EngineError
from engine.guards import DefectLog, guarded
from engine.ports import Clock, Publisher
from engine.views import SeatsChanged

RENEW_SECONDS = 5.0
"""Time after which a node repeats to the owners which screenings it watches."""

RETRY_SECONDS = 0.5
"""Time after which it repeats that to an owner that did not answer."""

ANSWER_SECONDS = 2.0
"""Time limit for the answer of an owner."""

SLICE = 1000
"""Screenings that are repeated in one turn of the event loop. It takes milliseconds, also at the owners."""

SLICE_SECONDS = 0.02
"""Pause after a slice, for other work."""

KEPT_LIMIT = 1024
"""Changes of one screening that are kept while earlier ones are missing; later ones are missed, too."""


class Feed(Publisher, Protocol):
    """Sends changes to the sockets of this node; `api.ws.feed.SeatFeed` documents it."""

    def observe_audiences(self, observer: Any) -> None:
        """Call `watched` when a screening's first socket joins, and `unwatched` when its last one leaves."""

    def oldest_since(self, screening_id: int) -> tuple[int, int] | None:
        """Return the oldest position from which a socket is shown changes; None if none is."""


class Watching:
    """The screenings that sockets of this node watch.

    Args:
        links: to the other nodes.
        members: who owns what.
        publisher: publishes the changes of the screenings of this node.
        feed: sends changes to the sockets.
        ask: asks the owner of a screening.
        clock: the time of day.
        observer: counts.
        renew_seconds: how often to repeat what is watched.
    """

    def __init__(
        self,
        links: Links,
        members: Members,
        publisher: ChangePublisher,
        feed: Feed,
        ask: Ask,
        clock: Clock,
        observer: WatchObserver,
        *,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._links = links
        self._members = members
        self._publisher = publisher
        self._feed = feed
        self._observer = guarded(observer)
        self._renew_seconds = renew_seconds
        self._loop = asyncio.get_running_loop()
        self._watched: dict[int, Watched] = {}
        self._missed = MissedChanges(ask, self._known, self._fill, clock)
        self._due: TurnsLater[SeatsChanged] = TurnsLater(self._pass_on)
        self._timer: asyncio.TimerHandle | None = None
        self._slicing = self._stopped = False
        self._pause_seconds = renew_seconds
        self._defects = DefectLog("watching screenings of another node")
        publisher.here = self._changed_here
        publisher.hashes_here = feed.wants_hashes
        links.on(CHANGE, self._changed)
        members.on_change(self._members_changed)
        feed.observe_audiences(self)

    def start(self) -> None:
        """Begin to repeat what is watched."""
        self._set_timer(self._renew_seconds, self.renew)

    def stop(self) -> None:
        """Stop asking other nodes, also if members change or calls fail from now on."""
        self._stopped = True
        self._missed.stop()
        if self._timer is not None:
            self._timer.cancel()

    # Sockets join and leave

    def watched(self, screening_id: int) -> None:
        """The first socket watches a screening. It asks for the seats afterwards."""
        position = self._publisher.watch_here(screening_id)
        owner = self._members.owner_of(screening_id)
        watched = self._watched[screening_id] = Watched(screening_id, owner, position)
        if owner == self._links.node:
            return
        if position is None:
            watched.kept = []
        if owner is not None:
            answer = self._links.call(owner, WATCH, [self._row(watched)], ANSWER_SECONDS)
            answer.add_done_callback(partial(self._answered, owner, watched))

    def unwatched(self, screening_id: int) -> None:
        """The last socket has left a screening."""
        watched = self._watched.pop(screening_id)
        watched.left = True
        self._publisher.unwatch_here(screening_id)
        if watched.owner is not None and watched.owner != self._links.node:
            self._links.send(watched.owner, UNWATCH, screening_id)

    # Changes

    def _changed_here(self, before: Position, change: SeatsChanged) -> None:
        """This node has changed a screening. Nothing is lost on the way."""
        watched = self._watched[change.screening_id]
        if watched.position is None and watched.kept is None:
            watched.position = self._unchanged_since(watched, before)
        self._arrived(watched, before, change)

    def _changed(self, _: str, value: Sequence[Any]) -> None:
        """Another node has changed a screening."""
        screening_id, epoch, seq, data, *_newer = value
        self._observer.change_received()
        watched = self._watched.get(screening_id)
        if watched is None:
            return
        change: SeatsChanged | None = None
        with suppress(NotUnderstood):
            decoded = decode_change(data)
            if watched.position is not None and (decoded.epoch, decoded.seq) <= watched.position:
                return
            if type(decoded) is not ChangeLeftOut:
                change = cast(SeatsChanged, decoded)
        self._arrived(watched, Position(epoch, seq), change, at_once=False)

    def _arrived(
        self, watched: Watched, before: Position, change: SeatsChanged | None, *, at_once: bool = True
    ) -> None:
        kept = watched.kept
        if kept is not None:
            if len(kept) < KEPT_LIMIT:
                kept.append((before, change))
        elif before == watched.position and change is not None:
            watched.position = Position(change.epoch, change.seq)
            if at_once and not self._due:
                self._feed.publish(change)
            else:
                self._due.add(change)
        else:
            self._gap(watched)
            watched.kept = [(before, change)]

    def _pass_on(self, changes: list[SeatsChanged]) -> None:
        for change in changes:
            try:
                self._feed.publish(change)
            except Exception as defect:
                self._defects.report(defect)

    # Gaps

    def _gap(self, watched: Watched) -> None:
        """Changes were missed."""
        if not watched.gap:
            watched.gap = True
            self._observer.gap_found()
        self._seek(watched)

    def _seek(self, watched: Watched) -> None:
        """Ask the owner for its position and what was missed before it, if anything."""
        if watched.kept is None:
            watched.kept = []
        self._missed.want(watched)

    def _unchanged_since(self, watched: Watched, position: Position | None) -> Position | None:
        """Return the position of sockets for which this node has not changed anything since the first one.

        That is the position of the screening here, unless another node has owned it meanwhile.
        """
        shown = self._shown(watched)
        if position is None or shown is None or shown.epoch == position.epoch:
            return position
        return shown

    def _known(self, watched: Watched) -> Position | None:
        """Pass on the first ones of the kept changes, as long as nothing is missing before them.

        Returns:
            The last position; the oldest one that sockets were shown, if nothing was passed on to them yet.
        """
        kept, watched.kept = watched.kept or [], None
        number = 0
        for before, change in kept:
            if before != watched.position or change is None:
                break
            self._arrived(watched, before, change, at_once=False)
            number += 1
        watched.kept = kept[number:]
        return watched.position or self._shown(watched)

    def _shown(self, watched: Watched) -> Position | None:
        """The oldest position that sockets were shown when they joined."""
        shown = self._feed.oldest_since(watched.screening_id)
        return None if shown is None else Position(*shown)

    def _fill(self, watched: Watched, missed: Missed) -> bool:
        """Pass on what was missed, then what was kept. Returns False if something is still missing."""
        known = watched.position
        if known is not None and missed.position < known:
            return False  # an outdated owner has answered
        if known is None and missed.since is None and not missed.reloaded:
            shown = self._shown(watched)
            if shown is not None and shown.epoch != missed.position.epoch:
                return False  # meanwhile a socket was shown an earlier epoch
        if missed.reloaded and missed.position != known:
            self._observer.screening_reloaded()
        for newer in missed.changes:
            if known is None or (newer.epoch, newer.seq) > known:
                self._due.add(newer)
        watched.position = missed.position
        kept, watched.kept = watched.kept or [], None
        for number, (before, change) in enumerate(kept):
            if before < watched.position and (
                change is None or (change.epoch, change.seq) <= watched.position
            ):
                continue
            if before != watched.position or change is None:
                watched.kept = kept[number:]
                return False
            self._arrived(watched, before, change, at_once=False)
        if watched.gap:
            self._observer.gap_filled()
        return True

    # Repeating what is watched

    def renew(self) -> None:
        """Tell all owners what is watched here, and at which positions."""
        if self._stopped:
            return
        self._publisher.forget_silent()
        self._pause_seconds = self._renew_seconds
        self._renew_slice(iter(list(self._watched.values())))

    def _renew_slice(self, several: Iterator[Watched]) -> None:
        rows: dict[str, list[tuple[int, ...]]] = {}
        count = 0
        for watched in islice(several, SLICE):
            count += 1
            if watched.left:
                continue
            screening_id = watched.screening_id
            owner = watched.owner = self._members.owner_of(screening_id)
            if owner == self._links.node:
                self._compare(watched, self._publisher.watch_here(screening_id))
            elif owner is not None:
                rows.setdefault(owner, []).append(self._row(watched))
        for owner, at_owner in rows.items():
            answer = self._links.call(owner, WATCH, at_owner, ANSWER_SECONDS)
            answer.add_done_callback(partial(self._answered, owner, None))
        self._slicing = count == SLICE
        if self._slicing:
            self._set_timer(SLICE_SECONDS, partial(self._renew_slice, several))
        else:
            self._set_timer(self._pause_seconds, self.renew)

    def _row(self, watched: Watched) -> tuple[int, ...]:
        """Return what an owner is told of a screening: its position here, and whether hashes are wanted."""
        screening_id = watched.screening_id
        hashes = int(self._feed.wants_hashes(screening_id))
        return (screening_id, *(watched.position or NOWHERE), hashes)

    def _retry_soon(self) -> None:
        self._pause_seconds = min(RETRY_SECONDS, self._renew_seconds)
        if not self._slicing:
            self._set_timer(self._pause_seconds, self.renew)

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    def _members_changed(self, before: View, after: View) -> None:
        if before.ring is after.ring:
            return
        for screening_id, watched in self._watched.items():
            if watched.position is None and watched.kept is None:
                # Nothing has changed here since its first socket joined, or the position would be known.
                position = self._publisher.watch_here(screening_id)
                watched.position = self._unchanged_since(watched, position)
        self.renew()
        self._missed.hurry()

    def reconnected(self) -> None:
        """The connection to NATS is back; anything may have been missed."""
        self.renew()
        self._missed.hurry()

    def _answered(self, owner: str, first: Watched | None, answer: "Future[Any]") -> None:
        """An owner has told which positions differ, or has not answered.

        Args:
            owner: the node.
            first: the screening, if this was the first `watch` for it.
            answer: of the owner.
        """
        error = answer.exception()
        if error is not None:
            if not isinstance(error, EngineError):
                self._defects.report(error)
            self._retry_soon()
            return
        for screening_id, epoch, seq, *_newer in answer.result():
            watched = self._watched.get(screening_id)
            if watched is None or watched.owner != owner:
                continue
            position = None if (epoch, seq) == NOWHERE else Position(epoch, seq)
            shown = self._shown(watched)
            is_new = watched is first and watched.position is None and not watched.asked
            if is_new and position is not None and (shown is None or shown.epoch == position.epoch):
                # The socket's question has left after this one, so it has seen everything until then.
                watched.position, kept, watched.kept = position, watched.kept, None
                for before, change in kept or ():
                    self._arrived(watched, before, change, at_once=False)
            else:
                self._compare(watched, position)

    def _compare(self, watched: Watched, position: Position | None) -> None:
        """Find out whether changes were missed.

        Args:
            watched: the screening.
            position: at its owner; None if the owner does not know it.
        """
        if watched.asked:
            return
        if watched.position is None and watched.kept is None and watched.owner == self._links.node:
            watched.position = self._unchanged_since(watched, position)
            if watched.position != position:
                self._gap(watched)
        elif watched.kept is not None or None in (position, watched.position):
            self._seek(watched)
        elif position != watched.position:
            self._gap(watched)
