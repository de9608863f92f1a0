"""Queries that are read field by field give the same arguments as those that webargs loads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidInput
from api.rest.parsing import Parser
from api.rest.plain_queries import PlainQuery
from api.rest.request import Request
from api.seats.reservations import Extension, SeatsToCancel

NAMES = ["seat_ids", "additional_minutes", "other", "", "seat%5Fids", "seat_ids[]"]
TEXTS = [
    "",
    "1",
    "2,3",
    "3,3",
    "60",
    "61",
    "0",
    "-1",
    "+2",
    "%32",
    "2%2C3",
    "007",
    "1_0",
    " 2",
    "2.0",
    "\u0662",
]
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(["=", "=", "==", ""]), st.sampled_from(TEXTS))


def loaded(schema: PlainQuery, query: str) -> Any:
    """The arguments that webargs finds; None if the query is refused."""
    try:
        return Parser().parse(schema, Request({}, "", query, b"", "", None), location="query")
    except InvalidInput:
        return None


@pytest.mark.parametrize("schema", [Extension(), SeatsToCancel()], ids=lambda s: type(s).__name__)
@given(pairs=st.lists(PAIRS, min_size=1, max_size=3).map(lambda pairs: "&".join(map("".join, pairs))))
def test_what_is_read_is_what_webargs_loads(schema: PlainQuery, pairs: str) -> None:
    read = schema.read(pairs)
    if read is not None:
        assert {**schema.load({}), **read} == loaded(schema, pairs)


def test_usual_queries_are_read() -> None:
    assert SeatsToCancel().read("seat_ids=42,43") == {"seat_ids": (42, 43)}
    assert Extension().read("additional_minutes=10") == {"additional_minutes": 10}


@pytest.mark.parametrize(
    "query", ["seat_ids=a", "seat_ids=", "seat_ids=1&seat_ids=2", "seat_ids=1%2C2", "seats=1", ""]
)
def test_unusual_queries_are_left_to_webargs(query: str) -> None:
    assert SeatsToCancel().read(query) is None
