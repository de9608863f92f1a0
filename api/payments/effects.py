"""Effects of payment providers' notices: book, confirm, release, settle.

Everything here may be repeated: a payment books once, whatever its notice says and however often it comes. A
notice is remembered after it has taken effect, so a notice that comes twice is acknowledged the second time;
if the server dies in between, the provider sends it again, and it finds its effects.
"""

import asyncio
import logging

from api.errors import InvalidInput
from api.payments.notices import (
    AttemptFailed,
    Notice,
    PaidFor,
    PaymentCancelled,
    PaymentRefunded,
    PaymentSucceeded,
)
from api.rest.endpoint import Call
from api.wire import holder_of
from engine import selling_errors as errors
from engine.commands import BookSeats, RevokeHolds
from engine.errors import EngineError
from engine.purchases import RESERVATION_PAYMENT
from engine.records import IdempotencyRecord, Ticket, TicketStatus, UnusablePayment
from engine.refunds import CURRENCY_MISMATCH
from engine.vouching import provider_actor, vouched_payment

log = logging.getLogger("frontrow.payments")

OUTCOMES = (
    *("booked", "refund_owed", "kept", "released", "refunded", "already_used", "repeated", "ignored"),
)

_CANCELLATION_SECONDS = 120.0
"""A cancellation that comes later releases nothing: the buyer may have reserved the same seats again."""


async def take_notice(call: Call, provider: str, notice: Notice) -> str:
    """Carry out a notice that a provider has signed, once.

    Args:
        call: the request.
        provider: a value of `vouched_by`.
        notice: what it tells.

    Returns:
        One of `OUTCOMES`. The provider need not send the notice again.

    Raises:
        InvalidInput, EngineError: it cannot be carried out now; the provider sends it again.
    """
    scope, actor = provider_actor(provider), provider_actor(provider)
    if await call.services.idempotency.lookup(scope, notice.event_id):
        return "repeated"
    try:
        if isinstance(notice, PaymentSucceeded):
            outcome = await _succeeded(call, actor, notice)
        elif isinstance(notice, AttemptFailed):
            outcome = "kept"  # The buyer may try another card while the time of the seats runs.
        elif isinstance(notice, PaymentCancelled):
            outcome = await _cancelled(call, actor, notice)
        else:
            outcome = await _refunded(call, actor, notice)
    except (InvalidInput, EngineError) as error:
        log.warning("payment %s of %s is not settled yet: %s", notice.payment_id, provider, error)
        raise
    stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    record = IdempotencyRecord(scope, notice.event_id, b"", 200, b"")
    call.services.journal.remember(record, lambda reason: stored.set_result(None))
    await stored
    return outcome


async def _succeeded(call: Call, actor: str, notice: PaymentSucceeded) -> str:
    """Book, unless all the money has gone back; that notice may come before this one, or meanwhile."""
    paid_back, payment_id = call.services.catalogue.refunds.paid_back, notice.payment_id
    if not await paid_back(payment_id):
        outcome = await (_booked if notice.currency is None else _refused)(call, actor, notice)
        if not await paid_back(payment_id):
            return outcome
    holder = holder_of(notice.paid_for.user_id or 0)
    for ticket in await _named_tickets(call, notice.paid_for, must_exist=False):
        holder = ticket.holder
    await call.services.payments.vouch(payment_id, holder, actor)
    await _cancel_refunded(call, actor, payment_id)
    return "refunded"


async def _booked(call: Call, actor: str, notice: PaymentSucceeded) -> str:
    paid_for, payment_id = notice.paid_for, notice.payment_id

    async def receive(holder: str, places: int) -> None:
        own_id = await call.services.payments.vouch(payment_id, holder, actor)
        await call.services.catalogue.refunds.receive(own_id, notice.received_cents, places)

    try:
        if tickets := await _named_tickets(call, paid_for):
            ids = [ticket.id for ticket in tickets]
            await receive(tickets[0].holder, len(ids))
            booked = await call.services.payments.confirm(
                *(tickets[0].holder, ids, payment_id, actor),
                expected_total_cents=paid_for.expected_total_cents,
                received_cents=notice.received_cents,
            )
        else:
            screening_id, seat_ids = await _named_seats(call, paid_for)
            holder = holder_of(paid_for.user_id or 0)
            await call.flushed()
            await receive(holder, len(set(seat_ids)))
            booked = await call.services.payments.book(
                BookSeats(
                    screening_id,
                    holder,
                    seat_ids,
                    payment_id,
                    held_only=True,
                    actor=actor,
                    expected_total_cents=paid_for.expected_total_cents,
                ),
                notice.received_cents,
            )
    except errors.RefundRequired as refusal:
        log.warning(
            "payment %s cannot be used (%s): received %.2f, refund %d is owed",
            *(payment_id, refusal.reason, notice.received_cents / 100, refusal.refund_id),
        )
        return "refund_owed"
    except errors.PaymentAlreadyUsed:
        log.error(
            "payment %s over %.2f has been named for other or dearer tickets of the same buyer",
            *(payment_id, notice.received_cents / 100),
        )
        return "already_used"
    surplus_cents = notice.received_cents - sum(ticket.price_cents for ticket in booked.tickets)
    if surplus_cents > 0 and all(ticket.paid is None for ticket in booked.tickets):
        log.warning("payment %s is %.2f more than its tickets cost", payment_id, surplus_cents / 100)
    return "booked"


async def _refused(call: Call, actor: str, notice: PaymentSucceeded) -> str:
    """Record that money in another currency is to be paid back."""
    paid_for, currency = notice.paid_for, notice.currency or ""
    if tickets := await _named_tickets(call, paid_for, must_exist=False):
        holder, screening_id = tickets[0].holder, tickets[0].screening_id
        seat_ids = tuple(ticket.seat_id for ticket in tickets)
    else:
        holder = holder_of(paid_for.user_id or 0)
        screening_id, seat_ids = await _named_seats(call, paid_for)
    unusable = UnusablePayment(
        *(notice.payment_id, screening_id, holder, notice.received_cents, CURRENCY_MISMATCH),
        seat_ids=seat_ids,
        currency=currency,
    )
    try:
        await call.services.payments.refuse(unusable, actor)
    except errors.PaymentAlreadyUsed:
        log.error("payment %s in %s has been named for tickets", notice.payment_id, currency)
        return "already_used"
    log.warning("payment %s is in %s, a refund is owed", notice.payment_id, currency)
    return "refund_owed"


async def _cancelled(call: Call, actor: str, notice: PaymentCancelled) -> str:
    paid_for = notice.paid_for
    pending = [
        ticket
        for ticket in await _named_tickets(call, paid_for, must_exist=False)
        if ticket.status is TicketStatus.PENDING
    ]
    for ticket in pending:
        await call.services.box_office.cancel(ticket.holder, ticket.id, actor)
    if not pending and call.services.clock.now() - notice.created_at <= _CANCELLATION_SECONDS:
        if paid_for.seat_ids or paid_for.hold_ids:
            screening_id, seat_ids = await _named_seats(call, paid_for)
            await call.ask(RevokeHolds(screening_id, holder_of(paid_for.user_id or 0), seat_ids, actor))
    return "released"


async def _refunded(call: Call, actor: str, notice: PaymentRefunded) -> str:
    amount_cents = None if notice.whole else notice.amount_cents
    await call.services.catalogue.refunds.pay_back(notice.payment_id, amount_cents, notice.reference)
    if notice.whole:
        await _cancel_refunded(call, actor, notice.payment_id)
    return "refunded"


async def _cancel_refunded(call: Call, actor: str, payment_id: str) -> None:
    """Cancel the tickets of a payment that was paid back as a whole, so that nobody visits for nothing."""
    for named_id in (vouched_payment(payment_id), payment_id):
        if tickets := await call.services.tickets.tickets_of_payment(named_id):
            try:
                ids = [ticket.id for ticket in tickets]
                await call.services.box_office.cancel_all(tickets[0].holder, ids, actor)
            except errors.ScreeningStarted:
                log.warning("payment %s was refunded after its screening had begun", named_id)


async def _named_tickets(call: Call, paid_for: PaidFor, *, must_exist: bool = True) -> list[Ticket]:
    """The tickets that a payment names, by their ids or those of purchased reservations.

    Raises:
        TicketNotFound: one does not exist, or belongs to another user.
    """
    reader = call.services.tickets
    tickets = [await reader.ticket(ticket_id) for ticket_id in paid_for.ticket_ids]
    for purchase_id in paid_for.purchase_ids:
        tickets += await reader.tickets_of_payment(f"{RESERVATION_PAYMENT}{purchase_id}") or [None]
    owner = None if paid_for.user_id is None else holder_of(paid_for.user_id)
    found = [ticket for ticket in tickets if ticket is not None and owner in (None, ticket.holder)]
    if must_exist and len(found) < len(tickets):
        raise errors.TicketNotFound(next(iter(paid_for.ticket_ids), 0))
    return found


async def _named_seats(call: Call, paid_for: PaidFor) -> tuple[int, tuple[int, ...]]:
    """The screening and the seats that a payment names, by their ids or those of reservations.

    Raises:
        InvalidInput: the user has had no such reservations, or they are of several screenings.
    """
    if not paid_for.hold_ids:
        return paid_for.screening_id or 0, paid_for.seat_ids
    await call.flushed()
    holds = await call.services.reservations.seats_of(holder_of(paid_for.user_id or 0), paid_for.hold_ids)
    screenings = {screening_id for screening_id, _ in holds}
    if len(holds) < len(paid_for.hold_ids) or len(screenings) != 1:
        raise InvalidInput(
            {"metadata.reservation_ids": ["Must be reservations of this user for one screening."]}
        )
    return screenings.pop(), tuple(seat_id for _, seat_id in holds)
