"""News of orders for buyers and an integrator, by mails and webhooks that are refused now and then."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from email import policy
from email.parser import BytesHeaderParser
from itertools import islice
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.acceptance.order_site import address
from tests.acceptance.orders import Walk
from tests.api.webhooks.receiver import Receiver
from tests.inbox import Inbox

FAILURES = 0.2
"""Share of mails and webhooks that are refused, and, in half of the cases, kept nevertheless."""

_headers = BytesHeaderParser(policy=policy.default)


class Mail(NamedTuple):
    """Identity of a mail."""

    id: str
    subject: str


class UnreliableInbox(Inbox):
    """Refuses some mails, and keeps some of those.

    Attributes:
        mails: by address.
        refused: Message-IDs of the refused mails that were kept.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self.mails: dict[str, list[Mail]] = defaultdict(list)
        self.refused: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for every mail."""
        fails, keeps = self._chance.random() < FAILURES, self._chance.random() < 0.5
        if fails and not keeps:
            return "451 Try again later"
        assert isinstance(envelope.content, bytes)
        message = _headers.parsebytes(envelope.content)
        mail = Mail(str(message["Message-ID"]), str(message["Subject"]))
        self.mails[str(message["To"])].append(mail)
        if fails:
            self.refused[mail.id] += 1
            return "451 Try again later"
        return "250 OK"


class Event(NamedTuple):
    """An accepted webhook."""

    id: str
    type: str
    data: dict[str, Any]

    @property
    def place(self) -> tuple[int, int]:
        return self.data["epoch"], self.data["seq"]


class News:
    """News that the users and an integrator are told.

    Args:
        seed: of the failures.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.inbox = UnreliableInbox(chance)
        self.hook = Receiver(lambda got: 503 if chance.random() < FAILURES else 204)
        self._by_screening: dict[int, list[Event]] = defaultdict(list)
        self._sorted = 0

    async def close(self) -> None:
        await self.inbox.close()
        await self.hook.close()

    def subjects(self, user_id: int) -> Counter[str]:
        """Count the different mails of a user by the first word of their subject after "Your"."""
        once = set(self.inbox.mails[address(user_id)])
        return Counter(mail.subject.removeprefix("Your ").split()[0] for mail in once)

    def of(self, walk: Walk) -> list[Event]:
        """The accepted webhooks of a walk's screening, in the order in which they came."""
        for got in islice(self.hook.got, self._sorted, None):
            if got.status == 204:
                message = got.message
                event = Event(got.id, message["type"], message["data"])
                self._by_screening[event.data["screening_id"]].append(event)
        self._sorted = len(self.hook.got)
        return self._by_screening[walk.screening.id]

    def repeated(self, walks: Iterable[Walk], crashes: int) -> list[str]:
        """Mails and webhooks about some walks that came too often.

        Args:
            walks: about which.
            crashes: of the server since they began. Each may have come between a delivery and the note of it.
        """
        users = {user_id for walk in walks for user_id in walk.cancellations}
        mails = Counter(mail.id for user_id in users for mail in self.inbox.mails[address(user_id)])
        hooks = Counter(event.id for walk in walks for event in self.of(walk))
        return [
            *[key for key, number in mails.items() if number > 1 + crashes + self.inbox.refused[key]],
            *[key for key, number in hooks.items() if number > 1 + crashes],
        ]
