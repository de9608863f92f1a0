"""A linearizability checker: is there an order of all calls that a sequential model could have answered?

This is the search of Wing and Gong ("Testing and verifying concurrent objects", 1993) as improved by Lowe
("Testing for linearizability", 2017): calls take effect just in time, that is, only when the return of a
call cannot be passed otherwise, and configurations that were reached before are not searched again. Histories
are split per object by the caller, which is sound because linearizability is local.

What is added here:

* A call without a return stays possible for ever: it takes effect when that explains something, or never. Of
  two configurations that differ only in such calls, the one that has used fewer of them is enough.
* Calls that only observe take effect as soon as they fit the state, since that never rules anything out. So
  ten thousand refusals beside one success are as cheap as one after the other.
* A model may change by itself ("drift"), depending on the time: a hold expires, a crash loses something.
  Because the search puts everything off, drifts that end at some time are searched at that time, too
  (`flashes`).

The search goes depth first, so it passes correct histories nearly straight. If it finds no order, there is
none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from math import inf
from typing import Generic, NamedTuple

from tests.torture.calls import Call, Model, State

STEPS_LIMIT = 1_000_000
"""Steps that are tried per object before the search gives up and says so."""

_OMISSIONS_LIMIT = 100
"""Observations that are left out on trial when a contradiction is made smaller."""


class Step(NamedTuple, Generic[State]):
    """One step of the order that was found: a call, or a drift's name, with the state before and after."""

    what: Call | str
    before: State
    after: State


@dataclass(frozen=True)
class Outcome(Generic[State]):
    """Result of a search.

    Attributes:
        order: the steps, if there is an order.
        stuck: otherwise the first call whose answer cannot be explained together with all before it.
        undecided: whether the search was given up.
        steps: number of steps that were tried.
    """

    order: Sequence[Step[State]] | None
    stuck: Call | None = None
    undecided: bool = False
    steps: int = 0

    @property
    def linearizable(self) -> bool:
        """True if an order was found."""
        return self.order is not None


def linearize(
    calls: Sequence[Call],
    model: Model[State],
    *,
    state: State | None = None,
    flashes: Sequence[float] = (),
    steps_limit: int = STEPS_LIMIT,
) -> Outcome[State]:
    """Look for an order of the calls on one object.

    Args:
        calls: in any order.
        model: what a sequential object would answer.
        state: the state before the first call; the model's initial state by default.
        flashes: times at which drifts end.
        steps_limit: number of steps after which the search is given up.
    """
    search = _Search(calls, model, flashes)
    return search.run(model.initial if state is None else state, steps_limit)


def contradiction(
    calls: Sequence[Call], model: Model[State], stuck: Call, flashes: Sequence[float] = ()
) -> list[Call]:
    """Return a small part of a history without order that has no order either, whatever came before it.

    Everything after `stuck` is cut off, then as much as possible of the beginning, then observations one by
    one. Calls that change something are only left out with all that came before them: without them a correct
    history could look wrong.
    """

    def is_wrong(part: Sequence[Call], state: State) -> bool:
        outcome = linearize(part, model, state=state, flashes=flashes, steps_limit=STEPS_LIMIT // 20)
        return not outcome.linearizable and not outcome.undecided

    end = stuck.returned_at
    known = [
        call if call.returned_at <= end else replace(call, returned_at=inf)
        for call in calls
        if call.invoked_at <= end and not (call.observes and call.returned_at > end)
    ]
    starts = sorted(call.invoked_at for call in known)
    low, high, part, state = 0, len(starts), known, model.initial
    if model.anything is None:
        high = low
    while low < high:
        middle = (low + high) // 2
        later = [call for call in known if call.returned_at >= starts[middle]]
        if is_wrong(later, model.anything):
            part, state, low = later, model.anything, middle + 1
        else:
            high = middle
    for call in [call for call in part if call.observes and call is not stuck][:_OMISSIONS_LIMIT]:
        smaller = [other for other in part if other is not call]
        if is_wrong(smaller, state):
            part = smaller
    return sorted(part, key=lambda call: call.invoked_at)


_INVOKE, _FLASH, _RETURN = range(3)
"""Kinds of events. At the same time, calls begin before others end: they are concurrent."""


class _Event(NamedTuple):
    """A call begins, or must have taken effect; or a drift may happen for the last time (`_FLASH`)."""

    time: float
    kind: int
    slot: int
    call: Call | None


class _Move(NamedTuple, Generic[State]):
    """A step that may be taken: a call from a slot or a drift. `what` None only passes a flash."""

    what: Call | str | None
    state: State
    slot: int = 0


class _Node(Generic[State]):
    """A place in the search where the next event cannot just be passed.

    Attributes:
        index: the event.
        used: calls with a return that have taken effect before it, as bits of their slots.
        spent: calls without a return that have taken effect.
        running: calls that have begun and not returned, by slot.
        claiming: those of them that claim the object.
        length: length of the order up to here.
        moves: steps that have not been tried.
    """

    __slots__ = ("claiming", "index", "length", "moves", "running", "spent", "state", "used")

    def __init__(self, index: int, state: State) -> None:
        self.index = index
        self.state = state
        self.used = self.spent = 0
        self.running: dict[int, Call] = {}
        self.claiming: dict[int, Call] = {}
        self.length = 0
        self.moves: Iterator[_Move[State]] = iter(())


class _Search(Generic[State]):
    """One search; `run` may be called once."""

    def __init__(self, calls: Sequence[Call], model: Model[State], flashes: Sequence[float]) -> None:
        self._model = model
        self._events = _events(calls, flashes)
        self._order: list[Step[State]] = []
        self._reached: dict[tuple[int, State, int], list[int]] = {}
        self._furthest = 0

    def run(self, state: State, steps_limit: int) -> Outcome[State]:
        """Search depth first, without recursion."""
        node = _Node(0, state)
        if self._passes_to_end(node):
            return Outcome(self._order)
        stack, steps = [node], 0
        while stack:
            node = stack[-1]
            del self._order[node.length :]
            move = next(node.moves, None)
            if move is None:
                stack.pop()
                continue
            steps += 1
            if steps > steps_limit:
                return Outcome(None, self._stuck(), True, steps)
            following = self._moved(node, move)
            if self._passes_to_end(following):
                return Outcome(self._order, steps=steps)
            if self._is_new(following):
                stack.append(following)
        return Outcome(None, self._stuck(), False, steps)

    def _stuck(self) -> Call | None:
        """The call that no configuration could pass; at a flash, the next one that returns."""
        following = (event.call for event in self._events[self._furthest :] if event.kind == _RETURN)
        return next(following, None)

    def _is_new(self, node: _Node[State]) -> bool:
        """Return whether no such configuration was reached that has spent the same calls or fewer."""
        reached = self._reached.setdefault((node.index, node.state, node.used), [])
        if any(spent & node.spent == spent for spent in reached):
            return False
        reached.append(node.spent)
        return True

    def _moved(self, node: _Node[State], move: _Move[State]) -> _Node[State]:
        following = _Node(node.index, move.state)
        following.used, following.spent = node.used, node.spent
        following.running, following.claiming = node.running, node.claiming
        if move.what is None:
            following.index += 1
            return following
        self._order.append(Step(move.what, node.state, move.state))
        if isinstance(move.what, Call):
            if move.what.unknown:
                following.spent |= 1 << move.slot
            else:
                following.used |= 1 << move.slot
        if node.state != move.state:
            self._observe_all(following)
        return following

    def _passes_to_end(self, node: _Node[State]) -> bool:
        """Pass all events that leave no choice. Returns whether none is left."""
        events = self._events
        node.running = running = dict(node.running)
        node.claiming = claiming = dict(node.claiming)
        while node.index < len(events):
            _, kind, slot, call = events[node.index]
            if kind == _INVOKE:
                assert call is not None
                running[slot] = call
                if call.claims:
                    claiming[slot] = call
                    self._observe_all(node)
                if call.observes:
                    self._observe(node, slot, call)
            elif kind == _RETURN and node.used >> slot & 1:
                node.used &= ~(1 << slot)
                del running[slot]
                claiming.pop(slot, None)
            else:
                node.length = len(self._order)
                node.moves = self._moves(node)
                self._furthest = max(self._furthest, node.index)
                return False
            node.index += 1
        return True

    def _moves(self, node: _Node[State]) -> Iterator[_Move[State]]:
        """All steps from here: the call that must take effect, then first what brings it closer."""
        time, kind, slot, call = self._events[node.index]
        if kind == _FLASH:
            yield _Move(None, node.state)
        else:
            assert call is not None
            for state in self._answers(node, call):
                yield _Move(call, state, slot)
        others = list(self._other_moves(node, time, call))
        if call is not None:
            others.sort(key=lambda move: self._model.misfits(move.state, call))
        yield from others

    def _other_moves(self, node: _Node[State], time: float, call: Call | None) -> Iterator[_Move[State]]:
        """The steps that may be taken before the call that must take effect."""
        for name, state in self._model.drifts(node.state, time):
            yield _Move(name, state)
        tried = set()
        for other_slot, other in sorted(node.running.items(), key=lambda item: item[1].returned_at):
            taken = node.spent if other.unknown else node.used
            if other is call or taken >> other_slot & 1 or other.twins in tried:
                continue
            if other.twins is not None:
                tried.add(other.twins)
            for state in self._answers(node, other):
                if not (state == node.state and (other.unknown or other.observes)):
                    yield _Move(other, state, other_slot)

    def _answers(self, node: _Node[State], call: Call) -> Iterator[State]:
        """The states after a call: the model's, and those that running claims explain."""
        state = self._model.apply(node.state, call)
        if state is not None:
            yield state
        if state != node.state and node.claiming:
            claiming = [
                other
                for other in node.claiming.values()
                if other is not call and other.claims_until >= call.invoked_at
            ]
            if claiming:
                yield from self._model.excused(node.state, call, claiming)

    def _observe_all(self, node: _Node[State]) -> None:
        """Let all observations take effect that fit the state."""
        for slot, call in node.running.items():
            if call.observes and not node.used >> slot & 1:
                self._observe(node, slot, call)

    def _observe(self, node: _Node[State], slot: int, call: Call) -> None:
        """Let an observation take effect if that settles nothing else."""
        if node.state in self._answers(node, call):
            node.used |= 1 << slot
            self._order.append(Step(call, node.state, node.state))


def _events(calls: Sequence[Call], flashes: Sequence[float]) -> list[_Event]:
    """Order everything in time, and give each call a slot. Slots of calls that are over are used again."""
    unslotted = [(time, _FLASH, -1) for time in flashes]
    for number, call in enumerate(calls):
        if not call.unknown:
            unslotted += [(call.invoked_at, _INVOKE, number), (call.returned_at, _RETURN, number)]
        elif not call.observes:
            unslotted.append((call.invoked_at, _INVOKE, number))
    unslotted.sort()
    free = list(range(len(calls)))
    heapify(free)
    slots: dict[int, int] = {}
    events = []
    for time, kind, number in unslotted:
        if kind == _FLASH:
            events.append(_Event(time, kind, -1, None))
        elif kind == _INVOKE:
            slots[number] = heappop(free)
            events.append(_Event(time, kind, slots[number], calls[number]))
        else:
            events.append(_Event(time, kind, slots[number], calls[number]))
            heappush(free, slots[number])
    return events
