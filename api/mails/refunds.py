"""The letters about refunds; see `api.mails.wordings`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from api.mails.letters import Letter, Occasion, TicketLine, one_line
from api.mails.wordings import Reader, will_be_refunded

_PAYMENT_ID_SHOWN = 40


class Refund(NamedTuple):
    """Money that goes back to a buyer.

    Attributes:
        currency: of the amount.
        reference: of the transfer; empty until it is settled.
        vouched: whether somebody other than the buyer has confirmed the payment.
        surplus: whether more was paid than the tickets cost, and the tickets stand.
        occasion: what the payment was for; None if that is no longer known.
        places: the seats or kinds of tickets, if they are known.
    """

    amount: Decimal
    currency: str
    payment_id: str
    reference: str
    vouched: bool
    surplus: bool = False
    occasion: Occasion | None = None
    places: Sequence[str] = ()

    @property
    def lines(self) -> list[TicketLine]:
        return [TicketLine(place, "") for place in self.places]


def refund_owed(refund: Refund, reader: Reader) -> Letter:
    """A payment could not be used, or more was paid than the tickets cost."""
    words, payment = reader.words, _short(refund.payment_id)
    amount = words.money(refund.amount, refund.currency)
    if refund.surplus:
        happened = words.text(
            "Your payment %(payment)s is more than your tickets cost. The tickets stay valid.",
            payment=payment,
        )
    else:
        happened = words.text(
            "Your payment %(payment)s could not be used for tickets, or not all of it.", payment=payment
        )
    return Letter(
        subject=words.text("You get %(amount)s back", amount=amount),
        heading=words.text("You get money back"),
        tone="plain",
        paragraphs=[reader.greeting, happened, will_be_refunded(amount, words, vouched=refund.vouched)],
        occasion=refund.occasion,
        tickets=refund.lines,
    )


def refund_settled(refund: Refund, reader: Reader) -> Letter:
    """A refund is on its way."""
    words = reader.words
    amount, paragraphs = words.money(refund.amount, refund.currency), [reader.greeting]
    paragraphs.append(
        words.text(
            "We have refunded %(amount)s of your payment %(payment)s. It can take a few days until your bank "
            "shows it.",
            amount=amount,
            payment=_short(refund.payment_id),
        )
    )
    if refund.reference:
        paragraphs.append(
            words.text(
                "If you have questions, give the reference %(reference)s.",
                reference=one_line(refund.reference),
            )
        )
    return Letter(
        subject=words.text("Your refund of %(amount)s", amount=amount),
        heading=words.text("Your refund is on its way"),
        tone="good",
        paragraphs=paragraphs,
        occasion=refund.occasion,
        tickets=refund.lines,
    )


def _short(payment_id: str) -> str:
    """Return the part of a payment id that is shown, since the buyer may have chosen any text."""
    shown = one_line(payment_id)
    return shown if len(shown) <= _PAYMENT_ID_SHOWN else f"{shown[:_PAYMENT_ID_SHOWN]}…"
