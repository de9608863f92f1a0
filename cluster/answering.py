"""Carries out the commands that other nodes send to this one (`cluster.forwarding`)."""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any, cast

from cluster.forwarding import ASK, PART
from cluster.links import Links
from cluster.long_replies import PART_BYTES, LongReplies
from cluster.messages import ReadNewSeats
from cluster.wire import decode_command, encode_reply
from engine.causes import Cause, handling
from engine.causes import cause as present_cause
from engine.commands import READS, Command, ReadSeats
from engine.directory import ScreeningDirectory
from engine.errors import EngineError, OutcomeUnknown
from engine.tracing import TracedScreenings, Tracer
from engine.views import SeatMap

ANSWERS_KEPT = 8192
"""Number of answers that are remembered in case their command is repeated: at least this many, at most twice
as many."""

SENDERS_KEPT = 1000
"""Number of senders at which a new one replaces one without remembered answers, if there is any."""


class Answering:
    """The commands of other nodes.

    Args:
        links: to the other nodes.
        directory: the screenings of this node.
        tracer: makes spans of commands of traced requests; None if traces are switched off.
    """

    def __init__(self, links: Links, directory: ScreeningDirectory, tracer: Tracer | None = None) -> None:
        self._links = links
        self._directory = directory
        self._traced = None if tracer is None else TracedScreenings(directory, tracer, "server")
        self._actors = directory.owned.actors
        self._long = LongReplies()
        self._senders: dict[str, _Sender] = {}
        self._answers_lately = 0
        links.on(ASK, self._asked)

    def _asked(self, name: str, value: Any) -> Any:
        number, data, *named = value
        sender = self._senders.get(name) or self._new_sender(name)
        known = sender.answers.get(number) or sender.older.get(number)
        if known is not None:
            if isinstance(known, EngineError):
                raise known
            return known
        command = decode_command(data)
        if isinstance(command, ReadNewSeats):
            return self._read_seats(name, command)
        repeatable = type(command) in READS
        if number <= sender.forgotten and not repeatable:
            raise OutcomeUnknown  # it may have been carried out
        cause = _cause_in(named) if named else None
        actor = self._actors.get(command.screening_id)
        if cause is not None:
            handling.request_id = cause.request_id
            if self._traced is not None and cause.trace is not None:
                actor = None
        answer: Any
        try:
            reply: Any = None if actor is None else actor.ask_first(command, cause)
            if reply is None or isinstance(reply, Future):
                answer = asyncio.ensure_future(self._later(name, command, reply, cause))
            else:
                answer = self._encoded(name, reply)
        except EngineError as refusal:
            if not repeatable:
                self._remember(sender, number, refusal)
            raise
        finally:
            handling.request_id = None
        if not repeatable:
            self._remember(sender, number, answer)
        return answer

    async def _later(
        self, sender: str, command: Command, reply: "Future[Any] | None", cause: Cause | None
    ) -> bytes:
        present_cause.set(cause)
        screenings = self._traced or self._directory
        return self._encoded(sender, await (screenings.ask(command) if reply is None else reply))

    async def _read_seats(self, sender: str, command: ReadNewSeats) -> bytes:
        seat_map = await self._directory.ask(ReadSeats(command.screening_id))
        return self._encoded(sender, command.reply_with(cast(SeatMap, seat_map)))

    def _encoded(self, sender: str, reply: Any) -> bytes:
        data = encode_reply(reply)
        if len(data) <= PART_BYTES:
            return data
        *parts, last = self._long.cut(data)
        for part in parts:
            self._links.send(sender, PART, part)
        return last

    def _remember(self, sender: "_Sender", number: int, answer: Any) -> None:
        if self._answers_lately >= ANSWERS_KEPT:
            self._answers_lately = 0
            for each in self._senders.values():
                each.forget_older()
        self._answers_lately += 1
        sender.answers[number] = answer

    def _new_sender(self, name: str) -> "_Sender":
        senders = self._senders
        if len(senders) >= SENDERS_KEPT:
            silent = next((name for name, each in senders.items() if not (each.answers or each.older)), None)
            if silent is not None:
                del senders[silent]
        sender = senders[name] = _Sender()
        return sender


class _Sender:
    """The answers that a node has been given. They are kept in two generations, since dropping the older one
    as a whole is cheaper than dropping single answers.

    Attributes:
        answers, older: the answers by the numbers of their commands: the replies, refusals, or futures of
            replies.
        forgotten: the highest number of an answer that is not kept any more. Numbers ascend.
    """

    __slots__ = ("answers", "forgotten", "older")

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.older: dict[int, Any] = {}
        self.forgotten = 0

    def forget_older(self) -> None:
        """Drop the older generation, and begin a new one."""
        if self.older:
            self.forgotten = max(self.forgotten, max(self.older))
        self.older, self.answers = self.answers, {}


def _cause_in(named: Sequence[Any]) -> Cause | None:
    """Return the request that a node has named with its command: its id, and perhaps its trace."""
    if not named or not isinstance(named[0], str):
        return None
    return Cause(named[0], named[1] if len(named) > 1 and isinstance(named[1], str) else None)
