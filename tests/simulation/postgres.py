"""A virtual PostgreSQL server: sessions over a virtual network, in front of `Tables`.

A statement travels to the server, is carried out there at one point in time, and its result travels back.
As with the real one, a client that stops waiting does not stop the statement: what has been sent may be
carried out later, unless its session is terminated first. A connection that breaks leaves its client
without an answer, before or after the commit.

`VirtualConnector` is the real pool; only its connections are virtual.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from engine.records import Layout, ScreeningInfo
from persistence.connector import Connector, Row
from persistence.errors import (
    ConnectionLost,
    DatabaseUnavailable,
    LockTimeout,
    NoAnswer,
    StatementCancelled,
)
from persistence.journal_connection import BLOCKED, END_EARLIER_SESSIONS, LOCK_SECONDS
from tests.simulation import queries
from tests.simulation.claims import Claims
from tests.simulation.forms import array
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.network import Cable, at_once
from tests.simulation.tables import Tables

_WORK_SECONDS = (0.0002, 0.004)
_LOOK_SECONDS = 0.05
_POOL_SECONDS = 5.0


class Postgres:
    """The server.

    Attributes:
        up: False while it is not running.
        frozen: it runs, but does nothing.
        slow_seconds: how long a statement takes at most, beside the usual time.
        cutting: share of the statements at which the connection breaks, half of them after they were done.
        locked: screenings whose epoch somebody else has locked.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        rng: random.Random,
        screenings: Mapping[int, tuple[ScreeningInfo, Layout]],
        trace: Callable[..., None],
    ) -> None:
        self.loop = loop
        self.rng = rng
        self.trace = trace
        self.tables = Tables(screenings)
        self.claims = Claims(self.tables)
        self.up = True
        self.frozen = False
        self.slow_seconds = self.cutting = 0.0
        self.locked: set[int] = set()
        self.sessions: list[Session] = []
        self._kept: list[tuple[Session, str, Any, asyncio.Future[list[Row]], float]] = []
        self._numbers = count(1)

    def number(self) -> int:
        """Return a number for a session."""
        return next(self._numbers)

    def kill(self) -> None:
        """End the server and all sessions; what was committed stays."""
        self.up = self.frozen = False
        self._kept.clear()
        self.end_sessions()

    def end_sessions(self) -> None:
        """End all sessions."""
        for session in list(self.sessions):
            self.terminate(session)

    def start(self) -> None:
        """Start the server again."""
        self.up = True

    def thaw(self) -> None:
        """Let a frozen server go on with what it has received."""
        self.frozen = False
        kept, self._kept = self._kept, []
        for received in kept:
            self.received(*received)

    def terminate(self, session: "Session") -> None:
        """End a session; its client notices when it is told."""
        session.ended = True
        self.forget(session)
        session.cable.back.carry(session.process, session.broke)

    def forget(self, session: "Session") -> None:
        """A session is over; what it has not committed is undone."""
        self.claims.end(session)
        if session in self.sessions:
            self.sessions.remove(session)

    def received(
        self, session: "Session", sql: str, parameters: Any, answer: "asyncio.Future[list[Row]]", since: float
    ) -> None:
        """A statement has arrived at the server."""
        if self.frozen:
            self._kept.append((session, sql, parameters, answer, since))
            return
        seconds = self.rng.uniform(*_WORK_SECONDS) + self.rng.random() * self.slow_seconds
        at_once(
            *(self.loop, self.loop.time() + seconds, self._carry_out),
            *(session, sql, parameters, answer, since),
        )

    def _carry_out(
        self, session: "Session", sql: str, parameters: Any, answer: "asyncio.Future[list[Row]]", since: float
    ) -> None:
        if session.ended or not self.up:
            return
        if self.frozen:
            self._kept.append((session, sql, parameters, answer, since))
            return
        if self._is_locked(session, sql, parameters):
            self._wait_for_lock(session, sql, parameters, answer, since)
            return
        breaks = self.rng.random() < self.cutting
        if breaks and self.rng.random() < 0.5:
            self.trace("breaks before", session.process.name)
            self.terminate(session)
            return
        outcome: list[Row] | Exception
        try:
            outcome = self._run(session, sql, parameters)
        except Exception as error:
            outcome = error
        said = type(outcome).__name__ if isinstance(outcome, Exception) else len(outcome)
        self.trace("database", session.process.name, sql.strip()[:60], said)
        if breaks:
            self.trace("breaks after", session.process.name)
            self.terminate(session)
            return
        session.cable.back.carry(session.process, session.answered, answer, outcome)

    def _is_locked(self, session: "Session", sql: str, parameters: Any) -> bool:
        for idle in self.claims.idle_since(self.loop.time() - _POOL_SECONDS):
            self.terminate(idle)
        locked = self.locked.intersection(queries.screenings_in(sql, parameters))
        return bool(locked) or self.claims.blocks(session, sql, parameters)

    def _wait_for_lock(
        self, session: "Session", sql: str, parameters: Any, answer: "asyncio.Future[list[Row]]", since: float
    ) -> None:
        waited = self.loop.time() - since
        limit, error = (LOCK_SECONDS, LockTimeout) if session.name else (_POOL_SECONDS, StatementCancelled)
        if waited > limit:
            session.cable.back.carry(session.process, session.answered, answer, error("locked"))
            return
        again = self.loop.time() + _LOOK_SECONDS
        at_once(self.loop, again, self._carry_out, session, sql, parameters, answer, since)

    def _run(self, session: "Session", sql: str, parameters: Any) -> list[Row]:
        if sql == END_EARLIER_SESSIONS:
            earlier = [each for each in self.sessions if each.name == parameters[1] and each is not session]
            for each in earlier:
                self.terminate(each)
            return [(True,) for _ in earlier]
        if sql == BLOCKED:
            return [(each,) for each in array(parameters["ids"], "bigint") if each in self.locked]
        if sql.startswith("SET "):
            return []
        if (rows := self.claims.run(session, sql, parameters, self.loop.time())) is not None:
            if session not in self.sessions:
                self.claims.end(session)  # its client has gone while the server was frozen
            return rows
        return queries.run(self.tables, sql, parameters)


class Session:
    """A connection of a process; `persistence.connector.Connection` documents the interface.

    Attributes:
        name: of the application; empty for connections of the pool.
        ended: the server has ended it.
    """

    def __init__(
        self, server: Postgres, process: Process, cable: Cable, name: str, timeout_seconds: float
    ) -> None:
        self.process = process
        self.cable = cable
        self.name = name
        self.ended = self.broken = False
        self._server = server
        self._timeout_seconds = timeout_seconds
        self._answer: asyncio.Future[list[Row]] | None = None
        self._is_in_transaction = False

    @property
    def idle(self) -> bool:
        """True if the next borrower may use the connection."""
        return not self.broken and self._answer is None and not self._is_in_transaction

    async def run(self, sql: str, parameters: Any = None) -> list[Row]:
        """Run a statement."""
        if self.broken:
            raise ConnectionLost("The connection is closed")
        answer: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._answer = answer
        if sql in ("BEGIN", "COMMIT", "ROLLBACK"):
            self._is_in_transaction = sql == "BEGIN"
        server = self._server
        self.cable.out.carry(None, server.received, self, sql, parameters, answer, server.loop.time())
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await answer
        except TimeoutError:
            self.close()
            raise NoAnswer("No answer in time") from None
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        """Close it. The server learns of it after everything that has been sent."""
        if not self.broken:
            self.broken = True
            self.cable.out.carry(None, self._closed)

    def _closed(self) -> None:
        self._server.forget(self)

    def answered(self, answer: "asyncio.Future[list[Row]]", outcome: list[Row] | Exception) -> None:
        """An answer has arrived."""
        if answer.done():
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def broke(self) -> None:
        """The client notices that the server has ended the session."""
        self.broken = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLost("The connection broke"))


class VirtualConnector(Connector):
    """The pool of a process."""

    def __init__(self, server: Postgres, process: Process, cable: Cable) -> None:
        super().__init__("", pool_size=8)
        self._server = server
        self._process = process
        self._cable = cable

    async def _connect(self, statement_timeout_seconds: float, **options: str) -> Any:
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        server = self._server
        session = Session(
            *(server, self._process, self._cable),
            *(options.get("application_name", ""), statement_timeout_seconds),
        )

        def accept() -> None:
            if server.frozen:
                return
            if server.up:
                server.sessions.append(session)
            self._cable.back.carry(self._process, answer, server.up)

        def answer(up: bool) -> None:
            if not accepted.done():
                accepted.set_result(up)

        self._cable.out.carry(None, accept)
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                if await accepted:
                    return session
        except TimeoutError:
            session.close()
        raise DatabaseUnavailable("The database cannot be reached")
