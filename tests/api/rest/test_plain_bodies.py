"""The fast path through a body has the same results as marshmallow."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.rest.fields import RequestSchema
from api.rest.plain_bodies import PlainBody
from api.seats.reservations import SeatSelection, ToggleSelection
from api.seats.tickets import Booking

IDS = (
    st.integers(-1, 3)
    | st.just(2**63)
    | st.booleans()
    | st.floats(0, 3)
    | st.text("1", max_size=1)
    | st.none()
)
VALUES = IDS | st.lists(IDS, max_size=3) | st.dictionaries(st.text(max_size=1), IDS, max_size=1)
NAMES = st.sampled_from(["screening_id", "seat_id", "seat_ids", "payment_id", "payment_pending", "other"])
RIGHT = st.fixed_dictionaries(
    {"screening_id": st.integers(1, 3), "seat_ids": st.lists(st.integers(1, 3), min_size=1, max_size=3)}
)


def outcome(load: Any, body: Any) -> Any:
    """The arguments, or the errors."""
    try:
        return load(body)
    except ValidationError as error:
        return error.normalized_messages()


@pytest.mark.parametrize(
    "schema", [SeatSelection(), ToggleSelection(), Booking()], ids=lambda s: type(s).__name__
)
@given(body=RIGHT | st.dictionaries(NAMES, VALUES) | VALUES)
def test_both_ways_lead_to_the_same(schema: PlainBody, body: Any) -> None:
    assert outcome(schema.load, body) == outcome(lambda it: RequestSchema.load(schema, it), body)


def test_a_right_body_is_loaded() -> None:
    assert SeatSelection().load({"screening_id": 1, "seat_ids": [3, 2, 3]}) == {
        "screening_id": 1,
        "seat_ids": (3, 2),
    }
    assert ToggleSelection().load({"screening_id": 1, "seat_id": 3}) == {"screening_id": 1, "seat_ids": (3,)}
    assert Booking().load({"screening_id": 1, "seat_ids": [3]}) == {
        "screening_id": 1,
        "seat_ids": (3,),
        "payment_id": None,
        "payment_pending": False,
    }
