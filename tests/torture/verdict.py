"""Judges a run: everything that its history and its end say, in one verdict.

verdict = judge(records, final)
print(verdict)
sys.exit(0 if verdict.clean else 1)
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from tests.torture.calls import Call, Model
from tests.torture.counter_model import CounterCall, CounterModel
from tests.torture.expiry import LATENESS_BUCKETS, Holds, check_early_expiry
from tests.torture.findings import Finding
from tests.torture.history import History, Id, Operation, parse
from tests.torture.ledger import check_ledger
from tests.torture.linearizability import STEPS_LIMIT, Outcome, contradiction, linearize
from tests.torture.pictures import check_pictures
from tests.torture.projection import Projection, Seat, project
from tests.torture.recovery import Loss, Recovering, losses
from tests.torture.seat_model import SeatModel
from tests.torture.shown import Shown
from tests.torture.together import Requests, SeatsModel, answered_in_part, not_together

_PROOF_STEPS = 50_000
"""Steps of the search in a part that may prove what the search in the whole did not decide."""

_STEPS_AT_FIRST, _STEPS_TOGETHER = 300, 1_500
"""Steps of the searches for the seats of one request: most are decided by a short one."""

_LOSSES = (0, 1, inf)
"""Limits, tried in order, of how often crashes undo an object; a low limit keeps the search short."""


class _Found(NamedTuple):
    """Facts taken from the orders that were found for seats.

    Attributes:
        happened: requests without an answer that took effect.
        losses: how often crashes have undone something, by seat.
    """

    happened: set[Id]
    losses: dict[Seat, int]


@dataclass
class Verdict:
    """Result of judging a run: what was judged, and the findings.

    Attributes:
        operations: number of requests.
        succeeded, refused, unknown: how they ended.
        objects: seats and ticket types that were judged.
        calls: calls on them.
        faults: number of faults by kind.
        holds: what became of acknowledged holds, by word.
        lateness: how late expired holds were seen free; upper bounds in seconds.
        together: requests on several seats whose seats were judged together.
        not_decided_together: those of them whose search was given up.
        hashes: hashes of pictures that were compared.
        not_judged: seats that were left out, because something was done to them that no model knows.
        undecided: seats and ticket types whose search was given up; each is a finding, too.
        findings: what is wrong.
    """

    operations: int = 0
    succeeded: int = 0
    refused: int = 0
    unknown: int = 0
    objects: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    holds: Counter[str] = field(default_factory=Counter)
    lateness: Counter[float] = field(default_factory=Counter)
    hashes: int = 0
    together: int = 0
    not_decided_together: int = 0
    not_judged: int = 0
    undecided: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True if nothing is wrong."""
        return not self.findings

    def __str__(self) -> str:
        lines = [
            f"operations: {self.operations} ({self.succeeded} succeeded, {self.refused} refused, "
            f"{self.unknown} without an answer), {self.calls} calls on {self.objects} objects",
            f"faults: {self.faults.total()}{_counted(self.faults)}",
            f"acknowledged holds: {self.holds.total() - self.holds['found again']}{_counted(self.holds)}",
            f"expired holds seen free: {self._lateness()}",
            f"requests on several seats judged: {self.together}; not decided: {self.not_decided_together}",
            f"hashes of pictures compared: {self.hashes}",
        ]
        if self.not_judged:
            lines.append(f"seats not judged: {self.not_judged}")
        if self.undecided:
            lines.append(f"not decided: {self.undecided}")
        lines += map(str, self.findings)
        number = "1 finding" if len(self.findings) == 1 else f"{len(self.findings)} findings"
        lines.append(f"verdict: {'clean' if self.clean else number}")
        return "\n".join(lines)

    def _lateness(self) -> str:
        shown = [
            f"{self.lateness[bound]} {'later' if bound == inf else f'within {bound:g} s'}"
            for bound in LATENESS_BUCKETS
            if self.lateness[bound]
        ]
        return ", ".join(shown) or "none"


def judge(records: Iterable[Mapping[str, Any]], final: Mapping[str, Any]) -> Verdict:
    """Judge a run.

    Args:
        records: the history, in any order.
        final: what was found after everything had come to rest.

    Raises:
        BadHistory: a record cannot be understood.
    """
    return judge_history(parse(records), final)


def judge_history(history: History, final: Mapping[str, Any]) -> Verdict:
    """Judge a run whose records have been read."""
    verdict = Verdict(
        operations=len(history.operations),
        succeeded=sum(operation.succeeded for operation in history.operations),
        refused=sum(operation.refused for operation in history.operations),
        unknown=sum(operation.unknown for operation in history.operations),
        faults=Counter(fault.name for fault in history.faults),
        hashes=sum(one.hash is not None for watcher in history.watchers for one in watcher.sightings),
    )
    possible = losses(history.faults, history.settings)
    projection = project(history, final, possible)
    holds, shown = Holds(history.watchers), Shown(history.watchers)
    found = _judge_seats(verdict, history, projection, possible, holds, shown)
    _judge_requests(verdict, history, projection, possible, shown, found)
    _judge_ticket_types(verdict, history, projection, possible, final)
    verdict.holds, verdict.lateness = holds.ends, holds.lateness
    verdict.findings += check_early_expiry(history, projection.seats, possible)
    verdict.findings += check_pictures(history.watchers, final)
    verdict.findings += check_ledger(history, final)
    for lie in history.lies:
        if lie["status"] < 400:
            text = f"{lie.get('user')} {lie.get('what')}, and was answered with {lie['status']}."
            verdict.findings.append(Finding("lie believed", "the run", text))
    wanted = history.settings.success_share
    if verdict.succeeded < wanted * verdict.operations:
        share = f"{verdict.succeeded} of {verdict.operations} operations succeeded, less than {wanted:.0%}."
        verdict.findings.append(Finding("proves nothing", "the run", share))
    return verdict


def _judge_seats(
    verdict: Verdict,
    history: History,
    projection: Projection,
    possible: Sequence[Loss],
    holds: Holds,
    shown: Shown,
) -> _Found:
    """Judge each seat. Returns what happened in the orders that were found."""
    model = SeatModel(history.settings, history.faults)
    found = _Found(set(), {})
    for seat, known in projection.seats.items():
        if seat in projection.foreign:
            verdict.not_judged += 1
            continue
        calls = [*known, *(part for one in shown.observations(seat[0], [seat[1]]) for _, part in one.parts)]
        outcome = _search(verdict, _name(seat), calls, model, _of(possible, seat[0]))
        if outcome.order is not None:
            holds.account(seat, outcome.order)
            steps = (step.what for step in outcome.order)
            found.happened.update(what.source.op for what in steps if isinstance(what, Call) and what.unknown)
            found.losses[seat] = outcome.order[-1].after.losses if outcome.order else 0
    return found


def _judge_requests(
    verdict: Verdict,
    history: History,
    projection: Projection,
    possible: Sequence[Loss],
    shown: Shown,
    found: _Found,
) -> None:
    """Judge the seats of each request together, unless one of them is wrong by itself."""
    verdict.findings += answered_in_part(history)
    wrong = {finding.about for finding in verdict.findings}
    requests, model = Requests(projection, shown), SeatModel(history.settings, history.faults)
    for operation, groups in requests:
        if not wrong.isdisjoint(_name(seat) for seats in groups for seat in seats):
            continue
        undecided, mine = False, _of(possible, operation.screening)
        for seats in groups:
            outcome = _search_together(requests, operation, seats, model, mine, found)
            if outcome.stuck is not None and not outcome.undecided:
                verdict.findings.append(not_together(operation, seats, outcome.stuck))
            else:
                undecided |= not outcome.linearizable
        verdict.together += not undecided
        verdict.not_decided_together += undecided


def _search_together(
    requests: Requests,
    about: Operation,
    seats: Sequence[Seat],
    model: SeatModel,
    possible: Sequence[Loss],
    found: _Found,
) -> Outcome[Any]:
    """Search for an order of the calls on seats of one request.

    Mostly those requests without an answer suffice that have happened to single seats, and then the search is
    short. So it is tried with these and with all, first a little.
    """
    rules, least = SeatsModel(model, len(seats)), max(found.losses.get(seat, 0) for seat in seats)
    for steps_limit, undone in ((_STEPS_AT_FIRST, 0), (_STEPS_TOGETHER, least)):
        for happened in (found.happened, None):
            calls = requests.calls(seats, about, happened)
            outcome, _, _ = _in_any_order(calls, rules, possible, steps_limit, undone)
            if outcome.linearizable:
                return outcome
        if not outcome.undecided:
            break
    return outcome


def _judge_ticket_types(
    verdict: Verdict,
    history: History,
    projection: Projection,
    possible: Sequence[Loss],
    final: Mapping[str, Any],
) -> None:
    for ticket_type, calls in projection.ticket_types.items():
        capacity = final.get("ticket_types", {}).get(ticket_type, {}).get("capacity")
        if capacity is None:
            verdict.not_judged += 1
            continue
        counter = CounterModel(capacity, history.settings, history.faults)
        mine = _of(possible, calls[0].source.screening)
        _search(verdict, f"ticket type {ticket_type}", calls, counter, mine)


def _search(
    verdict: Verdict, about: str, calls: Sequence[Call], model: Model[Any], possible: Sequence[Loss]
) -> Outcome[Any]:
    """Search for an order of the calls on one object, and say what contradicts if there is none."""
    verdict.objects += 1
    verdict.calls += len(calls)
    outcome, recovering, flashes = _in_any_order(calls, model, possible, STEPS_LIMIT)
    if outcome.linearizable:
        return outcome
    stuck = outcome.stuck
    part = [] if stuck is None else contradiction(calls, recovering, stuck, flashes)
    if stuck is None or (outcome.undecided and not _contradicts(part, recovering, flashes)):
        verdict.undecided += 1
        text = f"The search was given up after {outcome.steps} steps."
        verdict.findings.append(Finding("not decided", about, text))
    else:
        text = f"No order of the requests explains op {stuck.source.op} ({stuck.kind})."
        verdict.findings.append(Finding("no order", about, text, list(map(_line, part))))
    return outcome


def _in_any_order(
    calls: Sequence[Call],
    model: Model[Any],
    possible: Sequence[Loss],
    steps_limit: int,
    least: float = 0,
) -> tuple[Outcome[Any], Recovering[Any], Sequence[float]]:
    """Search with as few losses as suffice, but at least `least`.

    Returns:
        The outcome; the model and the flashes of the last search.
    """
    flashes = [loss.ends_at for loss in possible] if any(call.losable for call in calls) else []
    for limit in _LOSSES:
        recovering = Recovering(model, possible, limit)
        if flashes and limit < least:
            continue
        outcome = linearize(calls, recovering, flashes=flashes if limit else (), steps_limit=steps_limit)
        if outcome.linearizable or not flashes:
            break
    return outcome, recovering, flashes


def _contradicts(part: Sequence[Call], model: Recovering[Any], flashes: Sequence[float]) -> bool:
    """Return whether a part of a history has no order from any state; the rest need not be searched then."""
    if model.anything is None:
        return False
    outcome = linearize(part, model, state=model.anything, flashes=flashes, steps_limit=_PROOF_STEPS)
    return not outcome.linearizable and not outcome.undecided


def _of(possible: Sequence[Loss], screening: Id | None) -> list[Loss]:
    """Return the losses that concern a screening."""
    return [loss for loss in possible if loss.concerns(screening)]


def _name(seat: Seat) -> str:
    return f"screening {seat[0]}, seat {seat[1]}"


def _line(call: Call) -> str:
    """A call as it was recorded; of a map of seats only what it says about this one."""
    operation = call.source
    if operation.action != "look":
        return str(operation)
    saw = str(call.kind).replace("_", " ") + (f" by {call.user}" if call.user is not None else "")
    if operation.ticket_type is not None or call.kind is CounterCall.SAW_LEFT:
        saw = f"saw {call.quantity} left"
    return f"op {operation.op}: {call.invoked_at:.3f} {operation.user} look -> {call.returned_at:.3f} {saw}"


def _counted(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    return f" ({shown})" if shown else ""
