"""Places of a ticket type that an administrator orders for somebody, by quantity."""

from collections.abc import Callable, Collection

from engine import blocks
from engine.commands import PlaceOrder
from engine.errors import EngineError
from engine.screening_state import Decision, ScreeningState
from engine.selling_errors import NotEnoughTickets, TicketTypeNotFound


def places_chosen(
    state: ScreeningState,
    order: PlaceOrder,
    access: Collection[str],
    decide: Callable[[tuple[int, ...]], Decision],
) -> Decision:
    """Choose free places for an order, and decide with them.

    Args:
        state: of the event.
        order: the ticket type and the quantity.
        access: keys of the blocks whose places may be taken.
        decide: decides with the places; if it raises, they stay free.

    Raises:
        TicketTypeNotFound: the event has no such ticket type.
        NotEnoughTickets: so many are not free.
    """
    kind_id, quantity = order
    if (places := state.seats.places.get(kind_id)) is None:
        raise TicketTypeNotFound(kind_id)

    def decided() -> Decision:
        if quantity > places.available:
            raise NotEnoughTickets(kind_id, quantity, places.available)
        chosen = tuple(places.choose(quantity))
        try:
            return decide(chosen)
        except EngineError:
            places.put_back(chosen)
            raise

    kept = blocks.places_for(state, (order,), access)
    return blocks.lent(state, access, kept, decided) or decided()
