"""The rows of any batch are those of a plain model that handles one event at a time."""

from collections import defaultdict
from typing import Any

import orjson
import pytest

from engine.causes import Cause
from engine.events import (
    HoldsExpired,
    HoldsExtended,
    HoldsReleased,
    PlacesHeld,
    SeatsBlocked,
    SeatsHeld,
    SeatsHeldFor,
    SeatsUnblocked,
    StateStored,
    TicketsCancelled,
    TicketsConfirmed,
    TicketsGivenBack,
    TicketsIssued,
    TicketsLapsed,
    TicketsLeft,
    TicketsMoved,
)
from engine.records import IdempotencyRecord
from engine.waitlist_records import WaitlistChanged
from persistence.batch import Batch, TicketChangedTwice
from tests.persistence.histories import History
from tests.ports.adapters import NOW
from tests.ports.story import ALICE
from tests.simulation.forms import executed

FREED, TAKEN = "available", "held"
STATES = {
    SeatsHeld: (FREED, TAKEN),
    PlacesHeld: (FREED, TAKEN),
    SeatsHeldFor: (FREED, TAKEN),
    HoldsExtended: (TAKEN, TAKEN),
    HoldsReleased: (TAKEN, FREED),
    HoldsExpired: (TAKEN, FREED),
    SeatsBlocked: (FREED, "blocked"),
    SeatsUnblocked: ("blocked", FREED),
    TicketsLeft: (None, FREED),
    TicketsMoved: (None, "booked"),
}
"""New states of the seats of an event; their former ones are in some events."""

OF_TICKETS = (TicketsCancelled, TicketsGivenBack, TicketsLapsed, TicketsConfirmed, TicketsIssued)
"""Events about tickets, in the order in which payments are looked for."""


def by_hand(event: Any, records: Any) -> str | None:
    holders = {record.holder for record in records}
    return None if event.actor in (*holders, "system") or len(holders) > 1 else holders.pop()


def expected(history: History) -> dict[str, Any]:
    """The rows that a batch has to write, by table."""
    tables: dict[str, Any] = defaultdict(list)
    holds: dict[Any, Any] = {}
    blocks: dict[int, Any] = {}
    waiting: dict[int, Any] = {}
    payments: list[Any] = []
    told: set[int] = set()
    for event in history.events:
        kind, head = type(event), event[:3]
        cause = history.causes.get(id(event), Cause(None))  # type: ignore[arg-type]
        tables["owned"].append(event[:2])
        if kind is StateStored:
            tables["state_hashes"].append(tuple(event))
            continue
        if kind is WaitlistChanged:
            told |= {*event.news}
            for entry in event.entries:
                waiting[entry.id] = (entry, head, event.at, cause)
            continue
        before, after = STATES.get(kind, (None, None))
        block = block_seats = holder = None
        if hasattr(event, "holds"):
            seat_ids, ids = zip(*[(hold.seat_id, hold.id) for hold in event.holds], strict=True)
            holder = by_hand(event, event.holds)
            status = {HoldsReleased: "released", HoldsExpired: "expired"}.get(kind, "active")
            closed_at = None if status == "active" else event.at
            holds.update({(hold.holder, hold.id): (*hold, status, closed_at) for hold in event.holds})
        elif hasattr(event, "block"):
            seat_ids = ids = event.seat_ids
            block, block_seats = event.block.id, event.block.seat_ids
            end = (None, None) if block_seats else (event.at, event.actor)
            given = event.block._asdict()
            seats = given.pop("seat_ids")
            blocks[block] = (*given.values(), *end, tuple(seats))
        else:
            seat_ids, ids = zip(*[(ticket.seat_id, ticket.id) for ticket in event.tickets], strict=True)
            holder = by_hand(event, event.tickets)
            taken = {(hold.holder, hold.id): (*hold, "converted", event.at) for hold in event.converted}
            holds.update(taken)
            after = after or {"pending": "pending", "confirmed": "booked"}.get(event.tickets[0].status, FREED)
        statuses = (before,) * len(seat_ids) if before else tuple(map(str, event.from_statuses))
        # Nobody is told of seats that are held.
        trace = None if event.kind == "seats_held" else cause.trace
        tables["events"].append(
            (
                *(*head, event.at, event.kind, event.actor, seat_ids, statuses, after, holder),
                *(cause.request_id, trace, ids, block, block_seats),
            )
        )
        if kind in OF_TICKETS:
            tables["tickets"] += [(*ticket[:-1], cause.request_id) for ticket in event.tickets]
        if kind is TicketsGivenBack:
            tables["given_back"] += [(ticket.id,) for ticket in event.tickets]
        if kind is TicketsMoved:
            for ticket, old in zip(event.tickets, event.before, strict=True):
                owed = [
                    [each.payment_id, each.amount_cents] for each in event.owed if each.ticket_id == ticket.id
                ]
                row = (ticket.id, *head, event.at, event.actor, ticket.booking_id, ticket.seat_id)
                row += (ticket.price_cents, [[*each] for each in ticket.paid or ()], old.screening_id)
                row += (old.seat_id, old.price_cents, event.payment_id, owed, cause.request_id, event.by_hand)
                tables["moves"].append(row)
            if event.payment_id:
                payments.append((-1, event, event.tickets[0]._replace(payment_id=event.payment_id)))
        elif kind in OF_TICKETS:
            order = OF_TICKETS.index(kind)
            payments += [(order, event, ticket) for ticket in event.tickets if ticket.payment_id]
    for entry, (_, epoch, seq), at, cause in waiting.values():
        news = entry.id in told and entry.status in ("offered", "told")
        *start, seat_ids, expires_at = entry
        tables["waitlist"].append(
            (*start, tuple(seat_ids), expires_at, epoch, seq, at, news, cause.request_id, cause.trace)
        )
    tables["holds"] = list(holds.values())
    tables["blocks"] = list(blocks.values())
    tables["payments"] = _paid(payments)
    return tables


def _paid(payments: list[Any]) -> list[Any]:
    """Return one row per payment: of the last event that vouches for it, else of the first."""
    found: dict[str, Any] = {}
    for order, event, ticket in sorted(payments, key=lambda each: each[0]):
        payment_id = ticket.payment_id
        voucher = {"service:payments": "service", "provider:stripe": "stripe"}.get(event.actor)
        if payment_id.startswith("counter:"):
            voucher = "counter"
        if isinstance(event, TicketsCancelled | TicketsLapsed):
            voucher = None
        if order < 0 or voucher or payment_id not in found:
            paid = (payment_id, ticket.holder, ticket.booking_id, ticket.screening_id)
            found[payment_id] = (*paid, event.at, voucher)
    return list(found.values())


def written(sql: str, parameters: list[str]) -> dict[str, Any]:
    """The rows that the statements of a batch write, in the form of `expected`."""
    tables: dict[str, Any] = defaultdict(list)

    def array(literal: str | None, kind: type = str) -> Any:
        return literal if literal is None else tuple(map(kind, filter(None, literal[1:-1].split(","))))

    for name, _, rows, beside in executed(sql, parameters):
        for row in rows:
            part = slice(row["first_seat"] - 1, row["last_seat"]) if "first_seat" in row else slice(0)
            arrays = [tuple(each[part]) for each in beside]
            get = row.get
            head = (row.get("screening_id"), get("epoch"), get("seq"), get("at"))
            if name == "held":
                seat_ids, prices = arrays
                ids = tuple(get("reservation_id") + number for number in range(len(seat_ids)))
                statuses = (FREED,) * len(seat_ids)
                tables["events"].append(
                    (
                        *(*head, "seats_held", row["holder"], seat_ids, statuses, TAKEN, None),
                        *(row["request_id"], None, ids, None, None),
                    )
                )
                for hold_id, seat_id, price in zip(ids, seat_ids, prices, strict=True):
                    hold = (hold_id, row["reservation_id"], head[0], seat_id, row["holder"], head[3])
                    tables["holds"].append((*hold, row["expires_at"], 0, row["note"], price, "active", None))
            elif name == "sales":
                seat_ids, ids, prices = arrays
                holder = None if row["holder"] == row["actor"] else row["holder"]
                tables["events"].append(
                    (
                        *(*head, "tickets_issued", row["actor"], seat_ids, array(row["from_statuses"])),
                        *(row["to_status"], holder, row["request_id"], row["trace"], ids, None, None),
                    )
                )
                for ticket_id, seat_id, price in zip(ids, seat_ids, prices, strict=True):
                    ticket = (ticket_id, row["booking_id"], head[0], seat_id, row["holder"], price)
                    ticket += (row["status"], row["booked_at"], row["confirmed_at"], None, row["payment_id"])
                    ticket += (row["payment_deadline"], None, None, row["held_at"], row["sold_by"])
                    tables["tickets"].append((*ticket, row["free_because"], row["request_id"]))
                if row["payment_id"]:
                    paid = (row["payment_id"], row["holder"], row["booking_id"], head[0], head[3])
                    tables["payments"].append((*paid, row["vouched_by"]))
            elif name == "events":
                tables["events"].append(
                    (
                        *(*head, row["kind"], row["actor"], arrays[0], array(row["from_statuses"])),
                        *(row["to_status"], row["holder"], row["request_id"]),
                        None if row["kind"] == "seats_held" else row["trace"],
                        *(arrays[1], row["block_id"], array(row["block_seat_ids"], int)),
                    )
                )
            elif name == "moves":
                values = row | {"paid": orjson.loads(row["paid"]), "owed": orjson.loads(row["owed"])}
                tables["moves"].append(tuple(values.values()))
            elif name == "blocks":
                tables["blocks"].append((*list(row.values())[:-2], arrays[0]))
            elif name == "waitlist":
                tables["waitlist"].append(tuple((row | {"seat_ids": array(row["seat_ids"], int)}).values()))
            else:
                tables[name].append(tuple(row.values()))
    return tables


def ordered(rows: list[Any]) -> list[str]:
    return sorted([repr([str(value) if isinstance(value, str) else value for value in row]) for row in rows])


@pytest.mark.parametrize("seed", range(50))
def test_rows_are_those_of_a_plain_model(seed: int) -> None:
    history = History(seed)
    answers = [IdempotencyRecord(ALICE, f"key-{number}", b"\0f", 201, b"{}") for number in range(seed % 3)]
    sql, parameters = Batch(history.events, answers, history.causes).statements(again=False)
    found, wanted = written(sql, parameters), expected(history)
    wanted["answers"] = answers
    wanted["owned"] = list(dict.fromkeys(wanted["owned"]))
    for table in {*wanted, *found}:
        assert ordered(found[table]) == ordered(wanted[table]), table
    again, same = Batch(history.events, answers, history.causes).statements(again=True)
    assert same == parameters and again.count("EXECUTE") == sql.count("EXECUTE")
    for name in ("held", "sales", "events"):
        assert sql.count(f"EXECUTE {name} ") == again.count(f"EXECUTE {name}_again ")


def test_payments_of_changes_are_written_in_order() -> None:
    story = History(1).stories[0]
    events = []
    for payment_id in ("c", "a", "d", "b"):
        (ticket,) = story.tickets(0, pending_until=NOW + 900)
        events.append(story.confirmed(ticket, payment_id))
    found = written(*Batch(events, []).statements(again=False))
    assert [row[0] for row in found["payments"]] == ["a", "b", "c", "d"]


def test_a_ticket_that_changes_twice_needs_two_batches() -> None:
    story = History(1).stories[0]
    ticket, other = story.tickets(0, 1)
    with_papers = ticket._replace(code="code", paper=b"paper")
    moved = story.moved((ticket, story.there(ticket, 2)))
    for events in (
        (story.issued((ticket,)), story.cancelled(ticket)),
        (story.issued((with_papers,)), story.cancelled(ticket)),
        (story.confirmed(ticket, "P"), story.cancelled(ticket)),
        (moved, story.moved((ticket, story.there(ticket, 3)))),
        (moved, story.cancelled(ticket)),
    ):
        with pytest.raises(TicketChangedTwice):
            Batch(events, []).statements(again=False)
    Batch([moved, story.cancelled(other)], []).statements(again=False)


def test_responses_alone_check_no_epoch() -> None:
    answer = IdempotencyRecord(ALICE, "key", b"", 201, b"")
    sql, parameters = Batch([], [answer]).statements(again=False)
    assert sql.startswith("EXECUTE owned ") and parameters[:2] == ["{}", "{}"]
    assert written(sql, parameters)["answers"] == [answer]


def test_the_last_state_of_a_hold_counts_also_if_it_is_older_than_the_batch() -> None:
    first, second = History(1).stories
    hold = first.hold(0)
    longer = hold._replace(expires_at=NOW + 600, extensions=1)
    found = written(*Batch([first.extended(longer), first.released(longer)], []).statements(again=False))
    assert found["holds"] == [(*longer, "released", NOW + 2)]
    # Holds of two screenings with one id are two.
    other = longer._replace(screening_id=2)
    events = [first.extended(hold), first.extended(longer), second.extended(other)]
    found = written(*Batch(events, []).statements(again=False))
    assert ordered(found["holds"]) == ordered([(*longer, "active", None), (*other, "active", None)])


def test_the_last_state_of_a_block_counts_whatever_its_events_are() -> None:
    story = History(1).stories[0]
    blocked = story.blocked(0, 1)
    events = [blocked, story.unblocked(blocked.block, 0), story.blocked(0)._replace(block=blocked.block)]
    found = written(*Batch(events, []).statements(again=False))
    assert [row[-1] for row in found["blocks"]] == [blocked.block.seat_ids]
