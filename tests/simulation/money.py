"""Payments are kept for tickets or owed back, to the cent."""

from collections import Counter
from collections.abc import Collection, Mapping

from engine.purchases import RESERVATION_PAYMENT
from tests.simulation.tables import LIVE, Tables, kept_for


def check_money(tables: Tables, paid: Mapping[str, int], answered: Collection[str]) -> list[str]:
    """Compare what payments have brought with what the tables say.

    Args:
        tables: after everything has come to rest.
        paid: what each payment has brought, in cents.
        answered: payments of which clients know what has become of them. Others may never have arrived.

    Returns:
        What is wrong, payment by payment.
    """
    kept: Counter[str] = Counter()
    for ticket in tables.tickets.values():
        if ticket["status"] in LIVE:
            kept.update(dict(kept_for(ticket)))
    owed: Counter[str] = Counter()
    for refund in tables.refunds.values():
        owed[refund["payment_id"]] += refund["amount_cents"]
    known = {each for each in {*kept, *owed, *answered} if not each.startswith(RESERVATION_PAYMENT)}
    return [
        f"{paid[each]} cents were paid with {each}: {kept[each]} are kept for tickets, {owed[each]} are owed"
        for each in sorted(known)
        if kept[each] + owed[each] != paid[each]
    ]
