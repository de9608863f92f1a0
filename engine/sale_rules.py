"""The rules by which an organiser sells a screening or an event, beside its price.

They are fields of the screening or event, and do not change while it is in memory: a change loads it again.
A screening without rules pays nothing for them: its holds are not checked one by one
(`ScreeningState.unchecked_seats`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class OrphanRule(StrEnum):
    """The treatment of a choice of seats that leaves a single free seat."""

    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


class Window(NamedTuple):
    """The time in which something is on sale. Times are seconds since the epoch.

    Attributes:
        sales_start: sales open at this time; None for always.
        sales_end: sales close at this time; None for never.
    """

    sales_start: float | None = None
    sales_end: float | None = None

    def within(self, other: "Window") -> "Window":
        """The time at which both windows are open."""
        starts = [start for start in (self.sales_start, other.sales_start) if start is not None]
        ends = [end for end in (self.sales_end, other.sales_end) if end is not None]
        return Window(max(starts, default=None), min(ends, default=None))


ALWAYS = Window()

NO_WINDOWS: Mapping[int, Window] = {}
"""Stands for ticket types that are always on sale; never changed."""


class Presale(NamedTuple):
    """An earlier start of sales for buyers who have access to a channel.

    Attributes:
        sales_start: from this time on, in seconds since the epoch.
    """

    channel: str
    sales_start: float


class SaleRules(NamedTuple):
    """The rules of one screening or event. All times are seconds since the epoch.

    Attributes:
        orphan_rule: about single free seats.
        orphan_share: the orphan rule is not enforced while less than this share of the seats is free; from 0
            to 1.
        max_per_user: highest number of seats or tickets that one person may hold and have bought; None for
            any.
        sales_start: sales open at this time; None for always.
        sales_end: sales close at this time; None for the start of the screening.
        presales: for whom sales open earlier.
    """

    orphan_rule: OrphanRule = OrphanRule.OFF
    orphan_share: float = 0.0
    max_per_user: int | None = None
    sales_start: float | None = None
    sales_end: float | None = None
    presales: tuple[Presale, ...] = ()

    @property
    def window(self) -> Window:
        """The time in which the screening or event is on sale."""
        return Window(self.sales_start, self.sales_end)


NO_RULES = SaleRules()
