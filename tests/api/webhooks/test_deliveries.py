"""Failing receivers: repeated, delayed and abandoned deliveries, and the operators' view of them."""

import asyncio
import random
from pathlib import Path

import pytest

from frontrow.server import Server
from tests.api.webhooks.conftest import Integration, eventually
from tests.api.webhooks.receiver import Got, Receiver
from tests.catalogue.members import member
from tests.catalogue.programme import add_seats, make_room, make_screening
from tests.database import execute


async def found(folder: Path, *texts: str) -> bool:
    """Return whether a mail in the folder has all these texts."""
    mails = [mail.read_text() for mail in folder.glob("*")]  # noqa: ASYNC240
    return any(all(text in mail for text in texts) for mail in mails)


pytestmark = pytest.mark.gen_test(timeout=120)


async def test_a_failed_event_is_repeated_with_its_id(integration: Integration) -> None:
    receiver = integration.receiver
    receiver.respond = lambda got: 503 if len(receiver.got) < 2 else 200
    receiver.answer = b"not today, \xff" + b"x" * 5000
    webhook = await integration.add("booking.created")
    await integration.buy(integration.seat_ids[0])

    await receiver.until(lambda: receiver.accepted)
    assert [got.status for got in receiver.got] == [503, 503, 200]
    assert len({(got.id, got.body) for got in receiver.got}) == 1
    times = [int(got.headers["webhook-timestamp"]) for got in receiver.got]
    assert times == sorted(times)
    (delivery,) = await eventually(lambda: integration.deliveries(webhook, "?status=delivered"))
    assert (delivery["message_id"], delivery["type"]) == (receiver.got[0].id, "booking.created")
    assert delivery["attempt_count"] == 3
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 503, 200]
    first = delivery["attempts"][0]
    assert first["error"] == "Status 503"
    assert len(first["response"]) == 1024
    assert first["response"].startswith("not today, \ufffd")
    assert first["duration_ms"] >= 0
    assert (await integration.show(webhook))["failing_since"] is None


async def test_a_failing_event_delays_the_later_ones_of_its_screening_only(integration: Integration) -> None:
    other_room = await make_room(integration.house, "Small Hall")
    other_seats = await add_seats(integration.house, other_room)
    other_screening = await make_screening(integration.house, other_room)
    receiver = integration.receiver
    failing = integration.screening_id
    broken = True
    receiver.respond = lambda got: 500 if broken and got.data["screening_id"] == failing else 200
    await integration.add("booking.created")

    for seat_id in integration.seat_ids[:3]:
        await integration.buy(seat_id)
    for seat_id in other_seats[:3]:
        booked = await integration.house.user().book(other_screening, [seat_id])
        assert booked.status == 201, booked.body
    await receiver.until(lambda: len(receiver.accepted) == 3)
    assert {got.data["screening_id"] for got in receiver.accepted} == {other_screening}
    assert len({got.id for got in receiver.got if got.status == 500}) == 1

    broken = False
    await receiver.until(lambda: len(receiver.accepted) == 6)
    sold = [got.data["seat_ids"] for got in receiver.accepted if got.data["screening_id"] == failing]
    assert sold == [[seat_id] for seat_id in integration.seat_ids[:3]]


async def test_nothing_is_lost_or_reordered_by_random_failures(integration: Integration) -> None:
    chance = random.Random(7)
    receivers = [Receiver(), Receiver()]
    try:
        for receiver in receivers:
            receiver.respond = lambda got: chance.choice([200, 200, 204, 500, 302])
            await integration.add("booking.created", "booking.cancelled", url=receiver.url)
        user = integration.house.user()
        for _ in range(8):
            for seat_id in integration.seat_ids[:2]:
                (ticket,) = (await user.book(integration.screening_id, [seat_id])).json
                assert (await user.cancel_ticket(ticket["id"])).status == 204
        for receiver in receivers:
            await receiver.until(lambda receiver=receiver: len({got.id for got in receiver.accepted}) == 32)
            first = {got.id: got for got in reversed(receiver.accepted)}.values()
            places = sorted(got.place for got in first)
            assert [got.place for got in sorted(first, key=receiver.got.index)] == places
            kinds = [got.type for got in sorted(first, key=receiver.got.index)]
            assert kinds == ["booking.created", "booking.cancelled"] * 16
    finally:
        for receiver in receivers:
            await receiver.close()


@pytest.mark.usefixtures("three_attempts")
async def test_an_event_that_always_fails_is_given_up_if_others_succeed(integration: Integration) -> None:
    other = await make_room(integration.house, "Small Hall")
    (other_seat, *_) = await add_seats(integration.house, other)
    other_screening = await make_screening(integration.house, other)
    receiver = integration.receiver
    first, second = integration.seat_ids[:2]
    others = asyncio.Event()

    async def before(got: Got) -> None:
        if got.data["seat_ids"] == [first] and len(receiver.got) >= 2:
            await others.wait()

    receiver.before = before
    receiver.respond = lambda got: 500 if got.data["seat_ids"] == [first] else 200
    webhook = await integration.add("booking.created")

    await integration.buy(first)
    await integration.buy(second)
    await receiver.until(lambda: receiver.got)
    await integration.house.user().book(other_screening, [other_seat])
    # A success counts when it is recorded, which is after the receiver has accepted it.
    await eventually(lambda: integration.deliveries(webhook, "?status=delivered"))
    others.set()
    await receiver.until(lambda: len(receiver.accepted) == 2)
    assert [got.data["seat_ids"] for got in receiver.accepted] == [[other_seat], [second]]
    (dead,) = await integration.deliveries(webhook, "?status=dead")
    assert [attempt["status"] for attempt in dead["attempts"]] == [500, 500, 500]
    assert (await integration.show(webhook))["disabled_at"] is None

    receiver.respond = lambda got: 200
    again = await integration.send("POST", f"/{webhook['id']}/deliveries/{dead['position']}/retry")
    assert again.status == 200, again.body
    assert again.json["delivered"] is True
    assert receiver.got[-1].id == dead["message_id"]
    assert await integration.deliveries(webhook, "?status=dead") == []


@pytest.mark.usefixtures("three_attempts")
async def test_a_webhook_that_accepts_nothing_is_disabled_and_goes_on_when_enabled(
    integration: Integration, tmp_path: Path
) -> None:
    admin = await member(integration.house, "admin@home.example")
    execute(integration.house.database_url, "UPDATE users SET is_admin = true WHERE id = %s", admin.user_id)
    receiver = integration.receiver
    receiver.respond = lambda got: 500
    webhook = await integration.add("booking.created")
    await integration.buy(integration.seat_ids[0])
    disabled = await eventually(lambda: integration.shown_disabled(webhook))
    assert disabled["disabled_because"].startswith("Status 500, at ")
    assert disabled["waiting_since"] is not None
    await integration.buy(integration.seat_ids[1])
    metrics = (await integration.house.guest.send("GET", "/metrics")).body.decode()
    assert 'frontrow_webhook_attempts_total{result="failed"}' in metrics

    folder = tmp_path / "mail"
    to = "To: admin@home.example"
    await eventually(lambda: found(folder, to, receiver.url, f"/webhooks/{webhook['id']}/enable"))

    receiver.respond = lambda got: 200
    assert receiver.accepted == []
    enabled = await integration.send("POST", f"/{webhook['id']}/enable")
    assert (enabled.status, enabled.json["disabled_at"], enabled.json["failing_since"]) == (200, None, None)
    await receiver.until(lambda: len(receiver.accepted) == 2)
    assert [got.data["seat_ids"] for got in receiver.accepted] == [[s] for s in integration.seat_ids[:2]]


async def test_enabling_a_failing_webhook_sends_at_once(integration: Integration) -> None:
    await integration.house.restart(outbox_retry_seconds=(3600.0,))
    receiver = integration.receiver
    receiver.respond = lambda got: 500
    webhook = await integration.add("booking.created")
    await integration.buy(integration.seat_ids[0])
    failing = await eventually(lambda: integration.shown_failing(webhook))
    assert failing["disabled_at"] is None
    await integration.buy(integration.seat_ids[1])

    receiver.respond = lambda got: 200
    enabled = await integration.send("POST", f"/{webhook['id']}/enable")
    assert (enabled.status, enabled.json["failing_since"]) == (200, None)
    await receiver.until(lambda: len(receiver.accepted) == 2)
    assert [got.data["seat_ids"] for got in receiver.accepted] == [[s] for s in integration.seat_ids[:2]]


async def test_an_attempt_under_way_when_the_webhook_is_enabled_delays_nothing(
    integration: Integration,
) -> None:
    await integration.house.restart(outbox_retry_seconds=(0.1, 3600.0))
    receiver, under_way, released = integration.receiver, asyncio.Event(), asyncio.Event()

    async def second_waits(got: Got) -> None:
        if len(receiver.got) == 1:
            under_way.set()
            await released.wait()

    receiver.before = second_waits
    receiver.respond = lambda got: 500
    webhook = await integration.add("booking.created")
    await integration.buy(integration.seat_ids[0])
    await eventually(lambda: integration.shown_failing(webhook))
    await under_way.wait()
    assert (await integration.send("POST", f"/{webhook['id']}/enable")).status == 200
    released.set()
    await receiver.until(lambda: len(receiver.got) >= 3)


async def test_410_disables_a_webhook_at_once(integration: Integration) -> None:
    integration.receiver.respond = lambda got: 410
    webhook = await integration.add("booking.created")
    await integration.buy(integration.seat_ids[0])
    await eventually(lambda: integration.shown_disabled(webhook))
    assert len(integration.receiver.got) == 1


async def test_a_replay_sends_the_same_again_in_order(integration: Integration) -> None:
    receiver = integration.receiver
    webhook = await integration.add("booking.created")
    for seat_id in integration.seat_ids[:3]:
        await integration.buy(seat_id)
    await receiver.until(lambda: len(receiver.accepted) == 3)
    log = await eventually(lambda: integration.log_of(webhook, 3))
    positions = sorted(entry["position"] for entry in log)
    replayed = await integration.send("POST", f"/{webhook['id']}/replay", {"from": positions[1]})
    assert (replayed.status, replayed.json) == (202, {"events": 2})
    await receiver.until(lambda: len(receiver.accepted) == 5)
    since = log[-1]["published_at"]
    replayed = await integration.send("POST", f"/{webhook['id']}/replay", {"from": since})
    assert replayed.json == {"events": 3}
    await receiver.until(lambda: len(receiver.accepted) == 8)
    ids = [got.id for got in receiver.accepted]
    assert ids[3:] == [*ids[1:3], *ids[:3]]
    nothing = await integration.send("POST", f"/{webhook['id']}/replay", {"from": positions[-1] + 1})
    assert nothing.json == {"events": 0}
    for wrong in (-1, "yesterday", None, 1.5, True):
        refused = await integration.send("POST", f"/{webhook['id']}/replay", {"from": wrong})
        assert refused.status == 422, wrong


async def test_a_slow_endpoint_delays_no_other(integration: Integration) -> None:
    slow, quick = integration.receiver, Receiver()
    released = asyncio.Event()

    async def wait(got: Got) -> None:
        await released.wait()

    slow.before = wait
    try:
        await integration.add("booking.created")
        await integration.add("booking.created", url=quick.url)
        for seat_id in integration.seat_ids[:3]:
            await integration.buy(seat_id)
        await quick.until(lambda: len(quick.accepted) == 3)
        assert slow.got == []
        released.set()
        await slow.until(lambda: len(slow.accepted) == 3)
    finally:
        released.set()
        await quick.close()


async def test_two_nodes_send_each_event_once_and_in_order(integration: Integration) -> None:
    house, receiver = integration.house, integration.receiver
    other = Server(house.server._settings, house.database_url)
    other._webhook_sender.start()
    try:
        await integration.add("booking.created")
        for seat_id in integration.seat_ids:
            await integration.buy(seat_id)
        await receiver.until(lambda: len(receiver.accepted) == 6)
        webhook = await eventually(lambda: integration.drained())
        assert len(await integration.deliveries(webhook)) == 6
        assert [got.data["seat_ids"] for got in receiver.got] == [[one] for one in integration.seat_ids]
    finally:
        await other._webhook_sender.stop(1)
        await other.stop()
