"""Queries of servers about ownership, screenings, tickets and payments, answered from `Tables`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.places import ticket_type_of
from engine.purchases import RESERVATION_PAYMENT
from engine.records import Layout
from persistence import check_ins, payments, refunds, store, tickets
from persistence.errors import DefectiveStatement
from persistence.idempotency import LOOKUP
from persistence.journal_connection import EPOCHS, WRITTEN
from tests.engine.conftest import make_layout
from tests.simulation.forms import TRANSACTION, array, executed
from tests.simulation.tables import LIVE, Row, Tables

Wanted = Mapping[str, Any]

PUBLISH_LAYOUT = "publish a layout"
"""Stands for the transaction of `persistence.catalogue.layouts.Layouts.publish`."""


def run(tables: Tables, sql: str, parameters: Any) -> list[Row]:
    """Carry a statement or a whole transaction of the journal out, or nothing of it.

    Raises:
        StatementRefused: a rule of the schema forbids it.
        DefectiveStatement: it is not understood.
    """
    if sql.startswith(TRANSACTION) and sql.endswith("COMMIT"):
        tables.write(sql, parameters)
        return []
    query = _QUERIES.get(sql)
    if query is None:
        raise DefectiveStatement(f"not understood: {sql[:200]}")
    return query(tables, parameters)


def screenings_in(sql: str, parameters: Any) -> Sequence[int]:
    """Return the screenings whose epochs a statement locks."""
    if sql == store.TAKE_AT_EPOCH:
        return [parameters["screening_id"]]
    if sql.startswith(TRANSACTION):
        return array(parameters[0], "bigint")
    return ()


def payments_in(sql: str, parameters: Any) -> set[str]:
    """Return the payments that a statement inserts."""
    if sql == refunds.CLAIM:
        return {parameters[0]}
    if sql.startswith(TRANSACTION):
        written = executed(sql, parameters, ("payments", "sales"))
        return {row["payment_id"] for _, _, rows, _ in written for row in rows if row["payment_id"]}
    return set()


# The journal and idempotency keys


def _epochs_of(tables: Tables, parameters: Sequence[str]) -> list[Row]:
    wanted = array(parameters[0], "bigint")
    return [(each, tables.epochs[each][0]) for each in wanted if each in tables.epochs]


def _written(tables: Tables, parameters: Sequence[str]) -> list[Row]:
    keys = zip(*[array(column, "bigint") for column in parameters], strict=True)
    return [key for key in keys if key in tables.events]


def _answer(tables: Tables, parameters: tuple[str, str]) -> list[Row]:
    row = tables.answers.get(parameters)
    return [] if row is None else [(*parameters, row["fingerprint"], row["status"], row["body"])]


# Ownership and loading


def _take_at_epoch(tables: Tables, wanted: Wanted) -> list[Row]:
    screening_id, known = wanted["screening_id"], wanted["known_epoch"]
    present, before = tables.epochs.get(screening_id, (0, ""))
    if screening_id not in tables.screenings or present != known:
        return []
    tables.epochs[screening_id] = (present + 1, wanted["owner"])
    tables.taken(screening_id, present + 1, before, wanted["owner"])
    return [(present + 1,)]


def _owner(tables: Tables, wanted: Wanted) -> list[Row]:
    row = tables.epochs.get(wanted["screening_id"])
    return [] if row is None else [(row[1], row[0], row[1] in (wanted["owner"], ""))]


def _resign(tables: Tables, parameters: tuple[str, Sequence[int]]) -> list[Row]:
    owner, kept = parameters
    for screening_id, (epoch, name) in tables.epochs.items():
        if name == owner and screening_id not in kept:
            tables.epochs[screening_id] = (epoch, "")
    return []


def _lost(tables: Tables, wanted: Wanted) -> list[Row]:
    pairs = zip(wanted["screening_ids"], wanted["epochs"], strict=True)
    return [(each,) for each, epoch in pairs if tables.epochs.get(each, (0, ""))[0] != epoch]


def _overdue(tables: Tables, wanted: Wanted) -> list[Row]:
    now = wanted["now"]
    due = {
        row["screening_id"]
        for row in tables.holds.values()
        if row["status"] == "active" and row["expires_at"] <= now
    }
    due |= {
        row["screening_id"]
        for row in tables.tickets.values()
        if row["status"] == "pending" and row["payment_deadline"] <= now
    }
    return [(each,) for each in sorted(due) if each > wanted["after_id"]][: wanted["limit"]]


def _screening(tables: Tables, parameters: tuple[int]) -> list[Row]:
    (screening_id,) = parameters
    info, layout = tables.screenings.get(screening_id, (None, None))
    if info is None or layout is None or not info.seated:
        return []
    rules = info.rules
    touched = any(
        row["screening_id"] == screening_id and row["status"] == "active" for row in tables.holds.values()
    ) or any(sold and seat[0] == screening_id for seat, sold in tables.sold.items())
    touched = touched or bool(_blocks(tables, parameters) or _waiting(tables, parameters))
    return [
        (
            *(layout.room_id, layout.version, info.starts_at, info.ends_at, info.price_cents),
            *(rules.orphan_rule.value, rules.orphan_share, rules.max_per_user),
            *(rules.sales_start, rules.sales_end, []),
            *(list(info.surcharges_cents), list(info.surcharges_cents.values())),
            *(info.moves_until, touched),
        )
    ]


def _event(tables: Tables, parameters: tuple[int]) -> list[Row]:
    info, _ = tables.screenings.get(parameters[0], (None, None))
    if info is None or info.seated:
        return []
    rules = info.rules
    limits = (rules.max_per_user, rules.sales_start, rules.sales_end)
    return [(info.starts_at, info.ends_at, *limits, [], info.moves_until)]


def _ticket_types(tables: Tables, parameters: tuple[int]) -> list[Row]:
    return [tuple(kind) for kind in tables.screenings[parameters[0]][0].ticket_types.values()]


def _layout(tables: Tables, parameters: tuple[int]) -> list[Row]:
    layout = next(each for _, each in tables.screenings.values() if each.room_id == parameters[0])
    return [(layout.version, {}, *seat) for seat in layout.seats]


def _active_holds(tables: Tables, parameters: tuple[int]) -> list[Row]:
    names = ("id", "reservation_id", "screening_id", "seat_id", "holder", "reserved_at", "expires_at")
    names += ("extensions", "note", "price_cents", "status")
    return [
        tuple([row[name] for name in names])
        for row in tables.holds.values()
        if row["screening_id"] == parameters[0] and row["status"] == "active"
    ]


def _live_tickets(tables: Tables, parameters: tuple[int]) -> list[Row]:
    return [
        _ticket(row)
        for row in tables.tickets.values()
        if row["screening_id"] == parameters[0] and row["status"] in LIVE
    ]


def _blocks(tables: Tables, parameters: tuple[int]) -> list[Row]:
    names = ("id", "screening_id", "label", "kind", "seat_ids", "created_at", "created_by", "channel")
    names += ("release_at",)
    present = [
        row
        for row in tables.blocks.values()
        if row["screening_id"] == parameters[0] and row["released_at"] is None
    ]
    return [tuple([row[name] for name in names]) for row in sorted(present, key=lambda row: row["id"])]


def _waiting(tables: Tables, parameters: tuple[int]) -> list[Row]:
    names = ("id", "screening_id", "holder", "quantity", "joined_at", "joined_epoch", "joined_seq")
    names += ("ticket_type_id", "seat_id", "together", "mail", "status", "reservation_id", "seat_ids")
    names += ("expires_at",)
    live = [
        row
        for row in tables.waitlist.values()
        if row["screening_id"] == parameters[0] and row["status"] in ("waiting", "offered")
    ]
    live.sort(key=lambda row: (row["joined_epoch"], row["joined_seq"]))
    return [tuple([row[name] for name in names]) for row in live]


def _publish_layout(tables: Tables, parameters: tuple[int, int]) -> list[Row]:
    """Give the room of a screening another number of seats. Returns the removed ones that somebody has."""
    screening_id, number = parameters
    info, layout = tables.screenings[screening_id]
    removed = set(range(number + 1, len(layout.seats) + 1))
    taken = [seat for at, seat in tables.sold if at == screening_id and tables.sold[at, seat]]
    taken += [
        row["seat_id"]
        for row in tables.holds.values()
        if row["screening_id"] == screening_id and row["status"] == "active"
    ]
    for row in _blocks(tables, (screening_id,)):
        taken += row[4]
    if removed.intersection(taken):
        return [(seat,) for seat in sorted(removed.intersection(taken))]
    tables.removed |= {(screening_id, seat.id): seat for seat in layout.seats}
    seats = make_layout(number, layout.room_id).seats
    tables.screenings[screening_id] = (info, Layout(layout.room_id, layout.version + 1, seats))
    tables.epochs[screening_id] = (tables.epochs.get(screening_id, (0, ""))[0] + 1, "")
    return []


# Tickets and payments


def _ticket(row: Mapping[str, Any]) -> Row:
    names = ("id", "booking_id", "screening_id", "seat_id", "holder", "price_cents", "status", "booked_at")
    names += ("confirmed_at", "cancelled_at", "payment_id", "payment_deadline", "code", "paper", "held_at")
    names += ("sold_by", "free_because")
    return (*[row[name] for name in names], row.get("paid"))


def _ticket_by_id(tables: Tables, parameters: tuple[int]) -> list[Row]:
    row = tables.tickets.get(parameters[0])
    return [] if row is None else [_ticket(row)]


def _of_payment(tables: Tables, payment_id: str) -> list[dict[str, Any]]:
    paid = tables.payments.get(payment_id)
    if paid is None:
        return []
    whole = payment_id.startswith(RESERVATION_PAYMENT)
    found = [
        row
        for row in tables.tickets.values()
        if row["booking_id"] == paid["booking_id"] and (whole or row["payment_id"] == payment_id)
    ]
    return sorted(found, key=lambda row: row["id"])


def _tickets_of_payment(tables: Tables, wanted: Wanted) -> list[Row]:
    return [_ticket(row) for row in _of_payment(tables, wanted["paid"])]


def _first_places(tables: Tables, wanted: Wanted) -> list[Row]:
    places = {row["id"]: (row["screening_id"], row["seat_id"]) for row in _of_payment(tables, wanted["paid"])}
    for move in reversed(tables.moves.values()):
        if move["ticket_id"] in places:
            places[move["ticket_id"]] = (move["from_screening_id"], move["from_seat_id"])
    return [(ticket_id, *place) for ticket_id, place in places.items()]


def _moved_by_payment(tables: Tables, parameters: tuple[str]) -> list[Row]:
    return [(move["ticket_id"],) for move in tables.moves.values() if move["payment_id"] == parameters[0]]


def _refund(row: Mapping[str, Any]) -> Row:
    names = (
        "id",
        "payment_id",
        "screening_id",
        "ticket_id",
        "holder",
        "amount_cents",
        "reason",
        "booking_id",
    )
    return (*[row[name] for name in names], row["currency"])


def _refunds_of_payment(tables: Tables, parameters: tuple[str]) -> list[Row]:
    return [_refund(row) for row in tables.refunds_of(parameters[0])]


def _refund_of_unused(tables: Tables, parameters: tuple[str]) -> list[Row]:
    if tables.payments.get(parameters[0], {"booking_id": 0})["booking_id"] is not None:
        return []
    return _refunds_of_payment(tables, parameters)[:1]


def _claimed(tables: Tables, parameters: tuple[int | None, str]) -> list[Row]:
    seat_id, payment_id = parameters
    paid = tables.payments.get(payment_id)
    if paid is None:
        return []
    confirmed = [row for row in _of_payment(tables, payment_id) if row["confirmed_at"] is not None]
    has_paid = seat_id is not None and any(row["seat_id"] == seat_id for row in confirmed)
    return [(paid["holder"], paid["booking_id"], has_paid)]


def _unvouched(tables: Tables, parameters: tuple[str, str]) -> list[Row]:
    """Count the refunds that are owed to a holder for payments that nobody has vouched for."""
    holder, payment_id = parameters
    known = tables.payments
    if known.get(payment_id, {"vouched_by": ""})["vouched_by"] is not None:
        return [(0,)]
    of_holder = [row["payment_id"] for row in tables.refunds.values() if row["holder"] == holder]
    return [(sum(known[each]["vouched_by"] is None for each in of_holder),)]


def _vouch(tables: Tables, wanted: Wanted) -> list[Row]:
    row = tables.payments.get(wanted["payment_id"])
    if row is None or row["vouched_by"] is not None:
        return [(True,)]
    if row["holder"] != wanted["holder"]:
        return [(False,)]
    tables.payments[wanted["payment_id"]] = {**row, "vouched_by": wanted["voucher"]}
    return [(True,)]


def _agreed_price(tables: Tables, wanted: Wanted) -> list[Row]:
    prices = [_price_of(tables, wanted, seat_id) for seat_id in array(wanted["seat_ids"], "bigint")]
    known = [price for price in prices if price is not None]
    return [(sum(known) if known else None,)] if len(known) == len(prices) else []


def _price_of(tables: Tables, wanted: Wanted, seat_id: int) -> int | None:
    """Return the price of a seat for a holder: as agreed with the last hold, or the present one."""
    place = (wanted["screening_id"], seat_id, wanted["holder"])
    held = [
        row
        for row in tables.holds.values()
        if (row["screening_id"], row["seat_id"], row["holder"]) == place
        and (wanted["held"] or row["status"] == "active")
    ]
    last = max(held, key=lambda row: row["id"], default=None)
    if last is not None and last["price_cents"] is not None:
        agreed: int = last["price_cents"]
        return agreed
    info, layout = tables.screenings[wanted["screening_id"]]
    if seat_id < 0:
        kind = info.ticket_types.get(ticket_type_of(seat_id))
        return None if kind is None else kind.price_cents
    seat = layout.by_id.get(seat_id) or tables.removed.get((info.id, seat_id))
    return None if seat is None else info.price_of(seat)


_QUERIES: dict[str, Callable[[Tables, Any], list[Row]]] = {
    EPOCHS: _epochs_of,
    WRITTEN: _written,
    LOOKUP: _answer,
    store.TAKE_AT_EPOCH: _take_at_epoch,
    store.KNOWN: lambda tables, wanted: [(wanted["screening_id"] in tables.screenings,)],
    store.OWNER: _owner,
    store.RESIGN: _resign,
    store.LOST: _lost,
    store.OVERDUE: _overdue,
    store.SCREENING: _screening,
    store.EVENT: _event,
    store.TICKET_TYPES: _ticket_types,
    store.LAYOUT: _layout,
    store.ACTIVE_HOLDS: _active_holds,
    store.LIVE_TICKETS: _live_tickets,
    store.PRESENT_BLOCKS: _blocks,
    store.WAITING: _waiting,
    PUBLISH_LAYOUT: _publish_layout,
    tickets.TICKET: _ticket_by_id,
    tickets.TICKETS_OF_PAYMENT: _tickets_of_payment,
    tickets.FIRST_PLACES: _first_places,
    tickets.MOVED_BY_PAYMENT: _moved_by_payment,
    refunds.OF_UNUSED_PAYMENT: _refund_of_unused,
    refunds.OF_PAYMENT: _refunds_of_payment,
    refunds.CLAIMED: _claimed,
    refunds.UNVOUCHED: _unvouched,
    refunds.AGREED_PRICE: _agreed_price,
    payments.VOUCH: _vouch,
    # Nobody is admitted at the door.
    check_ins.BEGIN_CHANGE: lambda tables, _: [(None,)],
    check_ins.END_CHANGE: lambda tables, _: [],
}
