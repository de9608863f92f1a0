"""The errors of joining a waiting list. See `engine.errors` for the rules.

EngineError
├── NotFound
│   └── NotWaiting
└── Refused
    └── StillAvailable, AlreadyWaiting, WaitlistFull, TooManyWatches
"""

from engine.errors import NotFound, Refused


class NotWaiting(NotFound):
    """There is no such entry, or it is somebody else's."""

    code = "waitlist_entry_not_found"

    def __init__(self, entry_id: int) -> None:
        super().__init__("waitlist_entry", entry_id)


class StillAvailable(Refused):
    """There is no need to wait: what the caller wants is free.

    Args:
        available: number of seats or places that are free.
    """

    code = "still_available"

    def __init__(self, available: int) -> None:
        free = f"{available} are" if available != 1 else "1 is"
        super().__init__(f"There is no need to wait: {free} free; reserve instead")
        self.available = available


class AlreadyWaiting(Refused):
    """The caller waits for this already.

    Args:
        entry_id: the caller's entry.
    """

    code = "already_waiting"

    def __init__(self, entry_id: int) -> None:
        super().__init__("You are waiting for this already; leave the list first to change your request")
        self.entry_id = entry_id


class WaitlistFull(Refused):
    """The waiting list of the screening has reached its limit."""

    code = "waitlist_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The waiting list is full: it has {limit} entries; try again later")
        self.limit = limit


class TooManyWatches(Refused):
    """The caller has asked to be told about too many seats of the screening."""

    code = "too_many_watches"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"You can be told about {limit} seats of a screening at most; withdraw one of your requests first"
        )
        self.limit = limit
