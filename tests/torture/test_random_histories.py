"""Random histories: correct ones are accepted; with an answer changed they are judged as all orders say."""

import copy

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

from tests.torture.exhaustive import has_order
from tests.torture.history import parse
from tests.torture.linearizability import linearize
from tests.torture.projection import project
from tests.torture.recovery import Recovering, losses
from tests.torture.runs import ACTIONS, Wish, told
from tests.torture.seat_model import SeatModel
from tests.torture.stories import Story

USERS = "ada", "joan", "grace"
FATES = "answered", "answered", "answered", "unanswered", "lost"


def wishes(number: int, seats: int, overlap: float) -> some.SearchStrategy[list[Wish]]:
    """Return a strategy for at most `number` requests; they overlap their neighbours by `overlap` seconds."""
    span = some.sampled_from([0.0, overlap / 3, overlap])
    one = some.builds(
        Wish,
        some.sampled_from(sorted(set(ACTIONS))),
        some.sampled_from(USERS),
        some.integers(1, seats),
        span,
        span,
        some.sampled_from(FATES),
    )
    return some.lists(one, min_size=1, max_size=number)


def sequential(wish: Wish) -> Wish:
    """Return the same request as sent by a client that is alone."""
    return wish._replace(before=0.1, after=0.1, fate="answered")


@settings(max_examples=100, deadline=None)
@given(wishes(40, seats=3, overlap=4.0), some.sampled_from([1.0, 7.0]))
def test_correct_histories_are_accepted(chosen: list[Wish], pause_seconds: float) -> None:
    verdict = told(chosen, pause_seconds).judged()
    assert verdict.clean, verdict


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(wishes(7, seats=1, overlap=2.5), some.data())
def test_short_histories_are_judged_as_all_orders_say(chosen: list[Wish], data: some.DataObject) -> None:
    story = told(
        chosen, data.draw(some.sampled_from([1.0, 15.0])), loss_window_seconds=0.5, settle_seconds=1.0
    )
    if data.draw(some.booleans()):
        begins_at = data.draw(some.floats(99.0, 110.0))
        story.fault("kill", "node-1", begins_at, begins_at + 0.5)
    story.ends()
    if data.draw(some.booleans()):
        _change_one_answer(story, data)
    history = parse(story.records)
    possible = losses(history.faults, history.settings)
    model = Recovering(SeatModel(history.settings), possible)
    flashes = [loss.ends_at for loss in possible]
    for calls in project(history, story.final, possible).seats.values():
        outcome = linearize(calls, model, flashes=flashes)
        assert not outcome.undecided
        assert outcome.linearizable == has_order(calls, model, flashes)


@settings(max_examples=60, deadline=None)
@given(wishes(30, seats=2, overlap=0.0), some.data())
def test_impossible_answers_are_found(chosen: list[Wish], data: some.DataObject) -> None:
    story = told(map(sequential, chosen), hold_seconds=1000.0)
    assume(any(record["kind"] == "return" and _can_change(record) for record in story.records))
    _change_one_answer(story, data)
    assert not story.judged().clean


def _change_one_answer(story: Story, data: some.DataObject) -> None:
    """Turn one answer of a hold, a booking or a look into another one."""
    changeable = [record for record in story.records if record["kind"] == "return" and _can_change(record)]
    if not changeable:
        return
    answer = data.draw(some.sampled_from(changeable))
    asked = next(one for one in story.records if one["kind"] == "invoke" and one["op"] == answer["op"])
    answer.update(copy.deepcopy(_changed(answer, asked)))


def _can_change(answer: dict) -> bool:
    return "seats" in answer["data"] or answer["code"] == "seats_unavailable" or "tickets" in answer["data"]


def _changed(answer: dict, asked: dict) -> dict:
    match answer["data"]:
        case {"seats": [seen]}:
            status, user = ("reserved", "mallory") if seen["status"] == "available" else ("available", None)
            return {"data": {"seats": [{"seat": seen["seat"], "status": status, "user": user}]}}
        case {"tickets": _}:
            return {"status": 409, "code": "seats_unavailable", "data": {"booked": asked["seats"]}}
    return {"status": 201, "code": None, "data": {"until": answer["time"] + 1000.0, "tickets": []}}
