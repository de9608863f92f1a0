"""The errors with which an organiser's rules (`engine.sale_rules`) reject a command."""

from collections.abc import Sequence

from engine.errors import EngineError, Refused
from engine.selling_errors import SalesClosed


class PersonLimitExceeded(Refused):
    """A person would have more seats or tickets than the organiser allows.

    Args:
        limit: the highest number.
        held: what the person holds.
        bought: the person's live tickets, also those that are not paid for yet.
        requested: what the command wants in addition.
        ticket_type_id: the type that has the limit; None for a whole screening or event.
    """

    code = "person_limit_exceeded"

    def __init__(
        self, limit: int, held: int, bought: int, requested: int, ticket_type_id: int | None = None
    ) -> None:
        left = max(0, limit - held - bought)
        super().__init__(
            f"A person can have at most {limit}, over all purchases ({held} held, {bought} bought, "
            f"{requested} requested); {left or 'no'} more can be had"
        )
        self.limit = limit
        self.held = held
        self.bought = bought
        self.requested = requested
        self.ticket_type_id = ticket_type_id


class WouldStrandSeat(Refused):
    """The choice would leave single free seats, and there is another way (`engine.orphans`).

    Args:
        stranded: the seats that would be left alone.
        alternatives: choices of as many seats nearby, the best first.
    """

    code = "would_strand_seat"

    def __init__(self, stranded: Sequence[int], alternatives: Sequence[Sequence[int]]) -> None:
        instead = [list(seat_ids) for seat_ids in alternatives]
        advice = (
            f"choose {' or '.join(map(str, instead))} instead, or other seats" if instead else "choose others"
        )
        super().__init__(
            f"These seats would leave {list(stranded)} without a free seat beside them; {advice}"
        )
        self.stranded = tuple(stranded)
        self.alternatives = tuple(map(tuple, instead))


class NotOnSale(SalesClosed):
    """The screening or event as a whole is not on sale now. Arguments as for `SalesClosed`."""

    def __init__(
        self,
        reason: str,
        sales_start: float | None,
        sales_end: float | None,
        retry_after_seconds: int | None = None,
    ) -> None:
        EngineError.__init__(self, f"This is not on sale: {reason}")
        self.sales_start, self.sales_end = sales_start, sales_end
        self.retry_after_seconds = retry_after_seconds
