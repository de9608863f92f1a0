"""The core: a screening decides commands, without I/O, clock or await.

`handle(command, now)` checks everything first and changes the state afterwards, for all seats of the command
or none. If it raises, nothing has changed. Its results are data: the reply, events for the journal, and
changes for watchers.

Durable commands take two steps. `handle` begins a pending write, and the seats are COMMITTING. After the
commit `settle` finishes it; if the database rejects it, `abort` undoes it.
"""

from collections.abc import Callable, Collection
from typing import Any

from engine import alarms, blocks, counter, holding, joining, moving, selling
from engine.best_seats import hold_best
from engine.commands import (
    BlockSeats,
    BookSeats,
    CancelScreening,
    CancelTicket,
    CancelTickets,
    Command,
    ConfirmTicket,
    ConfirmTickets,
    EndArrival,
    ExtendHolds,
    HoldBest,
    HoldPlaces,
    HoldSeats,
    HoldSeatsFor,
    JoinWaitlist,
    LeaveWaitlist,
    MoveTickets,
    ReadBlocks,
    ReadChanges,
    ReadReservation,
    ReadScarcity,
    ReadSeats,
    ReadStock,
    ReceiveTickets,
    ReleaseHolds,
    ReleaseLapsed,
    RevokeHolds,
    SellSeats,
    ShowStock,
    ToggleSeats,
    UnblockSeats,
    WatchSeat,
)
from engine.deadlines import Deadlines
from engine.figures import ScreeningFigures
from engine.handover import Handover
from engine.offering import restore
from engine.policy import Policy
from engine.ports import IdSource, LoadedScreening
from engine.records import ScreeningInfo
from engine.replies import Held
from engine.scarcity import read_scarcity
from engine.screening_state import Decision, ScreeningState
from engine.seat_states import SeatAction
from engine.views import STOCK_SHOWN, SeatsChanged


class Screening:
    """A screening in memory.

    Args:
        loaded: its stored state, and the epoch of this ownership period.
        policy: limits of selling.
        hold_ids: ids for holds.
        ticket_ids: ids for tickets.
        change_memory: number of changes kept for clients that resume.
    """

    __slots__ = ("_state",)

    def __init__(
        self,
        loaded: LoadedScreening,
        policy: Policy,
        hold_ids: IdSource,
        ticket_ids: IdSource,
        change_memory: int = 1024,
    ) -> None:
        self._state = ScreeningState(loaded, policy, hold_ids, ticket_ids, change_memory)
        alarms.set_all(self._state)
        restore(self._state, loaded.waitlist)

    @property
    def info(self) -> ScreeningInfo:
        """Properties that do not change while it is in memory."""
        return self._state.info

    @property
    def epoch(self) -> int:
        """The ownership period."""
        return self._state.epoch

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and number of the last change that others have seen."""
        return self._state.position

    @property
    def deadlines(self) -> Deadlines:
        """Deadlines of its holds and pending tickets. To be read only; always the same object."""
        return self._state.seats.deadlines

    @property
    def next_deadline(self) -> float:
        """The earliest deadline or alarm, in seconds since the epoch, possibly of a hold that is gone; else
        infinity.
        """
        return self._state.seats.deadlines.earliest

    @property
    def hold_count(self) -> int:
        """Number of live holds."""
        return self._state.seats.hold_count

    @property
    def waiting_count(self) -> int:
        """Number of live entries of its waiting list."""
        return 0 if self._state.waitlist is None else len(self._state.waitlist)

    @property
    def at_rest(self) -> bool:
        """True if nothing is held, unpaid or being written, so that it may be unloaded."""
        return not self._state.pending_writes and not self._state.seats.unpaid

    @property
    def arrivals(self) -> set[int]:
        """The `seq` of each `Arrival` whose seats still wait for tickets of another screening."""
        return moving.arrivals(self._state)

    def figures(self, queue: int, now: float) -> ScreeningFigures:
        """Figures for operators; see `ScreeningState.figures`."""
        return self._state.figures(queue, now)

    def handle(self, command: Command, now: float) -> Decision:
        """Decide a command.

        Args:
            command: any of `engine.commands`, for this screening.
            now: seconds since the epoch. The caller has released what had lapsed by then (`ReleaseLapsed`).

        Returns:
            The decision; the state has been changed accordingly.

        Raises:
            EngineError: the command is rejected, and nothing has changed.
        """
        return _HANDLERS[type(command)](self._state, command, now)

    @property
    def continued(self) -> bool:
        """True if clients that have seen everything of the earlier epoch have missed nothing."""
        return bool(self._state.continued)

    def handover(self) -> Handover:
        """The state that is not stored: the memory of holders, and the last change that others have seen."""
        return self._state.handover()

    def recall(self, handover: Handover) -> None:
        """Remember the `handover` of an earlier state of this screening."""
        self._state.recall(handover)

    def differing_seats(self, earlier: "Screening") -> frozenset[int]:
        """Seats that others see differently than in an earlier state of this screening."""
        before, after = earlier._state.seats.views(), self._state.seats.views()
        return frozenset(seat for seat in before.keys() | after if before.get(seat) != after.get(seat))

    def show_again(self, seat_ids: Collection[int], now: float) -> SeatsChanged:
        """Return a change with the present state of some seats, for watchers of an outdated copy."""
        return self._state.show("seats_reloaded", self._state.seats.shown_of(sorted(seat_ids)), now)

    def move_deadlines(self, seconds: float, now: float) -> Decision:
        """Move all deadlines by a step of the wall clock, so that holds keep their remaining time."""
        return holding.move_deadlines(self._state, seconds, now)

    def warn_expiring(self, now: float) -> Decision:
        """Tell the holders whose holds will expire soon; each deadline is announced once."""
        return holding.warn_expiring(self._state, now)

    def hash_for_watchers(self, now: float) -> Decision:
        """Tell watchers the hash of what everybody sees, if that has changed since the last one."""
        change = self._state.hash_for_watchers(now)
        return Decision(Held(()), changes=(change,) if change else ())

    def digest_for_storage(self, now: float, after_changes: int) -> Decision:
        """Store the hash of who has which seat; see `ScreeningState.digest_for_storage`."""
        stored = self._state.digest_for_storage(now, after_changes)
        return Decision(Held(()), (stored,) if stored else ())

    def settle(self, write_id: int, now: float) -> Decision:
        """Finish a pending write that has been committed."""
        state = self._state
        write = state.pending_writes.pop(write_id)
        if not write.seat_ids:
            return Decision(write.reply)  # a block, which others have seen before
        state.seats.settle(write)
        change = state.show(write.cause, state.seats.shown_of(write.seat_ids), now)
        decision = Decision(write.reply, changes=(change,))
        if state.waitlist is None:
            return decision
        bought = write.seat_ids if write.action is SeatAction.ISSUE else ()
        return state.waitlist.serve(state, decision, now, write.seat_ids, bought)

    def abort(self, write_id: int, now: float) -> Decision:
        """Undo a pending write that will never be committed.

        Raises:
            NotBlocked: it was a block; the screening has to be loaded again.
        """
        state = self._state
        write = state.pending_writes.pop(write_id)
        if not write.seat_ids:
            raise blocks.NotBlocked
        state.seats.abort(write)
        change = state.show("operation_aborted", state.seats.shown_of(write.seat_ids), now)
        decision = Decision(write.reply, changes=(change,))
        if state.waitlist is None:
            return decision
        return state.waitlist.serve(state, decision, now, write.seat_ids)


def _read_seats(state: ScreeningState, command: ReadSeats, now: float) -> Decision:
    state.require_seats()
    return Decision(state.seat_map())


def _read_stock(state: ScreeningState, command: ReadStock, now: float) -> Decision:
    return Decision(state.stock())


def _show_stock(state: ScreeningState, command: ShowStock, now: float) -> Decision:
    change = state.show(STOCK_SHOWN, (), now)
    return Decision(state.stock(), changes=(change,))


def _read_changes(state: ScreeningState, command: ReadChanges, now: float) -> Decision:
    state.require_seats()
    return Decision(state.changes_since(command.epoch, command.since))


_HANDLERS: dict[type, Callable[[ScreeningState, Any, float], Decision]] = {
    HoldSeats: holding.hold_seats,
    HoldBest: hold_best,
    HoldPlaces: holding.hold_places,
    ToggleSeats: holding.toggle_seats,
    ExtendHolds: holding.extend_holds,
    ReleaseHolds: holding.release_holds,
    ReleaseLapsed: holding.release_lapsed,
    HoldSeatsFor: counter.hold_seats_for,
    RevokeHolds: holding.revoke_holds,
    BookSeats: selling.book_seats,
    SellSeats: selling.sell_seats,
    ConfirmTicket: selling.confirm_ticket,
    ConfirmTickets: selling.confirm_tickets,
    CancelTicket: selling.cancel_ticket,
    CancelTickets: selling.cancel_tickets,
    MoveTickets: moving.move_tickets,
    ReceiveTickets: moving.receive_tickets,
    EndArrival: moving.end_arrival,
    CancelScreening: selling.cancel_screening,
    BlockSeats: blocks.block_seats,
    UnblockSeats: blocks.unblock_seats,
    ReadBlocks: blocks.read_blocks,
    JoinWaitlist: joining.join_waitlist,
    WatchSeat: joining.watch_seat,
    LeaveWaitlist: joining.leave_waitlist,
    ReadSeats: _read_seats,
    ReadReservation: holding.read_reservation,
    ReadStock: _read_stock,
    ShowStock: _show_stock,
    ReadScarcity: read_scarcity,
    ReadChanges: _read_changes,
}
