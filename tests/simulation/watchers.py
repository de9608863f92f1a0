"""Sockets that watch screenings at nodes, come back when their node has gone, and resume by `since`."""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from api.ws.feed import Changes, Frames, Position, Watcher
from engine.commands import ReadChanges, ReadSeats
from engine.errors import EngineError
from tests.simulation.deeds import seats_of
from tests.simulation.server import Server

if TYPE_CHECKING:
    from tests.simulation.world import World

_PAUSE_SECONDS = 0.5


class Watchers:
    """All watchers of a history.

    Attributes:
        records: what they were shown.
        viewers: the watchers.
        numbers: of their sockets.
    """

    def __init__(self, world: "World") -> None:
        self.world = world
        self.records: list[dict[str, Any]] = []
        self.viewers: list[Viewer] = []
        self.numbers = count()

    def watch(self, where: str, screening: int, number: int) -> None:
        """Open a socket at a node."""
        viewer = Viewer(self, f"viewer-{number}", where, screening)
        self.viewers.append(viewer)
        viewer.connect()


class _Watcher(Watcher):
    """A watcher with a hash that is the same in each run, since the feed keeps watchers in sets."""

    __slots__ = ("number",)

    def __hash__(self) -> int:
        return self.number


class Viewer:
    """One watcher. What it has is what it was shown: the socket takes no time.

    Attributes:
        position: of its picture.
        server: where its socket is open; None while it has none.
    """

    def __init__(self, watchers: Watchers, name: str, where: str, screening: int) -> None:
        self.position = Position(0, 0)
        self.server: Server | None = None
        self._watchers = watchers
        self._name = name
        self._where = where
        self._screening = screening

    def connect(self) -> None:
        """Open a socket, now or when its node serves."""
        world = self._watchers.world
        server = world.servers.get(self._where)
        if server is None or not server.serving or server.process.dead or server.process.paused:
            world.later(_PAUSE_SECONDS, self.connect)
            return
        self.server = server
        server.process.spawn(self._enter(server))

    def left(self, server: Server) -> None:
        """The node has gone; come back."""
        if self.server is server:
            self.server = None
            self.connect()

    async def _enter(self, server: Server) -> None:
        """Join the feed and load the seats as `api.seats.socket` does."""
        watcher = _Watcher(self._screening, "user:9", self._encoded, lambda frames: None, lambda: None)
        watcher.number = next(self._watchers.numbers)
        server.feed.join(watcher)
        watcher.buffer()
        try:
            changes = await server.screenings.ask(ReadChanges(self._screening, *self.position))
            while changes.missed is None:
                watcher.pause()
                seat_map = await server.screenings.ask(ReadSeats(self._screening))
                self._note(seat_map.epoch, seat_map.seq, picture=seats_of(seat_map))
                watcher.buffer()
                changes = await server.screenings.ask(
                    ReadChanges(self._screening, seat_map.epoch, seat_map.seq)
                )
        except EngineError:
            server.feed.leave(watcher)
            world = self._watchers.world
            world.later(_PAUSE_SECONDS, self.left, server)
            return
        if changes.missed:
            self._encoded([changes.missed])
        watcher.follow(Position(changes.epoch, changes.seq))

    def _encoded(self, batches: Sequence[Changes]) -> "Viewer":
        changes = [change for batch in batches for change in batch]
        seats = {view.seat_id: view for change in changes for view in change.views}
        shown = [
            {"seat": view.seat_id, "status": view.status}
            | ({} if view.status == "available" else {"user": view.holder})
            for view in seats.values()
        ]
        self._note(changes[-1].epoch, changes[-1].seq, changes=shown)
        return self

    def frames(self, holder: str) -> Frames:
        """Return empty frames: nothing has to be sent."""
        return Frames(b"", 0)

    def _note(self, epoch: int, seq: int, **seen: Any) -> None:
        world = self._watchers.world
        self.position = Position(epoch, seq)
        world.trace("sees", self._name, epoch, seq)
        self._watchers.records.append(
            {
                "kind": "seen",
                "watcher": self._name,
                "time": world.loop.time(),
                "screening": self._screening,
                "epoch": epoch,
                "seq": seq,
                **seen,
            }
        )
