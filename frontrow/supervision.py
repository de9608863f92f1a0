"""Decides when workers are started, replaced and ended: a state machine without I/O and without a clock.

A *worker* is one of the numbered places, 1 to N; a *launch* is one process that fills it. `Supervisor`
reports events of launches, and carries out the actions that each method returns. Times are in seconds, on any
clock that never goes backwards.

| event | what is decided |
| --- | --- |
| a launch ends before all workers were ready once | the start has failed: end the others |
| the launch of a worker ends later | launch it again after a delay that doubles up to a limit |
| a launch was ready for `QUIET_SECONDS` before it ended | the delay begins again at its shortest |
| a launch is not ready after `READY_SECONDS` | kill it; its end is a failure like any other |
| reload | for one worker after the other: launch a replacement, await its readiness, drain the old one |
| a replacement ends before it is ready | the reload is abandoned; old launches continue |
| stop | end all launches |
| a launch has not ended in the time it was given | kill it |
"""

from collections import deque
from typing import NamedTuple

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0
QUIET_SECONDS = 60.0

READY_SECONDS = 60.0
"""Time limit for a launch to become ready."""

DRAIN_SECONDS = 1.0
"""Time for which a drained launch serves its open connections without accepting new ones."""


class WorkersFailed(Exception):
    """Workers could not be started, or did not end in order."""


class Start(NamedTuple):
    """Start a process for a worker."""

    worker: int
    launch: int


class Drain(NamedTuple):
    """Make a launch accept no more connections, finish, and end."""

    launch: int


class End(NamedTuple):
    """Make a launch end in order."""

    launch: int


class Kill(NamedTuple):
    """Kill a launch."""

    launch: int


Action = Start | Drain | End | Kill


class _Launch:
    def __init__(self, worker: int, now: float) -> None:
        self.worker = worker
        self.since = now
        self.ready_at: float | None = None
        self.ending = False
        self.deadline: float | None = now + READY_SECONDS


class _Worker:
    def __init__(self) -> None:
        self.current: int | None = None
        self.replacement: int | None = None
        self.failures = 0
        self.restart_at: float | None = None


class Supervision:
    """The state of all workers.

    Args:
        count: number of workers.
        end_seconds: time limit for an orderly end.

    Attributes:
        started: whether all workers were ready at the same time once.
        stopping: whether all launches have been told to end.
        reloading: whether workers are being replaced.
        failed: the launch that made the start fail.
        killed: launches that did not end in time after they were told to.
    """

    def __init__(self, count: int, end_seconds: float) -> None:
        self._end_seconds = end_seconds
        self.started = False
        self.stopping = False
        self.failed: int | None = None
        self.killed: list[int] = []
        self._workers = {number: _Worker() for number in range(1, count + 1)}
        self._launches: dict[int, _Launch] = {}
        self._last_launch = 0
        self._to_replace: deque[int] = deque()
        self._replacing: int | None = None
        self._reload_at = 0.0

    @property
    def launches(self) -> list[int]:
        """The launches that have not ended, oldest first."""
        return list(self._launches)

    @property
    def reloading(self) -> bool:
        return self._replacing is not None

    @property
    def next_deadline(self) -> float | None:
        """Time at which `due` must be called next; None if nothing will be due."""
        restarts = (worker.restart_at for worker in self._workers.values())
        limits = (launch.deadline for launch in self._launches.values())
        return min((at for at in (*restarts, *limits) if at is not None), default=None)

    @property
    def ready(self) -> list[int]:
        """The launches that serve, also those that are being drained."""
        return [launch for launch, state in self._launches.items() if state.ready_at is not None]

    @property
    def current(self) -> dict[int, int | None]:
        """The launch that serves and accepts connections, by worker; None if there is none."""
        ready = set(self.ready)
        return {
            number: worker.current if worker.current in ready else None
            for number, worker in self._workers.items()
        }

    def was_told_to_end(self, launch: int) -> bool:
        """Return whether a launch that has not ended is supposed to."""
        return self._launches[launch].ending

    def restart_at(self, worker: int) -> float | None:
        """Return when a worker will be launched again; None if it has not ended."""
        return self._workers[worker].restart_at

    # Events

    def start(self, now: float) -> list[Action]:
        """Launch all workers."""
        return [self._launch_current(number, now) for number in self._workers]

    def became_ready(self, launch: int, now: float) -> list[Action]:
        """A launch has begun to serve."""
        ready = self._launches[launch]
        if ready.ending:
            return []
        ready.ready_at, ready.deadline = now, None
        self.started = self.started or None not in self.current.values()
        worker = self._workers[ready.worker]
        if worker.replacement != launch:
            return []
        old, worker.current, worker.replacement = worker.current, launch, None
        worker.failures = 0
        return (
            self._replace_next(now)
            if old is None
            else [self._tell(Drain(old), DRAIN_SECONDS + self._end_seconds, now)]
        )

    def ended(self, launch: int, now: float) -> list[Action]:
        """The process of a launch has ended, for whatever reason."""
        ended = self._launches.pop(launch)
        worker = self._workers[ended.worker]
        if launch == worker.replacement:
            worker.replacement = None
        elif launch == worker.current:
            worker.current = None
        elif not self.stopping:
            return self._replace_next(now)
        if self.stopping:
            return []
        if not self.started:
            self.failed = launch
            return self.stop(now)
        if worker.replacement is None and self._replacing == ended.worker:
            self._to_replace.clear()
            self._replacing = None
        if worker.current is None and worker.replacement is None:
            self._restart_later(worker, ended, now)
        return []

    def reload(self, now: float) -> list[Action]:
        """Replace all workers, one after the other. During a reload, begin again after the current step."""
        if self.stopping or not self.started:
            return []
        self._reload_at = now
        self._to_replace = deque(self._workers)
        return [] if self.reloading else self._replace_next(now)

    def stop(self, now: float) -> list[Action]:
        """End everything."""
        self.stopping = True
        self._to_replace.clear()
        for worker in self._workers.values():
            worker.restart_at = None
        return [self._tell(End(launch), self._end_seconds, now) for launch in self._launches]

    def due(self, now: float) -> list[Action]:
        """Return what is due by now: restarts of workers, and kills of launches past their deadline."""
        actions: list[Action] = []
        for number, worker in self._workers.items():
            if worker.restart_at is not None and worker.restart_at <= now:
                actions.append(self._launch_current(number, now))
        for launch, state in self._launches.items():
            if state.deadline is not None and state.deadline <= now:
                state.deadline = None
                if state.ending:
                    self.killed.append(launch)
                actions.append(Kill(launch))
        return actions

    # Decisions

    def _launch_current(self, number: int, now: float) -> Start:
        worker = self._workers[number]
        worker.restart_at = None
        worker.current = self._launched(number, now)
        return Start(number, worker.current)

    def _launched(self, number: int, now: float) -> int:
        self._last_launch += 1
        self._launches[self._last_launch] = _Launch(number, now)
        return self._last_launch

    def _tell(self, action: Drain | End, limit_seconds: float, now: float) -> Action:
        launch = self._launches[action.launch]
        launch.ending, launch.deadline = True, now + limit_seconds
        return action

    def _replace_next(self, now: float) -> list[Action]:
        self._replacing = None
        while self._to_replace:
            number = self._to_replace.popleft()
            worker = self._workers[number]
            if worker.current is not None and self._launches[worker.current].since >= self._reload_at:
                continue
            self._replacing = number
            worker.restart_at = None
            worker.replacement = self._launched(number, now)
            return [Start(number, worker.replacement)]
        return []

    @staticmethod
    def _restart_later(worker: _Worker, ended: _Launch, now: float) -> None:
        if ended.ready_at is not None and now - ended.ready_at >= QUIET_SECONDS:
            worker.failures = 0
        worker.failures += 1
        worker.restart_at = now + delay_seconds(worker.failures)


def delay_seconds(failures: int) -> float:
    """Return the time until a worker is launched again.

    Args:
        failures: how often it has ended without a quiet time, at least 1.
    """
    # The exponent is bounded, so that a worker that fails for months does not overflow it.
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 10))
