"""Revocations and changed offers reach all nodes at once, over real connections."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from api.identity.revocations import Revocations
from api.identity.tokens import Identity
from api.public.offers import Offers
from cluster.everybody import Everybody
from cluster.nats_server import NatsServer
from cluster.sharing import share_offers, share_revocations
from engine.accounts import RevokedToken, RevokedUser
from tests.api.cinema import eventually
from tests.cluster.heartbeats import Member, fleet
from tests.nats import own_nats_server

pytestmark = [pytest.mark.gen_test, pytest.mark.usefixtures("io_loop")]


class Table:
    """The revocations that all nodes store."""

    def __init__(self) -> None:
        self.tokens: list[RevokedToken] = []

    async def revoked_since(
        self, since: float | None
    ) -> tuple[Sequence[RevokedToken], Sequence[RevokedUser], float]:
        return tuple(self.tokens), (), 0.0


def identity(user_id: int, token_id: str) -> Identity:
    return Identity(user_id, False, 1000.0, token_id, 100.0, "", f"user:{user_id}")


def revocations_of(member: Member, table: Table) -> Revocations:
    revocations = Revocations(table, lambda: 100.0, 3600)
    share_revocations(revocations, member.links)
    return revocations


async def test_a_revocation_reaches_the_other_nodes(nats_server: NatsServer) -> None:
    async with fleet(nats_server.url) as nodes:
        here, there = [revocations_of(await nodes.join(), Table()) for _ in range(2)]
        here.revoke(RevokedToken("t1", 7, 500.0))
        here.revoke(RevokedUser(8, 200.0))
        assert here.is_revoked(identity(7, "t1")) and here.is_revoked(identity(8, "any"))
        await eventually(lambda: there.is_revoked(identity(7, "t1")) and there.is_revoked(identity(8, "any")))
        assert not there.is_revoked(identity(7, "t2"))


async def test_what_was_missed_is_read_when_nats_is_back(tmp_path: Path) -> None:
    table = Table()
    async with own_nats_server(tmp_path) as nats, fleet(nats.url) as nodes:
        here, there = [revocations_of(await nodes.join(), table) for _ in range(2)]
        await nats.stop()
        table.tokens.append(RevokedToken("t1", 7, 500.0))
        here.revoke(table.tokens[0])
        await nats.start()
        await eventually(lambda: there.is_revoked(identity(7, "t1")))


class Prices:
    """A ticket type whose price changes."""

    def __init__(self) -> None:
        self.price = 10

    async def offer(self, ticket_type_id: int) -> dict[str, Any]:
        return {
            "id": ticket_type_id,
            "name": "Balcony",
            "price": self.price,
            "event_id": 1,
            "title": "Concert",
            "venue": "Hall",
            "starts_at": None,
            "private": False,
            "invited_user_ids": (),
        }


async def test_a_changed_offer_is_forgotten_everywhere_before_the_change_is_answered(
    nats_server: NatsServer,
) -> None:
    async with fleet(nats_server.url) as nodes:
        first, second = await nodes.join(), await nodes.join()
        await eventually(lambda: first.sees(second) == second.sees(first) == "serving")
        prices = Prices()
        here, there = Offers(prices, lambda: 0.0), Offers(prices, lambda: 0.0)
        for offers, member in ((here, first), (there, second)):
            share_offers(offers, member.links, Everybody(member.links, member.membership))
            assert (await offers.of(5)).price == 10
        prices.price = 12
        assert (await there.of(5)).price == 10, "it is cached"
        await here.forget()
        assert [(await offers.of(5)).price for offers in (here, there)] == [12, 12]
