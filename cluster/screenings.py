"""The screenings of a whole cluster: commands go to the node that owns the screening.

A node that has the screening in memory answers itself, at the cost of a single server. Otherwise the command
travels to the owner (`cluster.forwarding`). If it certainly was not carried out there, because the owner has
changed or cannot be reached, the owner is looked up again.

Only the owner keeps timers and releases what has lapsed. A change of a screening's properties is written by
the node that got the request, while the owner has suspended the screening (`ScreeningDirectory.suspend`).
"""

import asyncio
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection, Coroutine
from secrets import token_hex
from typing import Any, TypeVar

from cluster.beats import NodeState
from cluster.errors import NOT_DONE, NoAnswer, NoOwner
from cluster.forwarding import Forwarding
from cluster.links import Links
from cluster.membership import Membership
from engine.causes import Cause
from engine.causes import cause as present_cause
from engine.commands import Command
from engine.directory import ScreeningDirectory
from engine.errors import NotFound, Overloaded, OwnershipLost
from engine.replies import Reply

log = logging.getLogger("frontrow.cluster")

SUSPEND, RESUME, SWEEP = "suspend", "resume", "sweep"
"""Kinds of calls: the two ends of a change, and the release of what has lapsed."""

CALL_SECONDS = 5.0
"""Time limit for a node to suspend or resume a screening, or to release what has lapsed."""

RESUME_ATTEMPTS = 10
"""Number of attempts to tell the owner of a screening that it has changed; they take about 20 s."""

_PAUSES_SECONDS = (0.01, 0.2)
"""Before looking up an owner again: the first pause, and the longest. Each is twice the previous one."""

_SHARE_FOR_LOOKING_AGAIN = 0.8
"""Share of the time limit of a command after which its owner is not looked up again."""

ASKING_AGAIN_LIMIT = 4096
"""Commands whose owner is being looked up again at the same time. More are refused at once."""

Result = TypeVar("Result")


class RoutedScreenings:
    """The screenings of all nodes, with the interface of `engine.directory.ScreeningDirectory`.

    Args:
        directory: the screenings of this node.
        forwarding: sends commands to other nodes.
        links: to the other nodes.
        membership: who owns what.
        ask_timeout_seconds: time limit for a command.
    """

    def __init__(
        self,
        directory: ScreeningDirectory,
        forwarding: Forwarding,
        links: Links,
        membership: Membership,
        ask_timeout_seconds: float,
    ) -> None:
        self._directory = directory
        self._actors = directory.owned.actors
        self._forwarding = forwarding
        self._links = links
        self._node = links.node
        self._membership = membership
        self._timeout_seconds = ask_timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asking_again = 0
        links.on(SUSPEND, lambda _, value: directory.suspend(*value[:2]))
        links.on(RESUME, lambda _, value: directory.resume(*value[:2], changed=value[2]))
        links.on(SWEEP, lambda _, __: directory.sweep())

    # Commands

    def ask_active(self, command: Command, cause: Cause | None = None) -> "Reply | Future[Reply] | None":
        """Send a command to the owner of its screening, without awaiting anything.

        Args:
            command: any of `engine.commands`.
            cause: the request that sends it, if that is to be recorded with what it changes.

        Returns:
            As `ScreeningDirectory.ask_active`; a future if another node owns the screening.

        Raises:
            EngineError: the command was rejected, and nothing has changed.
        """
        screening_id = command.screening_id
        actor = self._actors.get(screening_id)
        if actor is not None:
            try:
                return actor.ask_first(command, cause)
            except OwnershipLost:
                return self._spawn(self._asked_again(command, cause))
        owner = self._membership.view.ring.owner_of(screening_id)
        if owner == self._node:
            return None
        if owner is None:
            return self._spawn(self._asked_again(command, cause))
        return self._forwarding.forward(command, owner, self._timeout_seconds, self._ask_again, cause)

    async def ask(self, command: Command) -> Reply:
        """Send a command to the owner of its screening and wait for the reply.

        Args:
            command: any of `engine.commands`.

        Raises:
            EngineError: as `ScreeningDirectory.ask`; or `OutcomeUnknown`, if the owner did not answer.
        """
        if not self._is_here(command.screening_id):
            reply: Any = self.ask_active(command, present_cause.get())
            return await reply if isinstance(reply, Future) else reply  # type: ignore[no-any-return]
        try:
            return await self._directory.ask(command)
        except OwnershipLost:
            return await self._ask_again(command, self._timeout_seconds)

    async def _asked_again(self, command: Command, cause: Cause | None) -> Reply:
        """Do `_ask_again` in a task of its own, on behalf of a request."""
        present_cause.set(cause)
        return await self._ask_again(command, self._timeout_seconds)

    async def _ask_again(self, command: Command, seconds: float) -> Reply:
        """Look up the owner until a command has been carried out or refused, or its time is over.

        Args:
            command: it certainly has not been carried out yet.
            seconds: what is left of its time.

        Raises:
            Overloaded: too many commands do so already.
        """

        async def once(seconds: float) -> Reply:
            if self._is_here(command.screening_id):
                return await self._directory.ask(command)
            owner = self._owner_of(command.screening_id)
            reply: Reply = await self._forwarding.forward(command, owner, seconds, cause=present_cause.get())
            return reply

        if self._asking_again >= ASKING_AGAIN_LIMIT:
            raise Overloaded(command.screening_id)
        self._asking_again += 1
        try:
            return await self._repeated(once, seconds)
        finally:
            self._asking_again -= 1

    async def _repeated(self, attempt: Callable[[float], Awaitable[Result]], seconds: float) -> Result:
        """Repeat something while it certainly has not been done. Attempts get what is left of `seconds`."""
        pause, longest = _PAUSES_SECONDS
        deadline = self._loop.time() + seconds
        last_at = deadline - (1 - _SHARE_FOR_LOOKING_AGAIN) * seconds
        while True:
            await asyncio.sleep(pause)
            try:
                return await attempt(deadline - self._loop.time())
            except NOT_DONE:
                pause = min(2 * pause, longest)
                if self._loop.time() + pause > last_at or self._is_last:
                    raise

    @property
    def _is_last(self) -> bool:
        """True if this node is draining and no other node serves."""
        return self._membership.state is NodeState.DRAINING and not self._membership.view.ring.nodes

    def _is_here(self, screening_id: int) -> bool:
        return screening_id in self._actors or self._membership.owner_of(screening_id) == self._node

    def _owner_of(self, screening_id: int) -> str:
        owner = self._membership.owner_of(screening_id)
        if owner is None:
            raise NoOwner
        return owner

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Changes of screenings as a whole

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Result]]) -> Result:
        """Change the properties of one screening; see `change_all`."""
        return await self.change_all((screening_id,), write)

    async def change_all(
        self, screening_ids: Collection[int], write: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Run `write` while the screenings' sales are suspended; see `ScreeningDirectory.change_all`.

        If this node vanishes meanwhile, the owners resume by themselves (`engine.suspensions`).
        """
        change_id = token_hex(8)
        suspended: dict[int, str] = {}
        changed = False
        try:
            for screening_id in sorted(screening_ids):
                suspended[screening_id] = await self._suspend(screening_id, change_id)
            written = await write()
            changed = True
        finally:
            resuming = [
                self._spawn(self._resume(owner, screening_id, change_id, changed=changed))
                for screening_id, owner in suspended.items()
            ]
            if resuming:
                await asyncio.wait(resuming, timeout=self._timeout_seconds)
        return written

    async def _suspend(self, screening_id: int, change_id: str) -> str:
        """Suspend a screening. Returns the node that owns it."""

        async def suspend() -> str:
            owner = self._owner_of(screening_id)
            if owner == self._node:
                await self._directory.suspend(screening_id, change_id)
                return owner
            try:
                await self._links.call(owner, SUSPEND, (screening_id, change_id), CALL_SECONDS)
            except NoAnswer:
                self._spawn(self._resume(owner, screening_id, change_id, changed=False))
                raise
            return owner

        try:
            return await suspend()
        except NOT_DONE:
            return await self._repeated(lambda _: suspend(), self._timeout_seconds)

    async def _resume(self, suspended_by: str, screening_id: int, change_id: str, *, changed: bool) -> None:
        """Resume a screening where it was suspended and where it is now, however long that takes."""
        for attempt in range(RESUME_ATTEMPTS):
            owner = self._membership.owner_of(screening_id)
            nodes = [suspended_by] if owner in (None, suspended_by) else [suspended_by, owner]
            value = (screening_id, change_id, changed)
            calls: list[Awaitable[Any]] = [
                self._directory.resume(screening_id, change_id, changed=changed)
                if node == self._node
                else self._links.call(node, RESUME, value, CALL_SECONDS)
                for node in nodes
            ]
            *_, last = await asyncio.gather(*calls, return_exceptions=True)
            told = last is None or isinstance(last, NotFound)  # the change may have removed it
            if told and self._membership.owner_of(screening_id) in nodes:
                return
            await asyncio.sleep(0.1 * 2 ** min(attempt, 5))
        log.error("the owner of screening %d was not told that it has changed", screening_id)

    async def sweep(self) -> int:
        """Release what has lapsed, on all nodes. Returns the number of holds and tickets.

        Raises:
            Unavailable: a node did not answer, or the database.
        """
        others = [node for node in self._membership.view.ring.nodes if node != self._node]
        calls = [self._links.call(node, SWEEP, None, CALL_SECONDS) for node in others]
        return sum(await asyncio.gather(self._directory.sweep(), *calls))
