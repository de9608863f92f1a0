"""Takes somebody whose account is gone off all waiting lists."""

from api.rows import Rows
from api.services import Screenings
from engine.commands import LeaveWaitlist
from engine.selling_errors import BookingInProgress
from engine.waitlist_errors import NotWaiting

_AT_ONCE = 1000


async def leave_all(screenings: Screenings, waitlist: Rows, holder: str) -> None:
    """End all live entries of a holder; what was offered goes on to the next ones.

    Args:
        screenings: decide it.
        waitlist: the stored entries.
        holder: who leaves.

    Raises:
        EngineError: a screening or the database cannot be reached.
    """
    for record in (await waitlist.listed({"holder": holder}, limit=_AT_ONCE, counted=False)).records:
        try:
            await screenings.ask(LeaveWaitlist(record["screening_id"], holder, record["id"]))
        except (NotWaiting, BookingInProgress):
            pass  # It has ended meanwhile, or what was offered is being bought.
