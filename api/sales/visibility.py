"""Hides how a private event sells from everybody who may not see the event.

Screenings are public. A private event looks to others as if it did not exist, and so does its stock.
"""

from api.rest.endpoint import Call
from engine.errors import NotFound
from engine.replies import Stock
from engine.selling_errors import ScreeningNotFound


def visibility_filter(call: Call) -> dict[str, int | None]:
    """Return the filter that hides events which the caller may not see."""
    return {} if call.admin else {"visible_to": call.user_id}


async def require_visible(call: Call, stock: Stock) -> None:
    """Check that the caller may see what a screening or event has to sell.

    Args:
        call: the request.
        stock: of the screening or event; one with seats of a hall is a screening.

    Raises:
        ScreeningNotFound: it is a private event, and the caller is not invited.
        StoreUnavailable: it is an event, and the database cannot be read.
    """
    if stock.capacity and not stock.ticket_types:
        return
    try:
        await call.services.catalogue.events.find(stock.screening_id, **visibility_filter(call))
    except NotFound as error:
        raise ScreeningNotFound(stock.screening_id) from error
