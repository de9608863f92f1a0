"""The time limit until which this server may answer as the owner of its screenings."""

from math import inf


class Lease:
    """A time limit on ownership, checked when a command is decided.

    A single server owns its screenings without a limit. In a cluster the others take over the screenings of a
    server that they have not heard of for a while. After a pause (a stopped process, a suspended machine) a
    server therefore must not decide anything before it knows which screenings it still owns.

    Attributes:
        until: in terms of `Clock.now()`, so it is moved when the clock is stepped.
        confirmations: how many times ownership of the active screenings was confirmed; those that were being
            loaded were not among them.
        lapses: how many times it has lapsed and ownership was confirmed again.
    """

    __slots__ = ("confirmations", "lapses", "until")

    def __init__(self, until: float = inf) -> None:
        self.until = until
        self.confirmations = self.lapses = 0
