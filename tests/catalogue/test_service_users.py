"""A service acts only for users that exist; otherwise it is told that `user_id` is wrong."""

import pytest

from tests.api.caller import Caller, Response
from tests.box_office import data
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import member
from tests.catalogue.programme import open_house as open_cinema
from tests.house import House

pytestmark = pytest.mark.gen_test(timeout=120)

NOBODY = 987_654


def service_of(house: House) -> Caller:
    return Caller(house.base_url, house.tokens.issue_to_service("payments", ttl_seconds=3600))


def named_fault(answer: Response) -> tuple[int, list[str]]:
    return answer.status, list(answer.json["errors"])


async def test_an_unknown_user_is_refused_by_name(open_house: OpenHouse) -> None:
    house = await open_house()
    screening, seats = await open_cinema(house)
    service = service_of(house)
    (pending,) = (await house.user(7).book(screening, seats[:1], payment_pending=True)).json
    for refused in (
        await service.book(screening, seats[1:2], payment_id="P", user_id=NOBODY),
        await service.book_reservation(screening, seats[1:2], "P", user_id=NOBODY),
        await service.confirm_payment(pending["id"], "P", user_id=NOBODY),
    ):
        assert named_fault(refused) == (422, ["user_id"])
        assert "no such user" in refused.json["errors"]["user_id"][0]
    assert (await house.admin.send("GET", "/api/v1/admin/refunds")).json == []
    shown = (await house.guest.availability(screening)).json
    assert [seat["status"] for seat in shown].count("available") == len(seats) - 1
    public = await service.send("POST", "/api/public/reservations/1-1/purchase", {})
    assert (public.status, public.json["error"]["code"]) == (403, "service_not_allowed")


async def test_accounts_guests_and_users_of_other_services_are_known(open_house: OpenHouse) -> None:
    house = await open_house(guest_purchase=True)
    screening, seats = await open_cinema(house)
    service = service_of(house)
    ada = await member(house)
    booked = await service.book(screening, seats[:1], payment_id="P1", user_id=ada.user_id)
    assert booked.status == 201, booked.body

    # Somebody whose token comes from another service is known once there is a reservation.
    stranger = house.user(4711)
    assert (await stranger.reserve(screening, seats[1:2])).status == 201
    booked = await service.book_reservation(screening, seats[1:2], "P2", user_id=4711)
    assert booked.status == 201, booked.body

    guest = data(await house.guest.send("POST", "/api/public/guests"))
    token = Caller(house.base_url, guest["accessToken"])
    details = {"fullName": "Ann", "email": "ann@home.example"}
    assert (await token.send("PUT", "/api/public/guests/me", details)).status == 200
    guest_id = house.tokens.verify(guest["accessToken"]).user_id
    booked = await service.book(screening, seats[2:3], payment_id="P3", user_id=guest_id)
    assert booked.status == 201, booked.body
