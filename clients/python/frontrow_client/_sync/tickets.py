"""Tickets for seats: booking, paying, moving and cancelling them; and refunds."""

from collections.abc import Iterator, Sequence
from typing import Any

from frontrow_client._sync.base import Base, given
from frontrow_client.models import OwnRefund, Refund, Ticket, TicketRecord

_TICKETS = "/api/v1/tickets"
_REFUNDS = "/api/v1/admin/refunds"
_OWN_REFUNDS = "/api/v1/refunds/me"


class Tickets(Base):
    """Tickets and refunds.

    `user_id` names the owner for whom a service acts. `key` is an idempotency key; without one each call has
    its own, unless it has a `payment_id`. With that a booking may be repeated at any time, even by another
    process: the same payment for the same seats returns the same tickets.
    """

    def book(
        self,
        screening_id: int,
        seat_ids: Sequence[int],
        *,
        payment_id: str | None = None,
        payment_pending: bool = False,
        expected_total: float | None = None,
        user_id: int | None = None,
        access_code: str | None = None,
        key: str | None = None,
    ) -> list[Ticket]:
        """Book seats that are free or reserved by the caller, all or none.

        Args:
            screening_id: the screening.
            seat_ids: the seats.
            payment_id: the payment, as its provider calls it.
            payment_pending: whether to pay later, with `confirm_payment`.
            expected_total: what the buyer has agreed to pay in all.
            user_id, key: see the class.
            access_code: opens the seats of a channel.

        Raises:
            SeatsUnavailable: others have some of the seats, and there is no payment.
            RefundRequired: the payment cannot be used and is recorded as owed.
            PriceChanged: the total is not the expected one, and there is no payment.
        """
        body = given(
            screening_id=screening_id,
            seat_ids=list(seat_ids),
            payment_id=payment_id,
            payment_pending=payment_pending or None,
            expected_total=expected_total,
            user_id=user_id,
        )
        headers = given(**{"X-Access-Code": access_code})
        options: dict[str, Any] = {"key": key, "headers": headers, "repeatable": payment_id is not None}
        return self._post(f"{_TICKETS}/book", list[Ticket], body, **options)

    def book_reserved(
        self,
        screening_id: int,
        seat_ids: Sequence[int],
        payment_id: str,
        *,
        expected_total: float | None = None,
        user_id: int | None = None,
        key: str | None = None,
    ) -> list[Ticket]:
        """Book seats that are reserved by the caller.

        Raises:
            RefundRequired: the payment cannot be used and is recorded as owed, for example because the
                reservation has expired.
            PaymentAlreadyUsed: the payment has paid for something else.
        """
        body = given(
            screening_id=screening_id,
            seat_ids=list(seat_ids),
            payment_id=payment_id,
            expected_total=expected_total,
            user_id=user_id,
        )
        path = f"{_TICKETS}/book-from-reservation"
        return self._post(path, list[Ticket], body, key=key, repeatable=True)

    def confirm_payment(
        self,
        ticket_id: int,
        payment_id: str,
        *,
        expected_total: float | None = None,
        user_id: int | None = None,
        key: str | None = None,
    ) -> Ticket:
        """Pay for a pending ticket.

        Raises:
            RefundRequired: the payment cannot be used and is recorded as owed.
        """
        body = given(payment_id=payment_id, expected_total=expected_total, user_id=user_id)
        path = f"{_TICKETS}/{ticket_id}/confirm-payment"
        return self._post(path, Ticket, body, key=key, repeatable=True)

    def ticket(self, ticket_id: int) -> Ticket:
        """Return a ticket of the caller."""
        return self._get(f"{_TICKETS}/{ticket_id}", Ticket)

    def my_tickets(self) -> Iterator[Ticket]:
        """Iterate over the caller's tickets."""
        return self._pages(f"{_TICKETS}/my-tickets", Ticket)

    def cancel_ticket(self, ticket_id: int, *, user_id: int | None = None) -> None:
        """Cancel a ticket. What was paid for it is recorded as owed.

        Raises:
            ScreeningStarted: it is too late.
            TicketAdmitted: it was used.
        """
        self.request("DELETE", f"{_TICKETS}/{ticket_id}", type(None), params=given(user_id=user_id))

    def cancel_tickets(self, ticket_ids: Sequence[int], *, user_id: int | None = None) -> None:
        """Cancel several tickets, all or none."""
        params = given(ids=",".join(map(str, ticket_ids)), user_id=user_id)
        self.request("DELETE", f"{_TICKETS}/", type(None), params=params)

    def move_ticket(
        self,
        ticket_id: int,
        *,
        seat_id: int | None = None,
        screening_id: int | None = None,
        payment_id: str | None = None,
        expected_total: float | None = None,
        user_id: int | None = None,
    ) -> Ticket:
        """Move a ticket to another seat, or to another screening. By default the other stays as it is.

        Args:
            ticket_id: the ticket.
            seat_id: the new seat.
            screening_id: the new screening.
            payment_id: pays what the new seat costs more.
            expected_total: what the buyer has agreed to pay.
            user_id: see the class.

        Raises:
            PaymentRequired: the new seat costs more.
            MovesClosed: the organiser does not allow it.
            SeatsUnavailable: others have the seat.
        """
        body = given(
            seat_id=seat_id,
            screening_id=screening_id,
            payment_id=payment_id,
            expected_total=expected_total,
            user_id=user_id,
        )
        return self._post(f"{_TICKETS}/{ticket_id}/move", Ticket, body)

    def move_tickets(
        self,
        ticket_ids: Sequence[int],
        *,
        seat_ids: Sequence[int] | None = None,
        screening_id: int | None = None,
        payment_id: str | None = None,
        expected_total: float | None = None,
        user_id: int | None = None,
    ) -> list[Ticket]:
        """Move several tickets of an order, all or none; see `move_ticket`."""
        body = given(
            ticket_ids=list(ticket_ids),
            seat_ids=None if seat_ids is None else list(seat_ids),
            screening_id=screening_id,
            payment_id=payment_id,
            expected_total=expected_total,
            user_id=user_id,
        )
        return self._post(f"{_TICKETS}/move", list[Ticket], body)

    # For administrators

    def all_tickets(
        self,
        *,
        screening_id: int | None = None,
        user_id: int | None = None,
        status: str | None = None,
        booking_id: int | None = None,
        payment_id: str | None = None,
    ) -> Iterator[TicketRecord]:
        """Iterate over everybody's tickets; for administrators."""
        filters = given(
            screening_id=screening_id,
            user_id=user_id,
            status=status,
            booking_id=booking_id,
            payment_id=payment_id,
        )
        return self._pages(f"{_TICKETS}/", TicketRecord, **filters)

    def my_refunds(
        self, *, status: str | None = None, screening_id: int | None = None, booking_id: int | None = None
    ) -> Iterator[OwnRefund]:
        """Iterate over what is owed to the caller (`status="owed"`) or was paid back (`"settled"`)."""
        filters = given(status=status, screening_id=screening_id, booking_id=booking_id)
        return self._pages(_OWN_REFUNDS, OwnRefund, **filters)

    def refunds(
        self,
        *,
        status: str | None = None,
        user_id: int | None = None,
        screening_id: int | None = None,
        payment_id: str | None = None,
    ) -> Iterator[Refund]:
        """Iterate over what is owed (`status="owed"`) or was paid back (`"settled"`); for administrators."""
        filters = given(status=status, user_id=user_id, screening_id=screening_id, payment_id=payment_id)
        return self._pages(_REFUNDS, Refund, **filters)

    def settle_refund(self, refund_id: int, reference: str, *, confirm: bool = False) -> Refund:
        """Record that a refund was paid back; for administrators.

        Args:
            refund_id: the refund.
            reference: of the transfer.
            confirm: whether somebody has made sure that the payment had arrived.

        Raises:
            RefundUnvouched: only the buyer has named the payment, and `confirm` is not set.
            RefundSettled: it was settled with another reference.
        """
        body: dict[str, Any] = given(reference=reference, confirm=confirm or None)
        return self._post(f"{_REFUNDS}/{refund_id}/settle", Refund, body)
