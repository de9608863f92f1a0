"""Spans of traced requests. docs/traces.md shows them; `frontrow.otel` makes them.

Nothing here runs unless traces are switched on: then these classes stand between the parts of the server
(`TracedScreenings` around the directory, `TracedJournal` around the journal, `TracedPublisher` around the
feed). A request that is not sampled has no `Cause.trace`, and passes through them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, Protocol, TypeVar

from engine.causes import Cause, cause
from engine.commands import Command
from engine.errors import EngineError
from engine.ports import Entry, Journal, Publisher, Settled
from engine.views import SeatsChanged

Written = TypeVar("Written")

DECISIONS_KEPT = 64
"""Highest number of decisions about a screening to which its next update is linked."""

SCREENINGS_KEPT = 1024
"""Highest number of screenings whose decisions wait for an update."""

Attributes = Mapping[str, str | int | float]


class Span(Protocol):
    """Something that takes time, within a trace.

    Attributes:
        traceparent: identifies it (W3C Trace Context).
    """

    @property
    def traceparent(self) -> str: ...

    def end(self, error: str | None = None, status: int | None = None) -> None:
        """End it now.

        Args:
            error: a code, if it has failed.
            status: of the HTTP response, if there is one.
        """


class Tracer(Protocol):
    """Makes spans. Never blocks and never raises."""

    def begin(
        self,
        name: str,
        *,
        kind: str = "internal",
        parent: str | None = None,
        attributes: Attributes | None = None,
    ) -> Span:
        """Begin a span of a traced request.

        Args:
            name: what it is.
            kind: "internal", "server", "client" or "producer".
            parent: traceparent of the span that contains it.
            attributes: by their names in OpenTelemetry.
        """

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        kind: str = "internal",
        parent: str | None = None,
        links: Sequence[str] = (),
        attributes: Attributes | None = None,
    ) -> str:
        """Record a span that has ended. Returns its traceparent.

        Args:
            name, kind, parent, attributes: as in `begin`.
            began, ended: in seconds of `time.monotonic`.
            links: traceparents of what it is about, in other traces.
        """


class RequestTraces(Protocol):
    """Chooses the requests that are traced."""

    def chosen(self, traceparent: str | None) -> bool:
        """Choose whether the request that is being read is traced; `begin_request` follows the choice.

        Args:
            traceparent: header of the request, if it has one.
        """

    def begin_request(self, traceparent: str | None, method: str, route: str, request_id: str) -> Span | None:
        """Begin the span of a request; None if it is not traced.

        Args:
            traceparent: header of the request, if it has one.
            method, route: HTTP method and path pattern.
            request_id: of the request.
        """


class TracedScreenings:
    """The screenings, with a span for each command of a traced request: until it is answered.

    Args:
        screenings: of this node or of the whole cluster.
        tracer: makes spans.
        kind: "server" for commands of other nodes.
    """

    def __init__(self, screenings: Any, tracer: Tracer, kind: str = "internal") -> None:
        self._screenings = screenings
        self._tracer = tracer
        self._kind = kind

    async def ask(self, command: Command) -> Any:
        """Return the command's reply. Raises EngineError."""
        present = cause.get()
        if present is None or present.trace is None:
            return await self._screenings.ask(command)
        attributes: Attributes = {
            "frontrow.screening_id": command.screening_id,
            "frontrow.request_id": present.request_id,
        }
        span = self._tracer.begin(
            type(command).__name__, kind=self._kind, parent=present.trace, attributes=attributes
        )
        before = cause.set(present._replace(trace=span.traceparent))
        try:
            reply = await self._screenings.ask(command)
        except EngineError as refusal:
            span.end(refusal.code)
            raise
        except BaseException:
            span.end("failed")
            raise
        finally:
            cause.reset(before)
        span.end()
        return reply

    def ask_active(self, command: Command, cause: Cause | None = None) -> "Any | asyncio.Future[Any] | None":
        """Do as the screenings do: sampled requests never come here, and sockets are not traced."""
        return self._screenings.ask_active(command, cause)

    async def sweep(self) -> int:
        """Release all expired holds and return their number."""
        return int(await self._screenings.sweep())

    async def change(self, screening_id: int, write: Callable[[], Awaitable[Written]]) -> Written:
        """Run `write` while the screening's sales are suspended."""
        return await self.change_all((screening_id,), write)

    async def change_all(
        self, screening_ids: Collection[int], write: Callable[[], Awaitable[Written]]
    ) -> Written:
        """Do the same for several screenings at once."""
        written: Written = await self._screenings.change_all(screening_ids, write)
        return written


class _Decision(NamedTuple):
    epoch: int
    seq: int
    trace: str


class Decisions:
    """Traced commands whose changes have not been sent to watchers yet.

    Attributes:
        settling: the traced command whose durable decision takes effect in this step of the event loop.
    """

    def __init__(self) -> None:
        self.settling: str | None = None
        self._decided: tuple[tuple[int, int, int], str] | None = None
        self._waiting: dict[int, list[_Decision]] = {}

    def decided(self, place: tuple[int, int, int], trace: str) -> None:
        """An event of this screening, epoch and number was decided by a traced command."""
        self._decided = (place, trace)

    def published(self, change: SeatsChanged) -> None:
        """A change is published, in the same step in which it was decided or takes effect."""
        trace = self.settling
        place = (change.screening_id, change.epoch, change.seq)
        if trace is None and self._decided is not None and self._decided[0] == place:
            trace = self._decided[1]
        if trace is None:
            return
        if change.screening_id not in self._waiting and len(self._waiting) >= SCREENINGS_KEPT:
            del self._waiting[next(iter(self._waiting))]
        waiting = self._waiting.setdefault(change.screening_id, [])
        if len(waiting) < DECISIONS_KEPT:
            waiting.append(_Decision(change.epoch, change.seq, trace))

    def sent(self, screening_id: int, position: tuple[int, int]) -> Sequence[str]:
        """Return and forget the traced commands that have changed a screening up to a position."""
        waiting = self._waiting.pop(screening_id, [])
        later = [decision for decision in waiting if decision[:2] > position]
        if later:
            self._waiting[screening_id] = later
        return [decision.trace for decision in waiting if decision[:2] <= position]


class TracedJournal:
    """A journal for the engine that notes which decisions belong to traced requests.

    Args:
        journal: the journal.
        decisions: where to note them.
    """

    def __init__(self, journal: Journal, decisions: Decisions) -> None:
        self._journal = journal
        self._decisions = decisions
        self.remember = journal.remember
        self.flushed = journal.flushed
        self.on_ownership_lost = journal.on_ownership_lost

    @property
    def full(self) -> bool:
        return self._journal.full

    @property
    def depth(self) -> int:
        return self._journal.depth

    @property
    def lag_seconds(self) -> float:
        return self._journal.lag_seconds

    def append(self, entry: Entry) -> None:
        """Queue an entry."""
        if entry.cause is not None and (trace := entry.cause.trace) is not None:
            if entry.settled is not None:
                entry = entry._replace(settled=partial(self._settle, entry.settled, trace))
            elif entry.events:
                self._decisions.decided(entry.events[0][:3], trace)
        self._journal.append(entry)

    def _settle(self, settled: Settled, trace: str, error: EngineError | None) -> None:
        self._decisions.settling = trace
        try:
            settled(error)
        finally:
            self._decisions.settling = None


class TracedPublisher:
    """A publisher that notes the changes of traced commands.

    Args:
        publisher: sends changes to watchers.
        decisions: where to note them.
    """

    def __init__(self, publisher: Publisher, decisions: Decisions) -> None:
        self._publisher = publisher
        self._decisions = decisions

    def publish(self, change: SeatsChanged) -> None:
        """Publish a change."""
        self._decisions.published(change)
        self._publisher.publish(change)

    def wants_hashes(self, screening_id: int) -> bool:
        """Return whether a watcher of a screening wants hashes."""
        return self._publisher.wants_hashes(screening_id)


def record_update(
    tracer: Tracer, decisions: Decisions, screening_id: int, position: tuple[int, int], sockets: int
) -> None:
    """Record that sockets are sent an update, linked to the traced commands that have caused it.

    Args:
        tracer: makes spans.
        decisions: those that have not been sent yet.
        screening_id: what has changed.
        position: epoch and number of the last change of the update.
        sockets: how many get it.
    """
    if links := decisions.sent(screening_id, position):
        now = monotonic()
        attributes = {"frontrow.screening_id": screening_id, "frontrow.sockets": sockets}
        tracer.record("socket update", now, now, kind="producer", links=links, attributes=attributes)
