"""Answers on one socket, in the order of the messages that they answer, without a task for any of them.

An answer that the engine has yet to make is a future in the queue. When it is there, it leaves with all that
waited behind it; answers that arrive in one turn of the event loop leave in one piece.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

FrameOf = Callable[["asyncio.Future[Any]"], bytes]


class _Due:
    """An answer in the queue: one that is there and waits for others, or one that has yet to be made."""

    __slots__ = ("frame",)

    def __init__(self, frame: bytes | None) -> None:
        self.frame = frame

    @property
    def future(self) -> "asyncio.Future[Any] | None":
        """What it will be made of."""
        return None


class _Expected(_Due):
    """One that is made when a future is done, which calls it."""

    __slots__ = ("_answers", "_frame_of", "_future")

    def __init__(self, answers: "AnswersInOrder", future: "asyncio.Future[Any]", frame_of: FrameOf) -> None:
        super().__init__(None)
        self._answers = answers
        self._frame_of = frame_of
        self._future = future

    @property
    def future(self) -> "asyncio.Future[Any]":
        """What it will be made of."""
        return self._future

    def __call__(self, future: "asyncio.Future[Any]") -> None:
        """Make it, and send what may leave now."""
        try:
            self.frame = self._frame_of(future)
        except Exception as defect:
            self._answers.fail(defect)
        else:
            self._answers.send_made()


def _ignore(*_: object) -> None:
    pass


class AnswersInOrder:
    """The answers that are due on one socket.

    Args:
        send: takes whole frames, and how many they are; never blocks and never raises.
        failed: called with the exception when an answer cannot be made. No more answers are sent then: the
            client would take the next one for the missing one.
    """

    __slots__ = ("_due", "_failed", "_made", "_send")

    def __init__(self, send: Callable[[bytes, int], None], failed: Callable[[BaseException], None]) -> None:
        self._send = send
        self._failed = failed
        self._due: deque[_Due] = deque()
        self._made: list[bytes] = []

    def __len__(self) -> int:
        """How many are due."""
        return len(self._due)

    def put(self, frame: bytes) -> None:
        """Send an answer that is there, in its turn."""
        if self._due:
            self._due.append(_Due(frame))
        else:
            self._send(frame, 1)

    def expect(self, future: "asyncio.Future[Any]", frame_of: FrameOf) -> None:
        """Send an answer when it is there, in its turn.

        Args:
            future: what it will be made of.
            frame_of: makes it, of the future when that is done; called in any case.
        """
        if future.done() and not self._due:
            self._send(frame_of(future), 1)  # what it raises, the caller learns
            return
        due = _Expected(self, future, frame_of)
        self._due.append(due)
        future.add_done_callback(due)

    async def settled(self) -> None:
        """Return when no answer is due any more."""
        while pending := [due.future for due in self._due if due.future is not None]:
            await asyncio.wait(pending)

    def drop(self) -> None:
        """Send nothing more."""
        self._due.clear()
        self._made.clear()
        # Whoever sends has these answers: so both are freed without the garbage collector.
        self._send = self._failed = _ignore

    def fail(self, defect: BaseException) -> None:
        """Send nothing more, because an answer cannot be made."""
        failed = self._failed
        self.drop()
        failed(defect)

    def send_made(self) -> None:
        """Send the answers that need wait for no other."""
        queue = self._due
        while queue and (frame := queue[0].frame) is not None:
            self._made.append(frame)
            queue.popleft()
        # Where the next one has arrived too, its callback is about to run, and sends these as well.
        following = queue[0].future if queue else None
        if self._made and (following is None or not following.done()):
            made, self._made = self._made, []
            self._send(b"".join(made), len(made))
