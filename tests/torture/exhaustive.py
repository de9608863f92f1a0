"""The checker's checker: tries all orders of a few calls, in the plainest way.

It shares nothing with `linearizability` but the calls and the model: between any two events any calls that
are running may take effect in any order, and nothing is remembered, put off or left out. So it only suits a
handful.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

from tests.torture.calls import Call, Model


def has_order(calls: Sequence[Call], model: Model[Any], flashes: Sequence[float] = ()) -> bool:
    """Return whether some order of the calls, with any of those without an answer, explains all answers."""
    events: list[tuple[float, int, Call | None]] = [(time, 1, None) for time in flashes]
    events += [(call.invoked_at, 0, call) for call in calls]
    events += [(call.returned_at, 2, call) for call in calls if call.returned_at < inf]
    events.sort(key=lambda event: event[:2])
    return _goes_on(events, 0, model.initial, [], frozenset(), model)


def _goes_on(
    events: Sequence[tuple[float, int, Call | None]],
    index: int,
    state: Any,
    running: list[Call],
    done: frozenset[Call],
    model: Model[Any],
) -> bool:
    if index == len(events):
        return True
    time, kind, ended = events[index]
    for call in running:
        if call in done:
            continue
        answers = [model.apply(state, call)]
        claiming = [one for one in running if one is not call and one.claims_until >= call.invoked_at]
        if claiming:
            answers += model.excused(state, call, claiming)
        for after in answers:
            if after is not None and _goes_on(events, index, after, running, done | {call}, model):
                return True
    if any(_goes_on(events, index, after, running, done, model) for _, after in model.drifts(state, time)):
        return True
    if kind == 0:
        return _goes_on(events, index + 1, state, [*running, ended], done, model)
    if kind == 2:
        if ended not in done:
            return False
        running = [call for call in running if call is not ended]
    return _goes_on(events, index + 1, state, running, done, model)
