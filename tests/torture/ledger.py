"""Bookings, payments and refunds: what buyers were told, against the tables at the end.

Four questions:

* Does a request that is repeated with its payment or its key get the same answer, and has it one effect?
* Is every acknowledged ticket in the table as it was acknowledged, and was every ticket in the table asked
  for?
* Is every seat sold once, and does every payment pay for one booking, whole or not at all?
* Is what was paid for a ticket either kept, because the ticket stands, or owed back exactly once?
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.torture.findings import Finding
from tests.torture.history import History, Operation
from tests.torture.repeats import BOOKINGS, without_repeats

LIVE = ("pending", "confirmed")
"""States in which a ticket occupies its seat."""

_OWN_PAYMENT = "reservation:"
"""Prefix of payments that the server names itself; they are not refunded."""

_SELLING = BOOKINGS | {"order"}
"""Actions that are answered with tickets, and stored with their key in the same transaction."""

_MAY_REFUSE_REPEATS = ("idempotency_key_in_flight",)

Row = Mapping[str, Any]


def check_ledger(history: History, final: Mapping[str, Any]) -> list[Finding]:
    """Compare what buyers were told with the tables.

    Args:
        history: the history.
        final: rows of `tickets`, `payments` and `refunds`, and perhaps the amounts `paid` by payment. A table
            that is missing is not judged.
    """
    ledger = _Ledger(history, final)
    findings = [*ledger.repeats(), *ledger.sold_twice_by_word()]
    if "tickets" in final:
        findings += [*ledger.acknowledged(), *ledger.unasked(), *ledger.sold_twice(), *ledger.payments()]
        findings += ledger.moved()
        if "refunds" in final:
            findings += ledger.refunds()
    return findings


class _Ledger:
    def __init__(self, history: History, final: Mapping[str, Any]) -> None:
        self._operations = history.operations
        self._final = final
        self._tickets: dict[Any, Row] = {row["id"]: row for row in final.get("tickets", ())}
        self._bookings: dict[str, list[Operation]] = defaultdict(list)
        self._cancellations: dict[str | None, list[Operation]] = defaultdict(list)
        self._cancellations_of: dict[Any, list[Operation]] = defaultdict(list)
        self._moves: dict[Any, list[Operation]] = defaultdict(list)
        for operation in without_repeats(history.operations):
            if operation.action == "move" and not operation.refused:
                self._moves[operation.ticket].append(operation)
        for operation in history.operations:
            if operation.action in BOOKINGS and operation.payment_id is not None:
                self._bookings[operation.payment_id].append(operation)
            elif operation.action == "cancel" and not operation.refused:
                if operation.ticket is not None:
                    self._cancellations_of[operation.ticket].append(operation)
                else:
                    self._cancellations[operation.payment_id].append(operation)

    def repeats(self) -> Iterator[Finding]:
        """The same payment or key has one answer."""
        for payment_id, operations in self._bookings.items():
            answers = {_ticket_ids(one): one for one in operations if one.succeeded}
            if len(answers) > 1:
                yield Finding(
                    "payment with two bookings",
                    f"payment {payment_id}",
                    f"It was answered with {len(answers)} different sets of tickets.",
                    _lines(operations),
                )
        keyed = defaultdict(list)
        for operation in self._operations:
            if operation.key is not None and operation.succeeded:
                keyed[operation.user, operation.key].append(operation)
        for (user, key), operations in keyed.items():
            first = operations[0]
            if refused := [one for one in self._operations if _repeats_in_vain(one, first)]:
                text = "It had succeeded, and a repeat with the same key was refused."
                yield Finding("repeat refused", f"key {key} of {user}", text, _lines([first, *refused]))
            if any(_body(one) != _body(first) for one in operations):
                text = "Requests with different bodies all succeeded; the later ones must get 422."
                yield Finding("key for two requests", f"key {key} of {user}", text, _lines(operations))
            elif first.action in _SELLING and len({_ticket_ids(one) for one in operations}) > 1:
                text = "A repeat with the same key was answered with other tickets."
                yield Finding("key with two effects", f"key {key} of {user}", text, _lines(operations))

    def sold_twice_by_word(self) -> Iterator[Finding]:
        """No seat is acknowledged to two payments, unless one of the tickets may have left it."""
        buyers: dict[Any, dict[Any, Operation]] = defaultdict(dict)
        for operations in self._bookings.values():
            for operation in operations:
                for seat in _seats(operation) if operation.succeeded else ():
                    buyers[operation.screening, seat].setdefault(operation.payment_id, operation)
        for (screening, seat), by_payment in buyers.items():
            standing = [one for one in by_payment.values() if not self._left(one, seat)]
            if len(standing) > 1:
                yield Finding(
                    "seat sold twice",
                    f"screening {screening}, seat {seat}",
                    f"{len(standing)} payments were answered with a ticket for it, and none was cancelled.",
                    _lines(standing),
                )

    def _left(self, booking: Operation, seat: Any) -> bool:
        """Return whether the ticket that a booking issued for a seat may have been cancelled or moved."""
        issued = [each["id"] for each in booking.data.get("tickets", ()) if each.get("seat") == seat]
        ticket_id = issued[0] if issued else None
        return bool(self._cancelled(booking.payment_id, seat, ticket_id) or self._moves.get(ticket_id))

    def acknowledged(self) -> Iterator[Finding]:
        """Every ticket that a buyer was given is in the table as it was given."""
        for operation in self._operations:
            if operation.action not in BOOKINGS or not operation.succeeded:
                continue
            payment_id = operation.payment_id
            for ticket in operation.data.get("tickets", ()):
                wrong = self._wrong(ticket, operation)
                if wrong is not None:
                    cancelled = self._cancelled(payment_id, ticket.get("seat"), ticket["id"])
                    records = _lines([operation, *cancelled])
                    row = self._tickets.get(ticket["id"])
                    rows = self._by_payment().get(str(payment_id), []) if row is None else [row]
                    about = f"ticket {ticket['id']}, payment {payment_id}"
                    yield Finding("lost booking", about, wrong, [*records, *map(_row, rows)])

    def _wrong(self, ticket: Row, operation: Operation) -> str | None:
        """Return how a ticket in the table differs from what its buyer was told; None if it does not."""
        row = self._tickets.get(ticket["id"])
        if row is None:
            return "The buyer was given the ticket, and the table does not have it."
        cancellations = self._cancelled(operation.payment_id, ticket.get("seat"), ticket["id"])
        if row["status"] not in ("confirmed", "cancelled"):
            return f"The buyer was given the ticket; in the table it is {row['status']}."
        if row["status"] == "cancelled" and not cancellations:
            return "The ticket is cancelled, and nobody has cancelled it."
        if row["status"] == "confirmed" and any(one.succeeded for one in cancellations):
            return "The ticket was cancelled, and the table has it as confirmed."
        moves = self._moves.get(ticket["id"], ())
        places, late = [(operation.screening, ticket.get("seat"))], []
        for move in moves:
            there = (move.screening, *(move.seats or ()))
            if move.unknown:
                # It may happen at any time, also after later moves, or never.
                late.append(there)
            places = [*(late if move.succeeded else places), there]
        if moves and (row["screening_id"], row["seat_id"]) not in places:
            found = f"screening {row['screening_id']}, seat {row['seat_id']}"
            return f"The ticket was moved to {places}; in the table it is in {found}."
        told = {
            "seat_id": row["seat_id"] if moves else ticket.get("seat", row["seat_id"]),
            # Who buys tickets by quantity is known by a session, which the table does not have.
            "holder": row["holder"] if operation.ticket_type is not None else operation.user,
            "payment_id": operation.payment_id or row["payment_id"],
            "price": ticket.get("price", row.get("price")),
        }
        for column, value in told.items():
            if column == "price" and value is not None:
                differs = Decimal(str(value)) != Decimal(str(row[column]))
            else:
                differs = str(value) != str(row.get(column))
            if differs:
                return f"The buyer was told {column} {value}; in the table it is {row.get(column)}."
        return None

    def unasked(self) -> Iterator[Finding]:
        """Every ticket in the table was asked for by a request that was not refused for good."""
        for payment_id, rows in self._by_payment().items():
            operations = self._bookings.get(payment_id)
            if not operations or payment_id.startswith(_OWN_PAYMENT):
                continue  # somebody else's sale
            asked = {seat for one in operations if not one.refused for seat in _seats(one)}
            for row in rows:
                moves = self._moves.get(row["id"], ())
                wanted = asked and asked.union(*[move.seats or () for move in moves])
                if all(one.refused for one in operations):
                    text = "Every request with the payment was refused, and the table has its ticket."
                elif wanted and row["seat_id"] not in wanted:
                    text = f"The table has a ticket for seat {row['seat_id']}, which the payment was not for."
                else:
                    continue
                records = [*_lines(operations), _row(row)]
                yield Finding("refused but sold", f"ticket {row['id']}, payment {payment_id}", text, records)

    def sold_twice(self) -> Iterator[Finding]:
        """No seat has two live tickets."""
        live = defaultdict(list)
        for row in self._tickets.values():
            if row["status"] in LIVE and row["seat_id"] is not None:
                live[row["screening_id"], row["seat_id"]].append(row)
        for (screening, seat), rows in live.items():
            if len(rows) > 1:
                operations = [one for row in rows for one in self._bookings.get(row["payment_id"], ())]
                records = [*_lines(operations), *map(_row, rows)]
                text = f"The table has {len(rows)} live tickets for it."
                yield Finding("seat sold twice", f"screening {screening}, seat {seat}", text, records)

    def moved(self) -> Iterator[Finding]:
        """The seats that moves were about are booked at the end if a ticket is there, and only then."""
        live = {
            (str(row["screening_id"]), row["seat_id"]): row
            for row in self._tickets.values()
            if row["status"] in LIVE
        }
        places: dict[tuple[str, Any], list[Operation]] = defaultdict(list)
        for moves in self._moves.values():
            for move in moves:
                for seat in move.seats or ():
                    places[str(move.screening), seat].append(move)
        for screening, found in self._final.get("screenings", {}).items():
            for seen in found.get("seats", ()):
                place = str(screening), seen["seat"]
                row = live.get(place)
                if place in places and (seen["status"] == "booked") is (row is None):
                    ticket = "no ticket" if row is None else f"ticket {row['id']}"
                    yield Finding(
                        "seat without its ticket",
                        f"screening {screening}, seat {seen['seat']}",
                        f"In the end it is {seen['status']}, and the table has {ticket} there.",
                        _lines(places[place]),
                    )

    def payments(self) -> Iterator[Finding]:
        """A payment pays for one booking, and a booking has all of its seats."""
        rows = {row["payment_id"]: row for row in self._final.get("payments", ())}
        for payment_id, tickets in self._by_payment().items():
            bookings = {row["booking_id"] for row in tickets}
            if len(bookings) > 1:
                text = f"Its tickets belong to the bookings {sorted(bookings, key=str)}."
                yield Finding(
                    "payment with two bookings", f"payment {payment_id}", text, list(map(_row, tickets))
                )
            elif "payments" in self._final and bookings != {rows.get(payment_id, {}).get("booking_id")}:
                text = f"The table of payments does not have it for the booking {bookings.pop()}."
                yield Finding(
                    "ticket without payment", f"payment {payment_id}", text, list(map(_row, tickets))
                )
            asked = [one.seats for one in self._bookings.get(payment_id, ()) if not one.refused and one.seats]
            seats = {row["seat_id"] for row in tickets}
            if asked and all(seats < set(wanted) and len(tickets) < len(wanted) for wanted in asked):
                missing = sorted(set(asked[0]) - seats, key=str)
                records = [*_lines(self._bookings[payment_id]), *map(_row, tickets)]
                text = f"Seats {missing} are missing: a booking is made whole or not at all."
                yield Finding("booking in part", f"payment {payment_id}", text, records)

    def refunds(self) -> Iterator[Finding]:
        """The money kept for valid tickets and the money owed back add up to what was paid."""
        owed: dict[Any, list[Row]] = defaultdict(list)
        for row in self._final["refunds"]:
            owed[row["payment_id"]].append(row)
        by_payment = self._by_payment()
        for payment_id in {*by_payment, *owed}:
            if payment_id.startswith(_OWN_PAYMENT):
                continue
            tickets, refunds = by_payment.get(payment_id, []), owed.get(payment_id, [])
            wrong = self._unbalanced(payment_id, tickets, refunds)
            if wrong is not None:
                records = _lines([*self._bookings.get(payment_id, ()), *self._cancellations[payment_id]])
                records += [_row(row) for row in (*tickets, *refunds)]
                yield Finding(wrong[0], f"payment {payment_id}", wrong[1], records)

    def _unbalanced(
        self, payment_id: str, tickets: Sequence[Row], refunds: Sequence[Row]
    ) -> tuple[str, str] | None:
        """Return the error in the money of a payment, as kind and text; None if there is none."""
        paid_back: Counter[Any] = Counter()
        times: Counter[Any] = Counter()
        for row in refunds:
            paid_back[row["ticket_id"]] += Decimal(str(row["amount"]))
            times[row["ticket_id"]] += 1
        for ticket_id, number in times.items():
            if number > 1:
                what = "the payment" if ticket_id is None else f"ticket {ticket_id}"
                return "refunded twice", f"What was paid for {what} is owed {number} times."
        for row in tickets:
            price, back = Decimal(str(row["price"])), paid_back[row["id"]]
            if row["status"] in LIVE and back:
                return (
                    "refund of a ticket that stands",
                    f"Ticket {row['id']} is {row['status']}, and {back} is owed.",
                )
            if row["status"] == "cancelled" and row.get("confirmed_at", True) and back != price:
                text = f"Ticket {row['id']} cost {price} and is cancelled; {back} is owed for it."
                return "refund missing" if back < price else "refund too high", text
        paid = self._final.get("paid", {}).get(payment_id)
        if paid is not None:
            standing = sum(
                (Decimal(str(row["price"])) for row in tickets if row["status"] in LIVE), Decimal()
            )
            back = sum(paid_back.values(), Decimal())
            if standing + back != Decimal(str(paid)):
                text = f"{paid} was paid; tickets for {standing} stand, and {back} is owed back."
                return "money does not add up", text
        return None

    def _cancelled(self, payment_id: str | None, seat: Any, ticket_id: Any = None) -> list[Operation]:
        """Requests that may have cancelled a ticket: by its id, or by payment and seat."""
        by_payment = self._cancellations[payment_id] if payment_id is not None else []
        by_seat = [one for one in by_payment if not one.seats or seat in one.seats]
        return [*by_seat, *self._cancellations_of[ticket_id]]

    def _by_payment(self) -> Mapping[str, list[Row]]:
        rows = defaultdict(list)
        for row in self._tickets.values():
            if row["payment_id"] is not None:
                rows[row["payment_id"]].append(row)
        return rows


def _ticket_ids(operation: Operation) -> tuple[Any, ...]:
    return tuple(sorted(ticket["id"] for ticket in operation.data.get("tickets", ())))


def _seats(operation: Operation) -> tuple[Any, ...]:
    """The seats of a booking: those that were sold, or those that were asked for."""
    sold = tuple(ticket["seat"] for ticket in operation.data.get("tickets", ()) if "seat" in ticket)
    return sold or operation.seats or ()


def _body(operation: Operation) -> tuple[Any, ...]:
    wanted = operation.action, operation.screening, operation.seats, operation.payment_id
    return (*wanted, operation.ticket_type, operation.quantity, operation.reservation)


def _repeats_in_vain(later: Operation, first: Operation) -> bool:
    """Return whether a sale with a key was refused although the same request had succeeded."""
    return (
        later.refused
        and first.action in _SELLING
        and (later.user, later.key, _body(later)) == (first.user, first.key, _body(first))
        and later.invoked_at > first.returned_at
        and (later.status or 0) < 500
        and later.status != 429
        and later.code not in _MAY_REFUSE_REPEATS
    )


def _lines(operations: Sequence[Operation]) -> list[str]:
    return list(map(str, sorted(operations, key=lambda operation: operation.invoked_at)))


def _row(row: Row) -> str:
    table = "refund" if "amount" in row else "ticket"
    return f"{table}: " + ", ".join(f"{name} {value}" for name, value in row.items())
