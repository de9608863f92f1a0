"""Decisions about blocks: seats and places that an organiser keeps back.

A command may take seats of a block if the key of the block is among its `access`. Only when a command finds
that a seat it wants is not free does it look for such seats (`lent`). They are then available to this one
command: every other rule sees free seats, and those that it does not take return to their block.

Blocking and unblocking take effect at once, like holds, but the caller is answered after the commit. If the
database rejects the event, the screening is loaded again.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from math import inf
from typing import TypeVar

from engine import events as ev
from engine.block_errors import BlockLimitReached, BlockNotFound
from engine.commands import BlockSeats, PlaceOrder, ReadBlocks, UnblockSeats
from engine.places import ticket_type_of
from engine.records import Block
from engine.replies import BlockLevel, Blocks
from engine.screening_state import Decision, ScreeningState
from engine.seat_inventory import SeatInventory
from engine.seat_records import Kept, PendingWrite
from engine.seat_states import SeatAction, SeatStatus
from engine.selling_errors import (
    NotEnoughTickets,
    NothingForSale,
    ScreeningCancelled,
    ScreeningStarted,
    TicketTypeNotFound,
)

Happened = TypeVar("Happened", ev.SeatsBlocked, ev.SeatsUnblocked)

BLOCKS_LIMIT = 1000
"""Highest number of blocks of a screening."""

RELEASE = "release of blocks"
"""The name of the alarm."""


class NotBlocked(Exception):
    """The database has rejected a block: a bug. The screening is loaded again."""


def block_seats(state: ScreeningState, command: BlockSeats, now: float) -> Decision:
    """Keep back free seats, or free places of a ticket type."""
    if now >= state.starts_at:
        raise ScreeningStarted(state.screening_id, "block seats")
    if state.closed:
        raise ScreeningCancelled(state.screening_id)
    if state.info.free_seats:
        raise NothingForSale(state.screening_id)
    if len(state.seats.kept.blocks) >= BLOCKS_LIMIT:
        raise BlockLimitReached(BLOCKS_LIMIT)
    if (kind_id := command.ticket_type_id) is None:
        seat_ids = _free_seats(state, command)
    else:
        seat_ids = _free_places(state, kind_id, command.quantity)
    block = Block(
        *(state.hold_ids.take(1), state.screening_id, command.label, command.kind, tuple(seat_ids), now),
        *(command.actor, command.channel, command.release_at),
    )
    state.seats.keep(block, block.seat_ids)
    return _durable(state, _happened(state, ev.SeatsBlocked, command.actor, block, block.seat_ids, now))


def unblock_seats(state: ScreeningState, command: UnblockSeats, now: float) -> Decision:
    """Release a block, or some of its seats. Those that somebody holds or has bought stay with them."""
    block = state.seats.kept.blocks.get(command.block_id)
    if block is None:
        raise BlockNotFound(command.block_id)
    wanted = block.seat_ids if command.seat_ids is None else command.seat_ids
    of_block = set(block.seat_ids)
    seat_ids = tuple([seat_id for seat_id in dict.fromkeys(wanted) if seat_id in of_block])
    decision = _durable(state, unblock(state, block, seat_ids, command.actor, now))
    return decision if state.waitlist is None else state.waitlist.serve(state, decision, now)


def unblock(
    state: ScreeningState, block: Block, seat_ids: Collection[int], actor: str, now: float
) -> ev.SeatsUnblocked:
    """Release seats of a block; `actor` is who causes it."""
    rest, freed = state.seats.unblock(block, seat_ids)
    return _happened(state, ev.SeatsUnblocked, actor, rest, freed, now)


def unblock_due(state: ScreeningState, now: float) -> list[ev.SeatsUnblocked]:
    """Release the blocks whose time has come."""
    due = [block for block in state.seats.kept.blocks.values() if (block.release_at or inf) <= now]
    return [unblock(state, block, block.seat_ids, ev.SYSTEM, now) for block in due]


def set_alarm(state: ScreeningState) -> None:
    """Set the alarm to the next release of a block."""
    state.seats.deadlines.set_alarm(RELEASE, state.seats.kept.next_release)


def read_blocks(state: ScreeningState, command: ReadBlocks, now: float) -> Decision:
    """Return the blocks, with how many of their seats nobody has."""
    return Decision(Blocks(tuple([_level(state.seats, block) for block in state.seats.kept.blocks.values()])))


def lent(
    state: ScreeningState, access: Collection[str], seat_ids: Sequence[int], decide: Callable[[], Decision]
) -> Decision | None:
    """Decide a command to which the seats of some blocks are available.

    Args:
        state: of the screening.
        access: the keys of the command.
        seat_ids: the seats that it wants; those of blocks with another key stay kept back.
        decide: decides the command.

    Returns:
        The decision; None if there are no such seats among those that it wants.
    """
    seats = state.seats
    wanted = [seat_id for seat_id in dict.fromkeys(seat_ids) if _is_open(seats, seat_id, access)]
    if not wanted:
        return None
    seats.lend(wanted)
    seats.lending = True
    try:
        return decide()
    finally:
        for ticket_type_id in {ticket_type_of(seat_id) for seat_id in wanted if seat_id < 0}:
            seats.places[ticket_type_id].end_loan()
        seats.take_back(wanted)
        seats.lending = False


def places_for(state: ScreeningState, orders: Iterable[PlaceOrder], access: Collection[str]) -> list[int]:
    """The places of blocks that orders may take, of each ticket type as many as they want at most."""
    if not access:
        return []
    left: dict[int, int] = {}
    for ticket_type_id, quantity in orders:
        left[ticket_type_id] = left.get(ticket_type_id, 0) + quantity
    chosen = []
    for seat_id in state.seats.kept.open_to(access):
        ticket_type_id = ticket_type_of(seat_id)
        if left.get(ticket_type_id, 0) and isinstance(state.seats.record(seat_id), Kept):
            left[ticket_type_id] -= 1
            chosen.append(seat_id)
    return chosen


def _is_open(seats: SeatInventory, seat_id: int, access: Collection[str]) -> bool:
    record = seats.record(seat_id)
    return isinstance(record, Kept) and record.key in access


def _free_seats(state: ScreeningState, command: BlockSeats) -> Sequence[int]:
    wanted = state.known(command.seat_ids)
    if not state.seats.are_free(wanted):
        # The seats of an administrator are not free either.
        raise state.unavailable(state.seats.availability("", wanted))
    return wanted


def _free_places(state: ScreeningState, ticket_type_id: int, quantity: int) -> Sequence[int]:
    places = state.seats.places.get(ticket_type_id)
    if places is None:
        raise TicketTypeNotFound(ticket_type_id)
    if quantity > places.available:
        raise NotEnoughTickets(ticket_type_id, quantity, places.available)
    return places.choose(quantity)


def _level(seats: SeatInventory, block: Block) -> BlockLevel:
    statuses = [seats.status(seat_id) for seat_id in block.seat_ids]
    return BlockLevel(block, statuses.count(SeatStatus.BLOCKED), statuses.count(SeatStatus.BOOKED))


def _happened(
    state: ScreeningState,
    event_type: type[Happened],
    actor: str,
    block: Block,
    seat_ids: tuple[int, ...],
    now: float,
) -> Happened:
    seats = state.seats
    event = event_type(
        *(state.screening_id, state.epoch, state.seq + 1, now, actor, block, seat_ids),
        *(seats.available, seats.capacity),
    )
    state.remember(event)
    set_alarm(state)
    return event


def _durable(state: ScreeningState, event: ev.SeatsBlocked | ev.SeatsUnblocked) -> Decision:
    state.pending_writes[event.seq] = PendingWrite(
        event.seq, SeatAction.BLOCK, event.actor, (), None, event.kind, event
    )
    return Decision(event, (event,), (event,), event.seq)
