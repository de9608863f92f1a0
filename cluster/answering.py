"""Carries out the commands that other nodes send to this one (`cluster.forwarding`)."""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any, cast

from cluster.forwarding import ASK, PART
from cluster.links import Links
from cluster.long_replies import LongReplies
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
"""Answers that are remembered in case that their command is repeated: at least as many as this, and at most
twice as many."""

SENDERS_KEPT = 1000
"""Nodes of which it is remembered up to which of their commands the answers are forgotten."""


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
        # By sender and number, in two generations: dropping the older one is cheaper than single answers.
        self._answers: dict[tuple[str, int], Any] = {}
        self._older: dict[tuple[str, int], Any] = {}
        # By sender: the highest number of an answer that is forgotten. Numbers ascend.
        self._forgotten: dict[str, int] = {}
        links.on(ASK, self._asked)

    def _asked(self, sender: str, value: Any) -> Any:
        number, data, *named = value
        key = (sender, number)
        known = self._answers.get(key) or self._older.get(key)
        if known is not None:
            if isinstance(known, EngineError):
                raise known
            return known
        command = decode_command(data)
        if isinstance(command, ReadNewSeats):
            return self._read_seats(sender, command)
        if number <= self._forgotten.get(sender, 0) and type(command) not in READS:
            raise OutcomeUnknown  # it may have been carried out
        cause = _cause_in(named)
        handling.request_id = None if cause is None else cause.request_id
        try:
            actor = self._actors.get(command.screening_id)
            if self._traced is not None and cause is not None and cause.trace is not None:
                actor = None
            reply: Any = None if actor is None else actor.ask_first(command, cause)
        except EngineError as refusal:
            self._remember(command, key, refusal)
            raise
        finally:
            handling.request_id = None
        if reply is None or isinstance(reply, Future):
            answer: Any = asyncio.ensure_future(self._later(sender, command, reply, cause))
        else:
            answer = self._encoded(sender, reply)
        self._remember(command, key, answer)
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
        *parts, last = self._long.cut(encode_reply(reply))
        for part in parts:
            self._links.send(sender, PART, part)
        return last

    def _remember(self, command: Command, key: tuple[str, int], answer: Any) -> None:
        if type(command) in READS:
            return
        if len(self._answers) >= ANSWERS_KEPT:
            self._forget(self._older)
            self._older, self._answers = self._answers, {}
        self._answers[key] = answer

    def _forget(self, answers: dict[tuple[str, int], Any]) -> None:
        """Remember which answers are not remembered any more, so that no command is carried out twice."""
        forgotten = self._forgotten
        for sender, number in answers:
            forgotten[sender] = max(number, forgotten.pop(sender, 0))
        for sender in list(forgotten)[:-SENDERS_KEPT]:
            del forgotten[sender]


def _cause_in(named: Sequence[Any]) -> Cause | None:
    """Return the request that a node has named with its command: its id, and perhaps its trace."""
    if not named or not isinstance(named[0], str):
        return None
    return Cause(named[0], named[1] if len(named) > 1 and isinstance(named[1], str) else None)
