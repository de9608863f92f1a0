"""The metrics of mails, webhooks and other messages that leave the server.

`OutboxMetrics` implements `frontrow.deliveries.DeliveryObserver`, `frontrow.webhooks.WebhookObserver` and
`frontrow.mail.MailObserver`.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from metrics.declarations import Declarations

KINDS = ("mail", "webhook_notice", "account_deleted")
"""The kinds of messages in the outbox."""


class OutboxMetrics:
    """Counts attempts to deliver, and messages that wait.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        declared = Declarations()
        self._delivered = declared.counter(
            "frontrow_outbox_delivered_total",
            "Messages of the outbox that were delivered, by kind.",
            kind=KINDS,
        )
        self._failed_attempts = declared.counter(
            "frontrow_outbox_failed_attempts_total", "Attempts to deliver that failed, by kind.", kind=KINDS
        )
        self._waiting = declared.up_and_down(
            "frontrow_outbox_waiting", "Messages that wait, by kind.", kind=KINDS
        )
        self._oldest = declared.up_and_down(
            "frontrow_outbox_oldest_seconds", "Age of the oldest message that waits, by kind.", kind=KINDS
        )
        self._dead = declared.up_and_down("frontrow_outbox_dead", "Dead letters, by kind.", kind=KINDS)
        self._mails = declared.counter(
            "frontrow_mails_total",
            "Attempts to hand a mail to the mail server, by result.",
            result=("sent", "failed", "rejected", "dropped"),
        )
        self._webhook_attempts = declared.counter(
            "frontrow_webhook_attempts_total",
            "Attempts to send events to webhooks, by result.",
            result=("delivered", "failed", "dead"),
        )
        declared.register(registry)

    def message_delivered(self, kind: str) -> None:
        """A message of the outbox was delivered."""
        self._delivered[(kind,)] += 1

    def attempt_failed(self, kind: str) -> None:
        """An attempt to deliver a message of the outbox failed."""
        self._failed_attempts[(kind,)] += 1

    def backlog_counted(self, backlog: Iterable[tuple[str, str, int, float]]) -> None:
        """Messages of the outbox were counted: status, kind, number, and age of the oldest in seconds.

        Kinds that had messages before and are not named any more have none.
        """
        for gauge in (self._waiting, self._oldest, self._dead):
            gauge.update(dict.fromkeys(gauge, 0.0))
        for status, kind, number, oldest_seconds in backlog:
            if status == "waiting":
                self._waiting[(kind,)] = number
                self._oldest[(kind,)] = oldest_seconds
            else:
                self._dead[(kind,)] = number

    def mail_attempted(self, result: str) -> None:
        """A mail was tried: it was "sent", has "failed" for now, or was "rejected" for good.

        A mail that is given up after such an attempt, or for which there was no room, was "dropped" as well.
        """
        self._mails[(result,)] += 1

    def webhook_attempted(self, result: str) -> None:
        """An event for a webhook was `delivered`, has `failed` for now, or was given up as `dead`."""
        self._webhook_attempts[(result,)] += 1
