"""Checks that a response has the fields that a guide shows, with values of the shown types."""

from datetime import datetime
from typing import Any


def iso_utc(value: Any) -> bool:
    """Return whether a value is an ISO 8601 timestamp in UTC with a Z, as in the guides."""
    return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value) is not None


def integer(value: Any) -> bool:
    return type(value) is int


def number(value: Any) -> bool:
    return isinstance(value, float)


def text(value: Any) -> bool:
    return isinstance(value, str)


def assert_shows(answer: dict[str, Any], shown: dict[str, Any]) -> None:
    """Check every field that a guide shows; the response may have more.

    Args:
        answer: the response.
        shown: by field, a value or a predicate for its type.
    """
    for name, expected in shown.items():
        assert name in answer, f"{name} is missing from {answer}"
        if callable(expected):
            assert expected(answer[name]), f"{name} is {answer[name]!r}"
        else:
            assert answer[name] == expected, f"{name} is {answer[name]!r}"
            assert type(answer[name]) is type(expected)
