"""Every refusal has its status, its code and its data."""

import inspect
import re
from types import ModuleType

import pytest

from api import errors as api_errors
from api.errors import ApiError
from api.http1 import errors as http_errors
from api.identity import errors as identity_errors
from api.rest import errors as rest_errors
from api.rest.errors import problem_of, translation_of
from engine import catalogue_errors, selling_errors
from engine import errors as engine_errors
from engine.errors import AnsweredMeanwhile, EngineError, JournalFull, StoreUnavailable, Unavailable
from engine.records import Refund
from engine.selling_errors import (
    HoldLimitExceeded,
    RefundRequired,
    SeatsNotFound,
    SeatsUnavailable,
    TicketNotPending,
)
from persistence import errors as database_errors


def classes(module: object, base: type) -> list[type]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)]


API_MODULES = (api_errors, http_errors, identity_errors, rest_errors)
ENGINE_ERRORS = sorted(
    {
        *classes(engine_errors, EngineError),
        *classes(selling_errors, EngineError),
        *classes(catalogue_errors, EngineError),
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize(
    "module", [*API_MODULES, engine_errors, selling_errors, catalogue_errors, database_errors]
)
def test_the_error_tree_in_a_module_docstring_is_complete(module: ModuleType) -> None:
    own = [kind.__name__ for kind in classes(module, Exception) if kind.__module__ == module.__name__]
    assert own
    assert [name for name in own if not re.search(rf"\b{name}\b", module.__doc__ or "")] == []


def test_database_messages_are_not_sent_to_clients() -> None:
    detail = 'The database cannot be reached: connection to "10.0.0.5" failed: role "sales" does not exist'
    problem = problem_of(StoreUnavailable(detail))
    assert (problem.status, problem.document["code"]) == (503, "store_unavailable")
    assert "10.0.0.5" not in problem.document["detail"]
    assert "try again" in problem.document["detail"]


@pytest.mark.parametrize("error", ENGINE_ERRORS)
def test_every_engine_error_has_a_status(error: type[EngineError]) -> None:
    status = translation_of(error).status
    if error is EngineError:
        assert status == 500
    elif error is AnsweredMeanwhile:
        assert status == 409
    elif issubclass(error, Unavailable):
        assert status == 503
    else:
        assert 400 <= status < 500


def test_codes_are_unique() -> None:
    kinds = {*ENGINE_ERRORS, *(kind for module in API_MODULES for kind in classes(module, ApiError))}
    codes = [kind.code for kind in kinds if hasattr(kind, "code")]
    # Shared on purpose: to a client they mean the same.
    shared = ["idempotency_key_in_flight", "not_found", "overloaded"]
    assert sorted({code for code in codes if codes.count(code) > 1}) == shared


@pytest.mark.parametrize(
    ("error", "status", "data"),
    [
        (SeatsUnavailable([42], [44], [44]), 409, {"held": (42,), "booked": (44,), "blocked": (44,)}),
        (
            RefundRequired(
                Refund(5, "pi_1", 123, None, "user:7", 1599, "seats_unavailable", None),
                SeatsUnavailable([42], []),
            ),
            409,
            {
                **{"reason": "seats_unavailable", "amount": 15.99, "currency": None, "refund_id": 5},
                **{"held": (42,), "booked": ()},
            },
        ),
        (HoldLimitExceeded(10, 9, 2), 409, {"limit": 10, "held": 9, "requested": 2}),
        (SeatsNotFound([1, 2]), 404, {"seat_ids": (1, 2)}),
        (TicketNotPending(5, "lapsed"), 409, {"ticket_id": 5, "status": "lapsed"}),
    ],
)
def test_error_data_is_part_of_the_response(error: EngineError, status: int, data: dict) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert problem.document == {"detail": str(error), "code": error.code, "retryable": False, **data}
    assert problem.final


def test_retryable_errors_are_not_lasting() -> None:
    problem = problem_of(JournalFull())
    assert problem.headers == {"Retry-After": "2"}
    assert not problem.final
    assert not problem_of(rest_errors.KeyInFlight()).final
