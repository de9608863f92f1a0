"""A walk of all orders: in whatever sequence things happen, no money is stranded and nobody left uninformed.

Buyers reserve, pay, pay late, twice and for others' seats, while screenings are moved, cancelled and deleted,
prices change and the server is killed. For each payment, tickets that stand and refunds are worth what was
paid. Every mail and every webhook that must come has come, although the mail server and the receiver fail at
random, and nothing has come twice without a reason.

Many walks go on at a time, in small groups. When a group has come to its end, it is checked and the next
begins, so a crash meets walks at all their steps.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.figures import Figures, count_of
from tests.acceptance.order_news import Event, News
from tests.acceptance.order_site import ADMIN, Site, cents
from tests.acceptance.orders import Payment, Step, Walk
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import TICKETS
from tests.database import execute
from tests.durable_requests import REFUNDS
from tests.stripe_events import SECRET
from tests.topology import ONE_SERVER

GROUP = 10
"""Walks that are prepared and checked together, to save statements."""

SEED = count_of("ORDER_SEED", 1)
"""Seed of the sequences and of the refusals."""

CRASHES_PER_WALK = 2
"""Approximate number of crashes in a walk: with more walks at a time there are fewer crashes."""

STEPS_LIMIT = 10
HOLD_SECONDS = 2.0
NEWS_SECONDS = 240.0
QUICK = "0.1,0.3"

RARE = {Step.BEGIN, Step.CANCEL_SCREENING, Step.DELETE_SCREENING, Step.CRASH}
FREQUENT = [Step.RESERVE, Step.PAY, Step.PAY_FOR_OTHERS, Step.CANCEL_TICKET]
STEPS = [*Step, *(step for step in Step if step not in RARE), *FREQUENT * 2]
"""Steps to choose from. Most that end an order are listed once, and so are rare."""


class Ledger:
    """Tickets and refunds in the database for the payments of some walks."""

    def __init__(self, url: str, walks: Sequence[Walk]) -> None:
        ids = [payment_id for walk in walks for payment_id in walk.payments]
        tickets = execute(
            url, "SELECT id, payment_id, status, price FROM tickets WHERE payment_id = ANY(%s)", ids
        )
        refunds = execute(
            url, "SELECT id, payment_id, amount, status, reason FROM refunds WHERE payment_id = ANY(%s)", ids
        )
        self.standing: Counter[str] = Counter()
        self.owed: Counter[str] = Counter()
        self.cancelled = {ticket_id for ticket_id, _, status, _ in tickets if status == "cancelled"}
        self.refunds: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for _, payment_id, status, price in tickets:
            self.standing[payment_id] += cents(price) if status == "confirmed" else 0
        for refund_id, payment_id, amount, status, reason in refunds:
            self.owed[payment_id] += cents(amount)
            self.refunds[payment_id].append((refund_id, status, reason))


def ids_of(events: Iterable[Event], kind: str, name: str) -> list[Any]:
    """Return the ids that the events of a type name, each event counted once."""
    once = {event.id: event.data[name] for event in events if event.type == kind}
    return sorted(
        value for named in once.values() for value in (named if isinstance(named, list) else [named])
    )


def missing(walk: Walk, news: News, ledger: Ledger) -> list[str]:
    """Return the news that the walk's users and the integrator have not been told yet, or not correctly."""
    events = news.of(walk)
    refunds = [refund for payment_id in walk.payments for refund in ledger.refunds[payment_id]]
    bookings = [min(payment.tickets) for payment in walk.payments.values() if payment.tickets]
    expected = {
        ("booking.created", "booking_id"): sorted(bookings),
        ("booking.cancelled", "ticket_ids"): sorted(walk.cancelled),
        ("refund.owed", "refund_id"): sorted(refund_id for refund_id, _, _ in refunds),
        ("refund.settled", "refund_id"): sorted(walk.settled),
        ("screening.cancelled", "screening_id"): [walk.screening.id] * walk.removed,
        ("screening.changed", "screening_id"): [walk.screening.id] * walk.changes,
    }
    wrong = [
        f"{kind}: {found}, not {wanted}"
        for (kind, name), wanted in expected.items()
        if (found := ids_of(events, kind, name)) != wanted
    ]
    if not walk.lapsed <= set(ids_of(events, "hold.expired", "seat_ids")):
        wrong.append(f"hold.expired: not {walk.lapsed}")
    for user_id, cancellations in walk.cancellations.items():
        own = [payment for payment in walk.payments.values() if payment.user_id == user_id]
        told = news.subjects(user_id)
        own_refunds = [refund for payment in own for refund in ledger.refunds[payment.id]]
        wanted = {
            "Cancelled": cancellations,
            "You": sum(reason != "ticket_cancelled" for _, _, reason in own_refunds),
            "refund": sum(refund_id in walk.settled for refund_id, _, _ in own_refunds),
        }
        counted = {
            word: told["Cancelled:"] + told[word] if word == "Cancelled" else told[word] for word in wanted
        }
        if counted != wanted:
            wrong.append(f"mails to {user_id}: {counted}, not {wanted}")
        standing = {payment.id for payment in walk.standing.values() if payment.user_id == user_id}
        booked = sum(bool(payment.tickets) for payment in own)
        if not len(standing) <= told["tickets"] <= booked:
            wrong.append(f"mails to {user_id}: {told['tickets']} confirmations of {booked} bookings")
    return wrong


def unsent(site: Site) -> list[Any]:
    """Return what waits to be sent, for error messages."""
    statements = (
        "SELECT kind, subject, status, attempts, error FROM outbox WHERE status <> 'delivered' LIMIT 20",
        "SELECT screening_id, position, last_position, attempts, due_at FROM webhook_lanes LIMIT 20",
        "SELECT kind, screening_id, now() - at FROM webhook_causes LIMIT 20",
        "SELECT failing_since, disabled_because, (SELECT count(*) FROM webhook_events) FROM webhooks",
    )
    return [
        site.server.last_words(),
        *(execute(site.server.database.url, statement) for statement in statements),
    ]


def check_money(walk: Walk, ledger: Ledger) -> None:
    """Tickets that stand and refunds are worth what was paid, and the tickets are those that are known."""
    for payment in walk.payments.values():
        assert ledger.standing[payment.id] + ledger.owed[payment.id] == payment.paid, (
            payment,
            walk.screening,
        )
        standing = sum(price for id, price in payment.tickets.items() if id not in walk.cancelled)
        assert ledger.standing[payment.id] == standing, (walk, payment)
    known = {ticket_id for payment in walk.payments.values() for ticket_id in payment.tickets}
    assert ledger.cancelled & known == walk.cancelled


async def check_doors(site: Site, walk: Walk, ledger: Ledger) -> None:
    """Buyers and administrators see the same."""
    listed = await site.send(walk.buyer, "GET", f"{TICKETS}/my-tickets")
    shown = {ticket["id"] for ticket in listed.json if ticket["status"] == "confirmed"}
    own = {id for id, payment in walk.standing.items() if payment.user_id == walk.buyer}
    assert own <= shown, (walk, own, listed.body)
    refunds = await site.send(ADMIN, "GET", f"{REFUNDS}?screening_id={walk.screening.id}&size=100")
    amounts: Counter[str] = Counter()
    for refund in refunds.json:
        amounts[refund["payment_id"]] += cents(refund["amount"])
    assert amounts == Counter({id: ledger.owed[id] for id in walk.payments if ledger.owed[id]})


async def check_news(site: Site, walks: Sequence[Walk], news: News, ledger: Ledger, crashes: int) -> None:
    """Wait until all has been told that must be; it was told in order, and not too often."""
    left = walks
    try:
        async with asyncio.timeout(NEWS_SECONDS):
            while left := [walk for walk in left if missing(walk, news, ledger)]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError({repr(w): missing(w, news, ledger) for w in left}, unsent(site)) from None
    for walk in walks:
        assert not missing(walk, news, ledger), walk
        first = {event.id: event.place for event in reversed(news.of(walk))}
        places = [first[id] for id in dict.fromkeys(event.id for event in news.of(walk))]
        assert places == sorted(places), (walk, places)
    assert not news.repeated(walks, site.crashes - crashes)


async def play(site: Site, news: News, group: Sequence[Sequence[Step]]) -> list[Payment]:
    """Take the walks of a group at the same time, and check what came of them."""
    crashes = site.crashes
    walks = [Walk(site, ground) for ground in await site.prepare(len(group))]
    await asyncio.gather(*(walk.take(steps) for walk, steps in zip(walks, group, strict=True)))
    ledger = Ledger(site.server.database.url, walks)
    for walk in walks:
        check_money(walk, ledger)
    await asyncio.gather(*(check_doors(site, walk, ledger) for walk in walks))
    await check_news(site, walks, news, ledger, crashes)
    return [payment for walk in walks for payment in walk.payments.values()]


def groups(number: int) -> Iterator[list[list[Step]]]:
    """Groups of random sequences: the same for the same seed."""
    chance = random.Random(SEED)
    for _ in range(number):
        yield [chance.choices(STEPS, k=chance.randint(1, STEPS_LIMIT)) for _ in range(GROUP)]


async def walk_all(data_directory: Path, figures: Figures, batches: int, at_a_time: int) -> None:
    """Take random walks at one server.

    Args:
        data_directory: for the server.
        figures: gets the numbers of walks and of what came of them.
        batches: how many times `at_a_time` walks.
        at_a_time: how many walks go on at the same time, a multiple of GROUP.
    """
    told: Counter[str] = Counter(seed=SEED)
    news = News(SEED)
    await news.inbox.open()
    try:
        async with ServerProcess(
            data_directory,
            served_by=ONE_SERVER,
            hold_seconds=HOLD_SECONDS,
            unvouched_refunds_limit=1000,
            outbox_retry_seconds=QUICK,
            webhook_private_addresses="true",
            stripe_webhook_secret=SECRET,
            smtp_url=news.inbox.url,
        ) as server:
            site = Site(server, at_a_time, walks_per_crash=at_a_time // CRASHES_PER_WALK)
            webhook = {"url": news.hook.url}
            made = await site.send(ADMIN, "POST", "/api/v1/admin/webhooks", webhook, once=False)
            assert made.status == 201, made.body
            waiting = groups(batches * at_a_time // GROUP)

            async def play_groups() -> None:
                for group in waiting:
                    payments = await play(site, news, group)
                    told["sequences"] += len(group)
                    told["payments"] += len(payments)
                    told["ended_in_tickets"] += sum(bool(payment.tickets) for payment in payments)
                    told["ended_in_refunds"] += sum(payment.refund_id is not None for payment in payments)

            async with asyncio.TaskGroup() as tasks:
                for _ in range(at_a_time // GROUP):
                    tasks.create_task(play_groups())
            figures(**told, crashes=site.crashes, webhooks=len(news.hook.accepted))
    finally:
        await news.close()


@pytest.mark.timeout(600)
@pytest.mark.gen_test(timeout=600)
async def test_no_order_strands_money_or_news(data_directory: Path, figures: Figures) -> None:
    await walk_all(data_directory, figures, count_of("ORDER_BATCHES", 2), count_of("ORDER_WALKS", 40))


@pytest.mark.soak
@pytest.mark.gen_test(timeout=36_000)
async def test_no_order_of_many_strands_money_or_news(data_directory: Path, figures: Figures) -> None:
    await walk_all(data_directory, figures, count_of("SOAK_ORDER_BATCHES", 125), count_of("ORDER_WALKS", 160))
