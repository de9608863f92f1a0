"""Unexpected exceptions: requests get the answer that was decided, and other clients are not affected."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from api.identity.revocations import Revocations
from api.identity.token_watches import TokenWatch
from api.identity.tokens import Identity
from api.limits import SocketLimits
from api.rest.styles import Style
from api.ws.answers import OrderedAnswers
from api.ws.open_sockets import OpenSockets, SocketsOfHolders
from engine.accounts import RevokedToken, RevokedUser
from engine.views import SeatsChanged
from tests.api.caller import RESERVATIONS, TICKETS
from tests.api.venue import FIRST_SEAT, SCREENING, Venue

pytestmark = pytest.mark.gen_test


class BrokenPublisher:
    def publish(self, change: SeatsChanged) -> None:
        raise RuntimeError("broken publisher")


class BrokenHttpObserver:
    def http_route(self, route: str, method: str) -> "BrokenHttpObserver":
        if "availability" in route:
            raise RuntimeError("broken observer")
        return self

    def finished(self, status: int, seconds: float) -> None:
        raise RuntimeError("broken observer")


@pytest.mark.parametrize("key", [None, "order-1"])
async def test_a_committed_booking_succeeds_despite_broken_collaborators(
    open_venue: Callable[..., Venue], key: str | None
) -> None:
    venue = open_venue(publisher=BrokenPublisher(), http_observer=BrokenHttpObserver())
    body = {"screening_id": SCREENING, "seat_ids": [FIRST_SEAT], "payment_id": "pi_1"}
    for _ in range(2):
        booked = await venue.user(7).send("POST", f"{TICKETS}/book", body, key=key)
        assert (booked.status, [ticket["seat_id"] for ticket in booked.json]) == (201, [FIRST_SEAT])
    held = await venue.user(7).send(
        "POST", f"{RESERVATIONS}/reserve", {"screening_id": SCREENING, "seat_ids": [FIRST_SEAT + 1]}
    )
    assert held.status == 201
    seats = await venue.guest.send("GET", f"{RESERVATIONS}/screening/{SCREENING}/availability")
    assert seats.status == 200


async def test_a_response_that_cannot_be_encoded_becomes_a_500(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Style.render_error

    def broken(style: Style, problem: Any) -> Any:
        if problem.status != 500:
            raise ZeroDivisionError
        return sound(style, problem)

    monkeypatch.setattr(Style, "render_error", broken)
    for path in ("/api/v1/tickets/my-tickets", "/nowhere"):
        response = await venue.guest.send("GET", path)
        assert (response.status, response.code) == (500, "internal_error")
    assert (await venue.guest.send("GET", "/")).status == 200


class Stored:
    """Revocations stored by another server."""

    def __init__(self, *users: RevokedUser) -> None:
        self.users = users

    async def revoked_since(
        self, since: float | None
    ) -> tuple[Sequence[RevokedToken], Sequence[RevokedUser], float]:
        return (), self.users, 0.0


class OpenSocket:
    def __init__(self, close: Callable[..., None]) -> None:
        self.close = close


async def test_failing_to_close_one_socket_does_not_keep_others_open() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    closed: list[str] = []
    revocations = Revocations(Stored(RevokedUser(7, 200.0), RevokedUser(8, 200.0)), lambda: 100.0, 3600)
    for user_id in (7, 8):
        identity = Identity(user_id, False, 1000.0, "token", 100.0, "", f"user:{user_id}")
        for close in (broken, lambda user_id=user_id: closed.append(f"user:{user_id}")):
            revocations.watch(TokenWatch(identity, SimpleNamespace(token_revoked=close)))
    await revocations.refresh()
    assert sorted(closed) == ["user:7", "user:8"]

    limits = SocketLimits()
    sockets = OpenSockets(limits.sockets_limit, SocketsOfHolders(limits))
    for close in (broken, lambda *_: closed.append("going away")):
        await sockets.admit("user:7", OpenSocket(close))
    sockets.close_all(1001, "bye")
    assert closed[-1] == "going away"


async def test_a_response_that_cannot_be_made_ends_its_socket() -> None:
    sent: list[bytes] = []
    failed: list[BaseException] = []
    answers = OrderedAnswers(lambda frames, number: sent.append(frames), failed.append)
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()
    answers.expect(first, lambda future: b"%d" % (1 // 0))
    answers.expect(second, lambda future: b"two")
    for future in (first, second):
        future.set_result(None)
    await asyncio.sleep(0)
    assert [type(defect) for defect in failed] == [ZeroDivisionError]
    assert sent == [], "the client would mistake the second response for the missing first one"
    async with asyncio.timeout(60):
        await answers.settled()
