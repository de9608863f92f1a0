"""Runs the workers of `frontrow serve --workers N`: processes that serve together on the same ports.

The supervisor opens the listening sockets once and passes them on, so a client that connects while a worker
is being replaced waits in the sockets' queue and is not refused. It also holds the lock of the data
directory and a share of the database lock, runs the embedded PostgreSQL and NATS, and merges the metrics.
When it ends, however that happens, the workers end too. `supervision` has the rules.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from time import monotonic

from cluster.nats_server import NatsServer
from frontrow.announcing import addresses, base_url_of, prepared_demo
from frontrow.background import StoppedEarly, unless_stopped
from frontrow.channel import StartMessage
from frontrow.database import require_own_sessions
from frontrow.hang_up import Terminal
from frontrow.life_log import LifecycleLog
from frontrow.listening import Listening, listen, port_numbers
from frontrow.settings import Settings
from frontrow.signing import secrets_of
from frontrow.supervision import Action, Drain, End, Kill, Start, Supervision, WorkersFailed
from frontrow.worker_process import WorkerProcess
from metrics.workers import WorkerMetrics
from persistence.connector import Connector
from persistence.embedded import EmbeddedPostgres
from persistence.migrations import migrate
from persistence.server_lock import SUPERVISOR, ServerLock

log = logging.getLogger("frontrow")

_COLLECT_SECONDS = 0.5
"""Time limit for the workers to send their metrics."""


async def supervise(
    settings: Settings,
    url: str,
    embedded: EmbeddedPostgres | None,
    demo: bool,
    announce: Callable[[str], None],
) -> None:
    """Prepare the database, run the workers until SIGTERM or SIGINT, and end them.

    SIGHUP replaces the workers one after the other. A second SIGTERM or SIGINT kills everything immediately.

    Args:
        settings: valid settings.
        url: of PostgreSQL itself, without a pooler.
        embedded: the embedded PostgreSQL, if there is one.
        demo: create the demo cinema if there is none, and print how to use it.
        announce: prints a line for the operator.

    Raises:
        WorkersFailed: a worker did not start, or had to be killed at the end.
        DatabaseInUse, TakenOver: a single server uses the database.
        MigrationFailed, StoreUnavailable, PoolerNotSupported: there is no usable database.
        NatsServerFailed: the embedded NATS server does not start.
        AddressUnusable: the address cannot be listened on.
    """
    life = LifecycleLog(settings)
    supervisor = Supervisor(settings, url, demo=demo)
    connector = Connector(url)
    lock = ServerLock(connector, shared=True, mark=SUPERVISOR)
    nats = None if settings.nats_url else NatsServer(settings.data_dir)
    companions = [asyncio.create_task(embedded.keep_running())] if embedded is not None else []
    listening: Listening | None = None
    try:
        with supervisor.signals():
            await unless_stopped(require_own_sessions(settings, url), supervisor.finished)
            await unless_stopped(lock.take(), supervisor.finished)
            for revision in await asyncio.to_thread(migrate, url):
                log.info("applied migration %s", revision)
            if nats is not None:
                await unless_stopped(nats.start(), supervisor.finished)
                companions.append(asyncio.create_task(nats.keep_running()))
            # The workers use the secrets and must not generate them at the same time.
            secrets_of(settings)
            listening = listen(settings)
            port = port_numbers(listening.public)[0]
            lines = list(addresses(settings, port, port_numbers(listening.proxied)))
            if demo:
                lines += await unless_stopped(prepared_demo(settings, url, port), supervisor.finished)

            def started() -> None:
                life.started(base_url_of(settings, port))
                for line in lines:
                    announce(line)

            lock_kept = asyncio.create_task(lock.keep())
            companions.append(lock_kept)
            lock_kept.add_done_callback(lambda _: supervisor.stop("the server lock was lost"))
            await supervisor.run(listening, started)
            if lock_kept.done():
                await lock_kept
    except StoppedEarly:
        pass
    finally:
        for opened in chain(*listening or ()):
            opened.close()
        lock.release()
        connector.close()
        for companion in companions:
            companion.cancel()
        await asyncio.gather(*companions, return_exceptions=True)
        if nats is not None:
            await nats.stop()
        life.stopped(str(sys.exception() or supervisor.reason))


class Supervisor:
    """Carries out what `Supervision` decides.

    Args:
        settings: valid settings.
        database_url: of PostgreSQL itself, without a pooler.
        demo: whether the workers serve the demo.

    Attributes:
        reason: why the workers were stopped.
        finished: done when all workers have ended after `stop`.
    """

    def __init__(self, settings: Settings, database_url: str, *, demo: bool) -> None:
        self.reason = ""
        self._settings = settings
        self._database_url = database_url
        self._demo = demo
        self._plan = Supervision(settings.worker_count, settings.end_seconds)
        self._processes: dict[int, WorkerProcess] = {}
        self._metrics = WorkerMetrics()
        self._collection: asyncio.Task[None] | None = None
        self._descriptors: Sequence[list[int]] = ()
        self._started: Callable[[], None] | None = None
        self._failure = ""
        self._terminal = Terminal()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.finished: asyncio.Future[None] = self._loop.create_future()

    async def run(self, listening: Listening, started: Callable[[], None]) -> None:
        """Run the workers until they have been stopped.

        Args:
            listening: the listening sockets of all workers.
            started: called once, when all workers are ready.

        Raises:
            WorkersFailed: a worker did not start, or had to be killed at the end.
        """
        if self._plan.stopping:
            return
        self._descriptors = [[opened.fileno() for opened in sockets] for sockets in listening]
        self._started = started
        try:
            self._do(self._plan.start(monotonic()))
            await self.finished
        finally:
            self._kill()
        if self._failure:
            raise WorkersFailed(self._failure)
        if killed := len(self._plan.killed):
            raise WorkersFailed(f"{killed} of the workers did not end in time and were killed; see the log")

    def stop(self, reason: str) -> None:
        """Stop all workers.

        Args:
            reason: for the log.
        """
        if not self._plan.stopping:
            self.reason = reason
            self._do(self._plan.stop(monotonic()))

    # Signals

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Handle signals while the block runs."""
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGHUP: self._reload,
            signal.SIGTERM: partial(self._stop_signal, signal.SIGTERM),
            signal.SIGINT: partial(self._stop_signal, signal.SIGINT),
        }
        for number, handler in handlers.items():
            self._loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                self._loop.remove_signal_handler(number)

    def _stop_signal(self, number: signal.Signals) -> None:
        if self._plan.stopping:
            self._kill()
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.stop(number.name)

    def _reload(self) -> None:
        if self._terminal.is_gone:
            self.stop(signal.SIGHUP.name)
        else:
            log.info("replacing all workers, one after the other")
            self._do(self._plan.reload(monotonic()))

    def _kill(self) -> None:
        for process in self._processes.values():
            process.signal(signal.SIGKILL)

    # Launches

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            process = self._processes.get(action.launch)
            match action:
                case Start(worker, launch):
                    self._launch(worker, launch)
                case Drain() if process:
                    process.send("drain")
                case End() if process:
                    process.signal(signal.SIGTERM)
                case Kill() if process:
                    log.error("a worker takes too long and is killed", extra=_fields(process))
                    process.signal(signal.SIGKILL)
        if self._plan.started and self._started is not None:
            started, self._started = self._started, None
            started()
        if self._plan.stopping and not self._plan.launches and not self.finished.done():
            self.finished.set_result(None)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at = self._plan.next_deadline
        self._timer = at if at is None else self._loop.call_later(max(0.0, at - monotonic()), self._on_time)

    def _on_time(self) -> None:
        self._do(self._plan.due(monotonic()))

    def _launch(self, worker: int, launch: int) -> None:
        try:
            process = WorkerProcess(worker, list(chain(*self._descriptors)))
        except OSError as exc:
            self._loop.call_soon(self._ended, launch, worker, None, str(exc))
        else:
            self._processes[launch] = process
            self._spawn(self._attend(launch, process))

    async def _attend(self, launch: int, process: WorkerProcess) -> None:
        """Follow a process until it ends."""
        settings = self._settings
        start = StartMessage(
            process.worker,
            settings.host,
            settings.port,
            str(settings.data_dir.absolute()),
            self._demo,
            self._database_url,
            *self._descriptors,
        )
        try:
            async for kind, value in process.messages(start):
                self._received(launch, process, kind, value)
        finally:
            del self._processes[launch]
            self._metrics.ended(process.worker, launch)
            self._ended(launch, process.worker, process.pid, process.how_it_ended())

    def _received(self, launch: int, process: WorkerProcess, kind: str, value: object) -> None:
        match kind, value:
            case "ready", _:
                log.info("a worker is ready", extra=_fields(process, seconds=process.seconds))
                self._do(self._plan.became_ready(launch, monotonic()))
            case "failed", str(sentence):
                process.error = sentence
            case "metrics", list(families):
                self._metrics.collected(process.worker, launch, families)
            case "page", [int(number), str(accept_header)]:
                self._spawn(self._send_page(process, number, accept_header))

    def _ended(self, launch: int, worker: int, pid: int | None, how: str) -> None:
        """A process has ended, or could not be started."""
        now, expected, was_reloading = monotonic(), self._plan.was_told_to_end(launch), self._plan.reloading
        actions = self._plan.ended(launch, now)
        fields: dict[str, object] = {"worker": worker, "pid": pid, "ended": how}
        if launch == self._plan.failed:
            self._failure = self.reason = f"Worker {worker} did not start: {how}"
        elif expected:
            log.info("a worker has ended", extra={"fields": fields})
        else:
            if (at := self._plan.restart_at(worker)) is not None:
                fields["restart_in_seconds"] = round(at - now, 3)
            log.error("a worker has ended unexpectedly", extra={"fields": fields})
        if was_reloading and not self._plan.reloading and not self._plan.stopping:
            if expected:
                log.info("all workers have been replaced")
            else:
                log.error("the workers that have not been replaced yet continue")
        self._do(actions)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Metrics

    async def _send_page(self, process: WorkerProcess, number: int, accept_header: str) -> None:
        if self._collection is None or self._collection.done():
            self._collection = self._loop.create_task(self._collect())
        await asyncio.shield(self._collection)
        current = {
            worker: launch if launch in self._processes and self._processes[launch].fresh else None
            for worker, launch in self._plan.current.items()
        }
        process.send("page", (number, *self._metrics.page(current, accept_header)))

    async def _collect(self) -> None:
        """Ask all workers that serve for their metrics."""
        due = [self._processes[launch].collect() for launch in self._plan.ready if launch in self._processes]
        if due:
            await asyncio.wait(due, timeout=_COLLECT_SECONDS)


def _fields(process: WorkerProcess, **others: object) -> dict[str, object]:
    return {"fields": {"worker": process.worker, "pid": process.pid, **others}}
