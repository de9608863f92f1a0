"""Sends commands to the nodes that own their screenings (`cluster.answering`).

A command is answered through a future, without a task. Every command has a number, and its owner remembers
for a while what it has answered. So after a lost answer the same owner can be asked again, and the command
takes effect once. Another owner is asked only if a second execution does no harm.

The seat map of a screening that has not changed does not travel again (`ReadNewSeats`).
"""

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, Protocol

from cluster.beats import NodeState
from cluster.errors import NOT_DONE, NoAnswer
from cluster.links import Links
from cluster.long_replies import PART_OF_REPLY, LongReplies
from cluster.membership import Membership, View
from cluster.messages import LayoutMissing, ReadNewSeats, SeatsUnchanged
from cluster.wire import decode_reply, encode_command
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.commands import READS, Command, HoldSeats, ReadSeats
from engine.errors import EngineError, OwnershipLost, Unavailable
from engine.records import Layout
from engine.replies import Reply
from engine.views import SeatMap

ASK, PART = "ask", "part"
"""Kinds of messages: a command; a part of a reply, ahead of it."""

SEAT_MAPS_KEPT = 128
"""Seat maps of other nodes' screenings that are kept, so that an unchanged one need not travel again."""

_AGAIN_SECONDS = 0.05
"""Pause before a command is sent again whose answer was lost."""

_HARMLESS_TWICE = READS | {HoldSeats}
"""Commands that may be carried out twice without harm: a second hold of the same seats finds the first."""

_MAPS = frozenset({SeatMap, SeatsUnchanged})

Again = Callable[[Command, float], Awaitable[Reply]]
"""Asks in another way within some seconds."""


class Layouts(Protocol):
    """The layouts of rooms; `persistence.store.PostgresStore` documents it."""

    def known_layout(self, room_id: int, version: int) -> Layout | None:
        """Return a layout that is in memory."""

    async def layout(self, room_id: int, version: int) -> Layout:
        """Load a layout, or a newer one of the same room."""


class ForwardObserver(Protocol):
    """Counts what was sent to other nodes."""

    def forwarded(self, kind: str, seconds: float, outcome: str) -> None:
        """A command of a kind (its class) was answered after `seconds`: "ok", or the code of an error."""


class Forwarding:
    """The commands that this node sends to others.

    Args:
        links: to the other nodes.
        membership: who owns what.
        layouts: of rooms, for seat maps.
        observer: counts.
    """

    def __init__(
        self,
        links: Links,
        membership: Membership,
        layouts: Layouts,
        observer: ForwardObserver,
    ) -> None:
        self._links = links
        self._membership = membership
        self._layouts = layouts
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._parts = LongReplies()
        self._seat_maps: dict[int, SeatMap] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        links.on(PART, self._parts.keep)
        membership.on_change(self._members_changed)

    def forward(
        self,
        command: Command,
        owner: str,
        seconds: float,
        again: Again | None = None,
        cause: Cause | None = None,
    ) -> "Future[Any]":
        """Send a command to another node.

        Args:
            command: any of `engine.commands`.
            owner: the node.
            seconds: time limit.
            again: asks in another way, if the node certainly has not carried the command out.
            cause: the request that has sent the command; the owner records it.

        Returns:
            A future of the reply, or of the EngineError that the owner has raised, or of an error of
            `cluster.errors`.
        """
        loop = self._loop
        number, answer = next(self._numbers), loop.create_future()
        forwarded = _Forwarded(self, command, number, owner, loop.time(), seconds, again, answer, cause)
        self._send(forwarded, seconds)
        return answer

    def _send(self, forwarded: "_Forwarded", seconds: float) -> None:
        command: Command | ReadNewSeats = forwarded.command
        if type(command) is ReadSeats and (known := self._seat_maps.get(command.screening_id)) is not None:
            command = ReadNewSeats(known.screening_id, known.epoch, known.seq)
        value: tuple[object, ...] = (forwarded.number, encode_command(command))
        if (cause := forwarded.cause) is not None:
            value += cause
        self._links.call_for(forwarded, forwarded.owner, ASK, value, seconds)

    def _send_once_more(self, forwarded: "_Forwarded") -> None:
        self._send(forwarded, forwarded.deadline - self._loop.time())

    def replied(self, forwarded: "_Forwarded", data: object) -> None:
        """A command was answered with a reply."""
        try:
            if type(data) is bytes and data.startswith(PART_OF_REPLY):
                data = self._parts.join(forwarded.owner, data)
            reply: Any = decode_reply(data, self._layouts.known_layout)
            if type(reply) in _MAPS:
                reply = self._known_or_kept(reply)
        except LayoutMissing as missing:
            self._spawn(self._load_layout(forwarded, missing))
        except Exception as error:
            self.failed(forwarded, error)
        else:
            seconds = self._loop.time() - forwarded.began
            self._observer.forwarded(type(forwarded.command).__name__, seconds, "ok")
            answer = forwarded.answer
            if not answer.done():
                answer.set_result(reply)

    def failed(self, forwarded: "_Forwarded", error: Exception) -> None:
        """A command was refused, or may not have been carried out."""
        if isinstance(error, NoAnswer) and self._has_time(forwarded):
            self._loop.call_later(_AGAIN_SECONDS, self._send_again, forwarded, error)
        elif isinstance(error, NOT_DONE) and forwarded.again is not None and self._has_time(forwarded):
            self._spawn(self._ask_again(forwarded, forwarded.again))
        else:
            self._fail(forwarded, error)

    def _send_again(self, forwarded: "_Forwarded", lost: NoAnswer) -> None:
        """Send a command again after its answer was lost."""
        owner = self._membership.owner_of(forwarded.command.screening_id)
        if owner != forwarded.owner:
            if type(forwarded.command) not in _HARMLESS_TWICE:
                self._fail(forwarded, lost)
            elif forwarded.again is not None:
                self._spawn(self._ask_again(forwarded, forwarded.again, lost))
            else:
                self._fail(forwarded, lost)
        elif self._links.connected:
            self._send_once_more(forwarded)
        elif self._has_time(forwarded):
            self._loop.call_later(_AGAIN_SECONDS, self._send_again, forwarded, lost)
        else:
            self._fail(forwarded, lost)

    def _has_time(self, forwarded: "_Forwarded") -> bool:
        return self._loop.time() + _AGAIN_SECONDS < forwarded.deadline

    async def _ask_again(self, forwarded: "_Forwarded", again: Again, lost: NoAnswer | None = None) -> None:
        """Ask in another way; `lost` if the command may have been carried out before."""
        present_cause.set(forwarded.cause)
        try:
            reply = await again(forwarded.command, forwarded.deadline - self._loop.time())
        except Exception as error:
            # An owner that could not be asked tells nothing about what the first owner has done.
            self._fail(forwarded, lost if lost is not None and isinstance(error, Unavailable) else error)
        else:
            if not forwarded.answer.done():
                forwarded.answer.set_result(reply)

    async def _load_layout(self, forwarded: "_Forwarded", missing: LayoutMissing) -> None:
        """Load the layout of a seat map, and ask for the map once more."""
        try:
            forwarded.layout = await self._layouts.layout(missing.room_id, missing.version)
        except Exception as error:
            self._fail(forwarded, error)
        else:
            self._send_once_more(forwarded)

    def _fail(self, forwarded: "_Forwarded", error: BaseException) -> None:
        outcome = error.code if isinstance(error, EngineError) else "failed"
        seconds = self._loop.time() - forwarded.began
        self._observer.forwarded(type(forwarded.command).__name__, seconds, outcome)
        if not forwarded.answer.done():
            forwarded.answer.set_exception(error.with_traceback(None))

    def _known_or_kept(self, reply: SeatMap | SeatsUnchanged) -> SeatMap:
        """Keep a seat map that has come, or return the one that has not changed.

        Raises:
            OwnershipLost: another map has come meanwhile, so it has to be asked for again.
        """
        seat_maps = self._seat_maps
        known = seat_maps.get(reply.screening_id)
        if isinstance(reply, SeatsUnchanged):
            if known is None or (known.epoch, known.seq) != (reply.epoch, reply.seq):
                raise OwnershipLost(reply.screening_id)
            return known
        if known is not None:
            del seat_maps[reply.screening_id]
        elif len(seat_maps) >= SEAT_MAPS_KEPT:
            del seat_maps[next(iter(seat_maps))]
        seat_maps[reply.screening_id] = reply
        return reply

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _members_changed(self, before: View, after: View) -> None:
        for node, state in after.states.items():
            if state is NodeState.GONE and before.states.get(node) is not NodeState.GONE:
                self._parts.forget(node)


class _Forwarded:
    """A command on its way; the links give it the answer in place of a future (`cluster.links.Answered`).

    Attributes:
        forwarding: learns how it ends.
        number: of the command, among those of this node.
        owner: the node that it was sent to.
        began, deadline: on the event loop's clock.
        again, cause: as in `Forwarding.forward`.
        answer: the future of its reply.
        layout: keeps a layout in memory until the reply has been decoded.
    """

    __slots__ = (
        "again",
        "answer",
        "began",
        "cause",
        "command",
        "deadline",
        "forwarding",
        "layout",
        "number",
        "owner",
    )

    layout: Layout

    def __init__(
        self,
        forwarding: Forwarding,
        command: Command,
        number: int,
        owner: str,
        began: float,
        seconds: float,
        again: Again | None,
        answer: "Future[Any]",
        cause: Cause | None,
    ) -> None:
        self.forwarding = forwarding
        self.command = command
        self.number = number
        self.owner = owner
        self.again = again
        self.began = began
        self.deadline = began + seconds
        self.answer = answer
        self.cause = cause

    def done(self) -> bool:
        return False

    def set_result(self, reply: object, /) -> None:
        self.forwarding.replied(self, reply)

    def set_exception(self, error: Exception, /) -> None:
        self.forwarding.failed(self, error)
