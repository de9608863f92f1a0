"""The ports and limits that all screening actors of a process share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.guards import DefectLog
from engine.lease import Lease
from engine.ports import Clock, CommandMeter, Journal, Observer, Publisher

if TYPE_CHECKING:
    from engine.actor import ScreeningActor


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


@dataclass(frozen=True, slots=True)
class ActorContext:
    """State shared by the actors of a process.

    Attributes:
        publisher_defects: logs the exceptions of `publisher`.
        observer: wrapped by `guarded`, so it never raises.
        mailbox_limit: commands that may be queued per screening.
        batch_limit: commands that are handled in one turn of the event loop, so that no screening starves the
            others.
        wait_limit_seconds: how long a command may be queued; after that it is rejected.
        lease: until when commands may be decided.
        failed: called with an actor that has failed.
    """

    journal: Journal
    publisher: Publisher
    publisher_defects: DefectLog
    observer: Observer
    meters: CommandMeters
    clock: Clock
    mailbox_limit: int
    batch_limit: int
    wait_limit_seconds: float
    lease: Lease
    failed: "Callable[[ScreeningActor], None]"
