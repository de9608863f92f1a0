"""Sends the responses on a socket in the order of the client's messages, without a task per response.

A response that waits for the engine is a future in the queue. Once it is done, it is sent together with the
responses that were waiting behind it; responses that become ready in one turn of the event loop are sent in
one write. Updates of the feed keep their place between the responses.

Responses can be held back until another node has been told of what they say.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

FrameOf = Callable[["asyncio.Future[Any]"], bytes]


class _Due:
    """A queued response. It has a frame if it is ready and waits for earlier ones."""

    __slots__ = ("about", "frame")

    def __init__(self, frame: bytes | None, about: int) -> None:
        self.frame = frame
        self.about = about

    @property
    def future(self) -> "asyncio.Future[Any] | None":
        """The future that a pending response waits for."""
        return None


class _Expected(_Due):
    """A response that is made once a future is done. It is the future's done callback."""

    __slots__ = ("_answers", "_frame_of", "_future")

    def __init__(
        self, answers: "OrderedAnswers", future: "asyncio.Future[Any]", frame_of: FrameOf, about: int
    ) -> None:
        super().__init__(None, about)
        self._answers = answers
        self._frame_of = frame_of
        self._future = future

    @property
    def future(self) -> "asyncio.Future[Any]":
        return self._future

    def __call__(self, future: "asyncio.Future[Any]") -> None:
        """Make the response, and send the responses that are ready."""
        try:
            self.frame = self._frame_of(future)
        except Exception as defect:
            self._answers.fail(defect)
        else:
            self._answers.send_made()


def _ignore(*_: object) -> None:
    pass


class OrderedAnswers:
    """The queue of responses on one socket.

    Args:
        send: sends frames, given as bytes and their number; never blocks or raises.
        failed: called with the exception if a response cannot be made. Then no more responses are sent,
            because the client would mistake the next one for the missing one.

    Attributes:
        due: the queued responses; to be counted only.
    """

    __slots__ = ("_failed", "_held_until", "_made", "_send", "due")

    def __init__(self, send: Callable[[bytes, int], None], failed: Callable[[BaseException], None]) -> None:
        self._send = send
        self._failed = failed
        self.due: deque[_Due] = deque()
        self._made: list[bytes] = []
        self._held_until: set[asyncio.Future[None]] = set()

    def put(self, frame: bytes, about: int = 0) -> None:
        """Send a response once all earlier ones are sent.

        Args:
            frame: the response.
            about: the screening that has changed, if any.
        """
        if self.due or self._held_until:
            self.due.append(_Due(frame, about))
        else:
            self._send(frame, 1)

    def expect(self, future: "asyncio.Future[Any]", frame_of: FrameOf, about: int = 0) -> None:
        """Send the response to a future once it is done and all earlier responses are sent.

        Args:
            future: the pending result.
            frame_of: builds the frame from the done future; called even if the socket is closed meanwhile.
            about: as for `put`.
        """
        if future.done() and not self.due:
            self.put(frame_of(future), about)  # exceptions of frame_of go to the caller
            return
        due = _Expected(self, future, frame_of, about)
        self.due.append(due)
        future.add_done_callback(due)

    def hold_back(self, until: "asyncio.Future[None]") -> None:
        """Send no response before a future is done."""
        self._held_until.add(until)
        until.add_done_callback(self._let_go)

    def _let_go(self, until: "asyncio.Future[None]") -> None:
        self._held_until.discard(until)
        self.send_made()

    def send_update(self, about: int, frames: bytes) -> None:
        """Send frames about a change of a screening after the responses about it that are ready.

        These are about earlier changes, and those that are not ready about later ones.
        """
        for due in reversed(self.due):
            if due.about == about and due.frame is not None:
                due.frame += frames
                return
        self._send(frames, 0)

    async def settled(self) -> None:
        """Wait until no response is pending."""
        while pending := [*(due.future for due in self.due if due.future is not None), *self._held_until]:
            await asyncio.wait(pending)

    def drop(self) -> None:
        """Discard all responses; none is sent from now on."""
        self.due.clear()
        self._made.clear()
        # Breaks the reference cycle with the owner, so that both are freed without the garbage collector.
        self._send = self._failed = _ignore

    def fail(self, defect: BaseException) -> None:
        """Discard all responses and report that one cannot be made."""
        failed = self._failed
        self.drop()
        failed(defect)

    def send_made(self) -> None:
        """Send the ready responses at the head of the queue, unless they are held back."""
        if self._held_until:
            return
        queue = self.due
        while queue and (frame := queue[0].frame) is not None:
            self._made.append(frame)
            queue.popleft()
        # If the next future is done too, its callback is about to run and sends these as well.
        following = queue[0].future if queue else None
        if self._made and (following is None or not following.done()):
            made, self._made = self._made, []
            self._send(b"".join(made), len(made))
