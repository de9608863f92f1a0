"""The ports and limits that all screening actors of a process share."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.guards import DefectLog, guarded
from engine.lease import Lease
from engine.ports import Clock, CommandMeter, Journal, Observer, Publisher

if TYPE_CHECKING:
    from engine.actor import ScreeningActor

BATCH_LIMIT = 256
"""Commands that are handled in one turn of the event loop, so that no screening starves the others."""


class CommandMeters(dict[type, CommandMeter]):
    """The observer's meters by class of command.

    Args:
        observer: is asked for a meter when the first command of a class is counted.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __missing__(self, command_type: type) -> CommandMeter:
        meter = self[command_type] = self._observer.command_meter(command_type.__name__)
        return meter


class ActorContext:
    """State shared by the actors of a process.

    Args:
        journal: writes decisions to storage.
        publisher: sends changes to watchers.
        observer: counts.
        clock: the time.
        lease: until when commands may be decided.
        mailbox_limit: commands that may be queued per screening.
        wait_limit_seconds: how long a command may be queued; after that it is rejected.
        failed: called with an actor that has failed.
        reload: called with a screening whose state only the database knows.

    Attributes:
        publisher_defects: logs the exceptions of `publisher`.
        observer: wrapped by `guarded`, so it never raises.
        meters: those of `observer`.
    """

    __slots__ = (
        "clock",
        "failed",
        "journal",
        "lease",
        "mailbox_limit",
        "meters",
        "observer",
        "publisher",
        "publisher_defects",
        "reload",
        "wait_limit_seconds",
    )

    def __init__(
        self,
        journal: Journal,
        publisher: Publisher,
        observer: Observer,
        clock: Clock,
        lease: Lease,
        mailbox_limit: int,
        wait_limit_seconds: float,
        failed: "Callable[[ScreeningActor], None]",
        reload: Callable[[int], None],
    ) -> None:
        self.journal = journal
        self.publisher = publisher
        self.publisher_defects = DefectLog(f"{type(publisher).__name__}.publish")
        self.observer = guarded(observer)
        self.meters = CommandMeters(observer)
        self.clock = clock
        self.lease = lease
        self.mailbox_limit = mailbox_limit
        self.wait_limit_seconds = wait_limit_seconds
        self.failed = failed
        self.reload = reload
