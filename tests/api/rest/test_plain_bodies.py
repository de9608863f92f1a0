"""The fast path through a body has the same results as marshmallow."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.rest.plain_bodies import PlainBody
from api.seats.reservations import SeatSelection, ToggleSelection
from api.seats.tickets import Booking, PaidBooking

IDS = (
    st.integers(-1, 3)
    | st.just(2**63)
    | st.booleans()
    | st.floats(0, 3)
    | st.text("1", max_size=1)
    | st.none()
)
VALUES = IDS | st.lists(IDS, max_size=3) | st.dictionaries(st.text(max_size=1), IDS, max_size=1)
NAMES = st.sampled_from(
    ["screening_id", "seat_id", "seat_ids", "payment_id", "payment_pending", "expected_total", "other"]
)
TOTALS = st.none() | st.booleans() | st.floats(-1, 1e30) | st.integers(-1, 2**63) | st.just("1.5")
RIGHT = st.fixed_dictionaries(
    {"screening_id": st.integers(1, 3), "seat_ids": st.lists(st.integers(1, 3), min_size=1, max_size=3)},
    optional={"expected_total": TOTALS | st.integers(0, 10**4).map(lambda cents: cents / 100)},
)


def loaded(schema: PlainBody, body: bytes) -> Any:
    """The arguments that marshmallow finds; None if it refuses the body."""
    try:
        return schema.load(orjson.loads(body))
    except (ValidationError, orjson.JSONDecodeError):
        return None


@pytest.mark.parametrize(
    "schema", [SeatSelection(), ToggleSelection(), Booking(), PaidBooking()], ids=lambda s: type(s).__name__
)
@given(body=RIGHT | st.dictionaries(NAMES, VALUES) | VALUES)
def test_both_paths_give_the_same_result(schema: PlainBody, body: Any) -> None:
    written = orjson.dumps(body, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    assert schema.decode(written) == loaded(schema, written)


@pytest.mark.parametrize("schema", [SeatSelection(), Booking()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("payment", ["p", "", "x" * 256, "\x00", "reservation:1", "\ud800", "ü😀"])
@pytest.mark.parametrize("place", range(0, 60, 3))
def test_odd_bytes_lead_to_the_same(schema: PlainBody, payment: str, place: int) -> None:
    body = json.dumps({"screening_id": 1, "seat_ids": [3], "payment_id": payment}).encode()
    for damage in (b"", b"\xff", b"\xef\xbb\xbf", b"\x00", b",", b'"', b"\\u0000", b"1e1", b"NaN"):
        damaged = body[:place] + damage + body[place:]
        assert schema.decode(damaged) == loaded(schema, damaged)


def test_valid_bodies_are_loaded() -> None:
    assert SeatSelection().load({"screening_id": 1, "seat_ids": [3, 2, 3]}) == {
        "screening_id": 1,
        "seat_ids": (3, 2, 3),
    }
    assert ToggleSelection().load({"screening_id": 1, "seat_id": 3}) == {"screening_id": 1, "seat_ids": (3,)}
    assert Booking().load({"screening_id": 1, "seat_ids": [3]}) == {
        "screening_id": 1,
        "seat_ids": (3,),
        "payment_id": None,
        "payment_pending": False,
        "user_id": None,
        "expected_total": None,
    }
    paid = {"screening_id": 1, "seat_ids": [3], "payment_id": "p", "expected_total": 1.1 + 2.2}
    assert PaidBooking().load(paid)["expected_total"] == Decimal("3.3")
    for total in (31.985, "31.98", -0.01, True, 1e9):
        with pytest.raises(ValidationError):
            PaidBooking().load({**paid, "expected_total": total})
