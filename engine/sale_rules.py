"""The rules by which an organiser sells a screening or an event, beside its price.

They are fields of the screening or event, and do not change while it is in memory: a change loads it again.
A screening without rules pays nothing for them: its holds are not checked one by one
(`ScreeningState.unchecked_seats`).
"""

from enum import StrEnum
from typing import NamedTuple


class OrphanRule(StrEnum):
    """What happens to a choice of seats that leaves a single free seat."""

    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


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
    """

    orphan_rule: OrphanRule = OrphanRule.OFF
    orphan_share: float = 0.0
    max_per_user: int | None = None
    sales_start: float | None = None
    sales_end: float | None = None


NO_RULES = SaleRules()
