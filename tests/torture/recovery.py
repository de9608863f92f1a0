"""Crashes in a model: the latest changes that were not durable may be undone, within the published window.

A server answers holds from memory and writes them behind, in order (docs/consistency.md). So a crash undoes
the latest changes of an object, never one from the middle, and nothing before a booking, which is durable.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, NamedTuple

from tests.torture.calls import Call, Model, State
from tests.torture.history import Fault, Id, Settings

LOSS = "loss"
"""Name of the drift that a crash causes."""

_RECORDED_SECONDS = 0.5
"""Accuracy of the recorded end of a process."""


@dataclass(frozen=True)
class Loss:
    """Time in which a fault may undo changes.

    Attributes:
        fault: the fault.
        exposed_from, exposed_until: changes are at risk if they were answered after the first and requested
            before the second.
        begins_at, ends_at: when the loss may show.
    """

    fault: Fault
    exposed_from: float
    exposed_until: float
    begins_at: float
    ends_at: float

    def concerns(self, screening: Id | None) -> bool:
        """Return whether changes of a screening may be undone."""
        return self.fault.screening is None or str(self.fault.screening) == str(screening)

    def exposes(self, invoked_at: float, returned_at: float) -> bool:
        """Return whether a change that was requested and answered at these times is at risk."""
        return invoked_at <= self.exposed_until and returned_at >= self.exposed_from


def losses(faults: Sequence[Fault], settings: Settings) -> list[Loss]:
    """Return when which faults may undo changes.

    The window before a crash is the lag of the journal. While the database is slow or away, nothing is
    written, so the window reaches back to the beginning of that.
    """
    found = []
    for fault in faults:
        if not fault.loses_holds:
            continue
        exposed_from = fault.begins_at - settings.loss_window_seconds
        for stall in sorted(faults, key=lambda fault: -fault.ends_at):
            catches_up_at = stall.ends_at + settings.settle_seconds
            if stall.stalls_writes and stall.begins_at <= fault.begins_at and catches_up_at >= exposed_from:
                exposed_from = min(exposed_from, stall.begins_at - settings.loss_window_seconds)
        # A process that is dead or stopped decides nothing; one that is cut off goes on for a while.
        exposed_until = fault.begins_at + _RECORDED_SECONDS if fault.halts else fault.ends_at
        ends_at = fault.ends_at + settings.settle_seconds
        found.append(Loss(fault, exposed_from, exposed_until, fault.begins_at, ends_at))
    return found


class Recoverable(NamedTuple, Generic[State]):
    """A state that a crash may undo.

    Attributes:
        now: the state.
        earlier: states before the latest changes, each with the time of the answer to the change.
        losses: how often it has been undone.
    """

    now: State
    earlier: tuple[tuple[State, float], ...] = ()
    losses: int = 0


class Recovering(Generic[State]):
    """A model whose latest changes may be undone.

    Args:
        model: the model without crashes.
        possible: when something may be lost.
        limit: how often something is lost at most. The search is much shorter if that is little.

    Attributes:
        limit: the same.
    """

    def __init__(self, model: Model[State], possible: Sequence[Loss], limit: float = inf) -> None:
        self._model = model
        self._possible = possible
        self.limit = limit
        self.initial = Recoverable(model.initial)
        self.anything = None if model.anything is None else Recoverable(model.anything)

    def apply(self, state: Recoverable[State], call: Call) -> Recoverable[State] | None:
        """Apply a call and remember what it has changed, if that can be lost."""
        after = self._model.apply(state.now, call)
        if after is None or after == state.now:
            return None if after is None else state
        return self._changed(state, after, call)

    def _changed(self, state: Recoverable[State], after: State, call: Call) -> Recoverable[State]:
        if call.losable and not call.claims and state.losses < self.limit:
            earlier = (*state.earlier, (state.now, call.returned_at))
            return Recoverable(after, self._still_exposed(earlier, call.invoked_at), state.losses)
        return Recoverable(after, losses=state.losses)

    def excused(
        self, state: Recoverable[State], call: Call, running: Sequence[Call]
    ) -> Iterator[Recoverable[State]]:
        """As without crashes; what only a part of the call has changed may be undone with the rest."""
        for after in self._model.excused(state.now, call, running):
            yield state if after == state.now else self._changed(state, after, call)

    def misfits(self, state: Recoverable[State], call: Call) -> int:
        """As without crashes."""
        return self._model.misfits(state.now, call)

    def drifts(self, state: Recoverable[State], now: float) -> Iterator[tuple[str, Recoverable[State]]]:
        """Return what happens by itself, and what a crash may have left."""
        for name, after in self._model.drifts(state.now, now):
            yield name, state._replace(now=after)
        for left in self._left(state, now):
            yield LOSS, left

    def _still_exposed(
        self, earlier: tuple[tuple[State, float], ...], now: float
    ) -> tuple[tuple[State, float], ...]:
        """Forget what no crash from now on can undo, so that states that differ only in that are one."""
        exposed_from = min((one.exposed_from for one in self._possible if one.ends_at >= now), default=inf)
        length = len(earlier)
        while length and earlier[length - 1][1] >= exposed_from:
            length -= 1
        return earlier[length:]

    def _left(self, state: Recoverable[State], now: float) -> Iterable[Recoverable[State]]:
        left = set()
        for loss in self._possible if state.earlier else ():
            if loss.begins_at <= now <= loss.ends_at:
                for length in range(len(state.earlier) - 1, -1, -1):
                    before, returned_at = state.earlier[length]
                    if returned_at < loss.exposed_from:
                        break
                    left.add(Recoverable(before, state.earlier[:length], state.losses + 1))
        return sorted(left, key=lambda recoverable: -len(recoverable.earlier))
