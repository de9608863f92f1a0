"""An event loop without sockets, threads or waiting: if nothing is ready, its clock jumps to the next timer.

Several processes share the loop. Whatever a process schedules belongs to it, and so does what that
schedules in turn. So a process can be paused (its callbacks are kept until it goes on, as those of a
stopped process) or killed (they are never called), while the others run.

Callbacks run in the order in which they were scheduled, and timers in the order of their times. Nothing
depends on the machine's clock, so the same program runs in the same way each time.
"""

import asyncio
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any

TURNS_LIMIT = 200_000
"""Turns of the loop in which no time passes. More are a livelock."""


class Stuck(AssertionError):
    """Nothing more will ever happen, or time no longer passes."""


class Process:
    """A process that shares the loop.

    Attributes:
        name: for traces.
        paused: its callbacks are kept.
        dead: its callbacks are never called.
    """

    def __init__(self, loop: "VirtualLoop", name: str) -> None:
        self.name = name
        self.paused = self.dead = False
        self._loop = loop
        self._kept: list[events.Handle] = []
        loop.processes.append(self)

    def pause(self) -> None:
        """Stop it, as SIGSTOP does."""
        self.paused = True

    def go_on(self) -> None:
        """Let it go on with everything that has become due meanwhile."""
        self.paused = False
        self._loop._ready.extend(self._kept)
        self._kept.clear()

    def kill(self) -> None:
        """End it, as SIGKILL does."""
        self.dead = True

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task in this process."""
        loop = self._loop
        before, loop.process = loop.process, self
        try:
            return loop.create_task(work)
        finally:
            loop.process = before

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        """Call something in this process."""
        loop = self._loop
        before, loop.process = loop.process, self
        try:
            return loop.call_at(when, callback, *arguments)
        finally:
            loop.process = before

    def keep(self, handle: events.Handle) -> None:
        """Keep a callback that must not be called now, if ever."""
        self._kept.append(handle)


class _Handle(events.Handle):
    __slots__ = ("process",)


class _Timer(events.TimerHandle):
    __slots__ = ("process",)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop.

    Attributes:
        process: whose callback is running; None for those of the simulation itself.
        ending: the simulation is over; callbacks of all processes are called, so that tasks can end.
        failures: exceptions that no task has caught.
        processes: all that have been made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.process: Process | None = None
        self.ending = False
        self.failures: list[str] = []
        self.processes: list[Process] = []
        self._now = 0.0
        self._turns = 0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = count()
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def _run_once(self) -> None:
        """Run what is ready; if nothing is, let time pass until the next timer."""
        ready, timers = self._ready, self._timers
        if ready or self._stopping:
            self._turns += 1
            if self._turns > TURNS_LIMIT:
                raise Stuck(f"no time passes any more at {self._now}")
        else:
            while timers and timers[0][2]._cancelled:
                heappop(timers)
            if not timers:
                raise Stuck("nothing will ever happen any more")
            self._now = max(self._now, timers[0][0])
            self._turns = 0
        while timers and timers[0][0] <= self._now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = self.process = handle.process
            if process is not None and (process.paused or process.dead) and not self.ending:
                process.keep(handle)
            else:
                handle._run()

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        timer.process = self.process
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        handle.process = self.process
        self._ready.append(handle)
        return handle

    def end(self) -> None:
        """Cancel what is left, and close the loop."""
        self.ending = True
        self.process = None
        for process in self.processes:
            process.go_on()
        # Several times: a task that is being woken by a timeout may swallow a cancellation.
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=0.1))
        self.close()

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.ending:
            self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _write_to_self(self) -> None:
        pass
