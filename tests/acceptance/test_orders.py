"""A walk of all orders: in whatever sequence things happen, no money is stranded and nobody left uninformed.

Buyers reserve, pay, pay late, twice and for others' seats, while screenings are moved, cancelled and deleted,
prices change and the server is killed. For each payment, tickets that stand and refunds are worth what was
paid. Every mail and every webhook that must come has come, although the mail server and the receiver fail at
random, and nothing has come twice without a reason.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.acceptance.figures import Figures, count_of
from tests.acceptance.orders import ADMIN, HOLD_SECONDS, Payment, Site, Step, Walk, address, cents
from tests.acceptance.server_process import ServerProcess
from tests.api.caller import TICKETS
from tests.api.webhooks.receiver import Got, Receiver
from tests.database import execute
from tests.durable_requests import REFUNDS
from tests.inbox import Inbox
from tests.stripe_events import SECRET
from tests.topology import ONE_SERVER

WALKS = count_of("ORDER_WALKS", 40)
"""Walks at a time. They mostly wait, so many at a time take little longer than few."""

STEPS_LIMIT = 10
NEWS_SECONDS = 60.0
FAILURES = 0.2
"""Share of mails and webhooks that are refused, and, in half of the cases, kept nevertheless."""

QUICK = "0.1,0.3"

RARE = {Step.BEGIN, Step.CANCEL_SCREENING, Step.DELETE_SCREENING, Step.CRASH}
FREQUENT = [Step.RESERVE, Step.PAY, Step.PAY_FOR_OTHERS, Step.CANCEL_TICKET]
STEPS = [*Step, *(step for step in Step if step not in RARE), *FREQUENT * 2]
"""What a step is chosen from: most of what ends an order is rare."""

batches = st.lists(
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=STEPS_LIMIT), min_size=WALKS, max_size=WALKS
)


class UnreliableInbox(Inbox):
    """Refuses some mails, and keeps some of those.

    Attributes:
        mails: by address.
        refused: Message-IDs of the refused mails that were kept.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self.mails: dict[str, list[EmailMessage]] = defaultdict(list)
        self.refused: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for every mail."""
        fails, keeps = self._chance.random() < FAILURES, self._chance.random() < 0.5
        if fails and not keeps:
            return "451 Try again later"
        answer = await super().handle_DATA(server, session, envelope)
        mail = await self.next_mail()
        self.mails[mail["To"]].append(mail)
        if fails:
            self.refused[mail["Message-ID"]] += 1
            return "451 Try again later"
        return answer


class News:
    """What the users and an integrator are told.

    Args:
        seed: of the failures.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.inbox = UnreliableInbox(chance)
        self.hook = Receiver(lambda got: 503 if chance.random() < FAILURES else 204)
        self._by_screening: dict[int, list[Got]] = defaultdict(list)
        self._sorted = 0

    async def close(self) -> None:
        await self.inbox.close()
        await self.hook.close()

    def subjects(self, user_id: int) -> Counter[str]:
        """How many different mails a user got, by the first word of their subject but "Your"."""
        by_id = {mail["Message-ID"]: mail["Subject"] for mail in self.inbox.mails[address(user_id)]}
        return Counter(subject.removeprefix("Your ").split()[0] for subject in by_id.values())

    def of(self, walk: Walk) -> list[Got]:
        """The accepted webhooks of a walk's screening, in the order in which they came."""
        for got in islice(self.hook.got, self._sorted, None):
            if got.status == 204:
                self._by_screening[got.data["screening_id"]].append(got)
        self._sorted = len(self.hook.got)
        return self._by_screening[walk.screening.id]

    def repeated(self, walks: Iterable[Walk]) -> list[str]:
        """Mails and webhooks about some walks that came more often than they were refused."""
        users = {user_id for walk in walks for user_id in walk.cancellations}
        mails = Counter(
            mail["Message-ID"] for user_id in users for mail in self.inbox.mails[address(user_id)]
        )
        hooks = Counter(got.id for walk in walks for got in self.of(walk))
        return [
            *[key for key, number in mails.items() if number > 1 + self.inbox.refused[key]],
            *[key for key, number in hooks.items() if number > 1],
        ]


class Ledger:
    """What the database says of the payments of some walks."""

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


def ids_of(events: Iterable[Got], kind: str, name: str) -> list[Any]:
    """What the events of a type name, each event once."""
    once = {got.id: got for got in events if got.type == kind}
    return sorted(
        value
        for got in once.values()
        for value in (got.data[name] if isinstance(got.data[name], list) else [got.data[name]])
    )


def missing(walk: Walk, news: News, ledger: Ledger) -> list[str]:
    """What the walk's users and the integrator have not been told yet, or not as it is."""
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
    """What waits to be sent, for error messages."""
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


def check_order(walk: Walk, news: News) -> None:
    """The webhooks of a screening came in its order, when they came for the first time."""
    first = {got.id: got.place for got in reversed(news.of(walk))}
    places = [first[got_id] for got_id in dict.fromkeys(got.id for got in news.of(walk))]
    assert places == sorted(places), (walk, places)


async def play(site: Site, news: News, batch: Sequence[Sequence[Step]]) -> list[Payment]:
    """Take the walks of a batch at the same time, and check what came of them."""
    crashes = site.crashes
    walks = await site.walks(len(batch))
    await asyncio.gather(*(walk.take(steps) for walk, steps in zip(walks, batch, strict=True)))
    ledger = Ledger(site.server.database.url, walks)
    for walk in walks:
        check_money(walk, ledger)
        await check_doors(site, walk, ledger)
    wrong: dict[str, list[str]] = {}
    try:
        async with asyncio.timeout(NEWS_SECONDS):
            while wrong := {repr(w): m for w in walks if (m := missing(w, news, ledger))}:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(wrong, unsent(site)) from None
    for walk in walks:
        check_order(walk, news)
    if site.crashes == crashes:
        assert not news.repeated(walks)
    return [payment for walk in walks for payment in walk.payments.values()]


def walk_all(data_directory: Path, figures: Figures, examples: int) -> None:
    """Play batches that hypothesis chooses, one after the other, against one server."""
    told: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        news = runner.run(_opened(examples))
        server = ServerProcess(
            data_directory,
            served_by=ONE_SERVER,
            hold_seconds=HOLD_SECONDS,
            unvouched_refunds_limit=1000,
            outbox_retry_seconds=QUICK,
            webhook_private_addresses="true",
            stripe_webhook_secret=SECRET,
            smtp_url=news.inbox.url,
        )
        runner.run(server.__aenter__())
        try:
            site = Site(server)
            webhook = {"url": news.hook.url}
            made = runner.run(site.send(ADMIN, "POST", "/api/v1/admin/webhooks", webhook, once=False))
            assert made.status == 201, made.body

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],  # a failure names the steps of its walk
                suppress_health_check=list(HealthCheck),
            )
            @given(batches)
            def batch_ends_well(batch: list[list[Step]]) -> None:
                payments = runner.run(play(site, news, batch))
                told["sequences"] += len(batch)
                told["payments"] += len(payments)
                told["ended_in_tickets"] += sum(bool(payment.tickets) for payment in payments)
                told["ended_in_refunds"] += sum(payment.refund_id is not None for payment in payments)

            batch_ends_well()
            figures(**told, crashes=site.crashes, webhooks=len(news.hook.accepted))
        finally:
            runner.run(server.__aexit__(None, None, None))
            runner.run(news.close())


async def _opened(seed: int) -> News:
    news = News(seed)
    await news.inbox.open()
    return news


@pytest.mark.timeout(300)
def test_no_order_strands_money_or_news(data_directory: Path, figures: Figures) -> None:
    walk_all(data_directory, figures, count_of("ORDER_BATCHES", 2))


@pytest.mark.soak
def test_no_order_of_many_strands_money_or_news(data_directory: Path, figures: Figures) -> None:
    walk_all(data_directory, figures, count_of("SOAK_ORDER_BATCHES", 500))
