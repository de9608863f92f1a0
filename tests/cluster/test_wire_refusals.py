"""A client cannot tell from a refusal which node has given it."""

import pytest

from api.rest.refusals import refusal_answer
from api.rest.styles import ENVELOPE, PLAIN, Style
from api.rooms.errors import NotInRoom, TooManyRooms
from api.workers import WorkersBusy
from cluster import wire
from engine.errors import EngineError
from tests.cluster import wire_samples as samples


def name_of(record: object) -> str:
    return type(record).__name__


def response(error: EngineError, style: Style) -> tuple:
    answer = refusal_answer(error, style, "r-1")
    return answer._replace(body=answer.body.plain)


def received(error: EngineError) -> EngineError:
    return wire.decode_refusal(wire.encode_refusal(error))


@pytest.mark.parametrize("error", samples.REFUSALS, ids=name_of)
def test_the_asker_raises_an_equal_error(error: EngineError) -> None:
    copy = received(error)
    assert type(copy) is type(error)
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))
    types = [type(value) for value in vars(error).values() if not isinstance(value, str)]
    assert [type(value) for value in vars(copy).values() if not isinstance(value, str)] == types


@pytest.mark.parametrize("style", [PLAIN, ENVELOPE], ids=["plain", "envelope"])
@pytest.mark.parametrize("error", samples.REFUSALS, ids=name_of)
def test_the_client_gets_the_same_response(error: EngineError, style: Style) -> None:
    assert response(received(error), style) == response(error, style)


@pytest.mark.parametrize("error", [TooManyRooms(3), NotInRoom(), WorkersBusy()], ids=name_of)
def test_an_error_of_the_api_gives_the_same_response(error: EngineError) -> None:
    assert response(received(error), PLAIN) == response(error, PLAIN)


def test_the_words_of_a_refusal_can_be_chosen_again() -> None:
    error = next(error for error in samples.REFUSALS if error.code == "hold_life_spent")
    assert received(error).words("Row A, seat 1") == error.words("Row A, seat 1")
