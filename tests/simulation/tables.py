"""Decisions of PostgreSQL about the journal and about ownership, in memory.

Only the statements that a cluster of servers sends for screenings and events are understood, and they are
carried out as the schema demands: keys, the unique index over live tickets, the rules for payments and for
the status of tickets, what is owed for cancelled ones. `test_tables.py` sends the same statements here and to
PostgreSQL.

The columns of the journal's prepared statements follow their SQL (`forms`). What the SQL does with them is
written down here once more.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from engine.purchases import RESERVATION_PAYMENT
from engine.records import Layout, ScreeningInfo, Seat
from persistence.errors import StatementRefused
from persistence.statements import NOT_OWNED, UNIQUE_VIOLATION
from tests.simulation.forms import array, executed

Row = tuple[Any, ...]

LIVE = ("pending", "confirmed")
_MISSING = object()
_TRANSITIONS = frozenset(
    {("pending", "confirmed"), ("pending", "cancelled"), ("pending", "lapsed"), ("confirmed", "cancelled")}
)
_ANSWER = ("scope", "key", "fingerprint", "status", "body")
_MOVE = ("ticket_id", "screening_id", "epoch", "seq")
MOVED = "ticket_moved"
"""Reason of a refund that is owed for a ticket that has become cheaper."""

_CHANGING_IN_LINE = ("status", "reservation_id", "seat_ids", "expires_at", "epoch", "seq", "changed_at")
_CHANGING = ("status", "confirmed_at", "cancelled_at", "payment_id", "payment_deadline", "sold_by")


class Tables:
    """The tables.

    Attributes:
        screenings: terms and layouts of screenings and events.
        removed: seats that layouts had before, by screening and id.
        epochs: epoch and owner by screening.
        holds, tickets, payments, refunds, moves, blocks, waitlist, events, answers: rows by key.
        sold: the live ticket of each seat.
        overtaken: entries of waiting lists that were served, and others that had joined before and waited.
        misplaced: screenings and seats that were held or sold although the layout does not have them.
        late: keys of events that were written although their epoch was over.
        taken: called with screening, new epoch, former and new owner when an epoch was raised.
    """

    def __init__(self, screenings: Mapping[int, tuple[ScreeningInfo, Layout]]) -> None:
        self.screenings = dict(screenings)
        self.removed: dict[tuple[int, int], Seat] = {}
        self.epochs: dict[int, tuple[int, str]] = {}
        self.holds: dict[tuple[str, int, int], dict[str, Any]] = {}
        self.tickets: dict[int, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[int, dict[str, Any]] = {}
        self.refund_ids = count(1)
        self.moves: dict[tuple[int, ...], dict[str, Any]] = {}
        self.events: dict[tuple[int, int, int], dict[str, Any]] = {}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self.blocks: dict[int, dict[str, Any]] = {}
        self.waitlist: dict[int, dict[str, Any]] = {}
        self.sold: dict[tuple[int, int], int | None] = {}
        self.overtaken: list[tuple[int, int]] = []
        self.misplaced: list[tuple[int, int]] = []
        self.late: list[tuple[int, int, int]] = []
        self.taken: Callable[[int, int, str, str], None] = lambda screening, epoch, before, after: None
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def write(self, sql: str, parameters: Sequence[str]) -> None:
        """Carry a transaction of the journal out, or nothing of it.

        Raises:
            StatementRefused: a rule of the schema forbids it.
            DefectiveStatement: it is not understood.
        """
        self._undo.clear()
        try:
            for name, again, rows, beside in executed(sql, parameters):
                getattr(self, f"_write_{name}")(rows, *beside, again=again)
        except BaseException:
            for table, key, before in reversed(self._undo):
                if before is _MISSING:
                    del table[key]
                else:
                    table[key] = before
            raise

    def _set(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def _is_new(self, table: dict[Any, Any], key: Any, again: bool, constraint: str) -> bool:
        """Return whether a row must be inserted; False if it exists and `again` allows that."""
        if key not in table:
            return True
        if not again:
            raise StatementRefused(f"{key} exists", UNIQUE_VIOLATION, constraint)
        return False

    def _check_seat(self, screening_id: int, seat_id: int) -> None:
        if seat_id > 0 and seat_id not in self.screenings[screening_id][1].by_id:
            self.misplaced.append((screening_id, seat_id))

    def _write_owned(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            if self.epochs.get(row["screening_id"], (None,))[0] != row["epoch"]:
                raise StatementRefused("division by zero", NOT_OWNED)

    def _log(self, row: Mapping[str, Any], kind: str, again: bool) -> None:
        key = (row["screening_id"], row["epoch"], row["seq"])
        if self._is_new(self.events, key, again, "screening_events_pkey"):
            self._set(self.events, key, {"kind": kind, **row})
            if self.epochs.get(key[0], (None,))[0] != key[1]:
                self.late.append(key)

    def _write_held(
        self, rows: list[dict[str, Any]], seat_ids: list[int], prices: list[int], *, again: bool
    ) -> None:
        for row in rows:
            self._log(row, "seats_held", again)
            for number, place in enumerate(range(row["first_seat"] - 1, row["last_seat"])):
                hold_id = row["reservation_id"] + number
                key = (row["holder"], hold_id, row["screening_id"])
                if self._is_new(self.holds, key, again, "holds_pkey"):
                    hold = {
                        "id": hold_id,
                        "reservation_id": row["reservation_id"],
                        "screening_id": row["screening_id"],
                        "seat_id": seat_ids[place],
                        "holder": row["holder"],
                        "reserved_at": row["at"],
                        "expires_at": row["expires_at"],
                        "extensions": 0,
                        "note": row["note"],
                        "price_cents": prices[place],
                        "status": "active",
                    }
                    self._check_seat(row["screening_id"], seat_ids[place])
                    self._set(self.holds, key, hold)

    def _write_holds(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            key = (row["holder"], row["id"], row["screening_id"])
            stored = self.holds.get(key)
            new = {name: value for name, value in row.items() if name != "closed_at"}
            if stored is None:
                self._set(self.holds, key, new)
            elif stored["status"] == "active" and stored["extensions"] <= row["extensions"]:
                changed = {name: row[name] for name in ("expires_at", "extensions", "status")}
                self._set(self.holds, key, {**stored, **changed})

    def _write_payments(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            stored = self.payments.get(row["payment_id"])
            if stored is None:
                self._set(self.payments, row["payment_id"], row)
            elif stored["vouched_by"] is None and stored["booking_id"] == row["booking_id"]:
                self._set(self.payments, row["payment_id"], {**stored, "vouched_by": row["vouched_by"]})

    def _write_sales(
        self,
        rows: list[dict[str, Any]],
        seat_ids: list[int],
        ids: list[int],
        prices: list[int],
        *,
        again: bool,
    ) -> None:
        for row in rows:
            payment_id = row["payment_id"]
            if payment_id is not None and self._is_new(self.payments, payment_id, again, "payments_pkey"):
                self._set(self.payments, payment_id, {**row, "created_at": row["at"]})
            self._log(row, "tickets_issued", again)
        for row in rows:
            for place in range(row["first_seat"] - 1, row["last_seat"]):
                ticket = {
                    **row,
                    "id": ids[place],
                    "seat_id": seat_ids[place],
                    "price_cents": prices[place],
                    "cancelled_at": None,
                    "code": None,
                    "paper": None,
                }
                if self._is_new(self.tickets, ticket["id"], again, "tickets_pkey"):
                    self._put(ticket)
        self._check_payments(rows)

    def _write_tickets(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            stored = self.tickets.get(row["id"])
            if stored is None:
                self._put(row)
            elif stored["status"] != row["status"]:
                if (stored["status"], row["status"]) not in _TRANSITIONS:
                    raise StatementRefused("no such transition", "23514", "tickets_transition")
                self._put({**stored, **{name: row[name] for name in _CHANGING}})
                if (stored["status"], row["status"]) == ("confirmed", "cancelled"):
                    self._owe_for(self.tickets[row["id"]])
        self._check_payments(rows)

    def _put(self, ticket: dict[str, Any]) -> None:
        ticket_id, seat = ticket["id"], (ticket["screening_id"], ticket["seat_id"])
        holder = self.sold.get(seat)
        if ticket["status"] in LIVE:
            self._check_seat(*seat)
            if holder not in (None, ticket_id):
                raise StatementRefused(f"seat {seat} is sold", UNIQUE_VIOLATION, "tickets_live_seat_key")
            self._set(self.sold, seat, ticket_id)
        elif holder == ticket_id:
            self._set(self.sold, seat, None)
        self._set(self.tickets, ticket_id, ticket)

    def _owe_for(self, ticket: Mapping[str, Any]) -> None:
        """Record the refund owed for a ticket, in the transaction that cancels it."""
        for payment_id, cents in kept_for(ticket):
            owed = {row["ticket_id"] for row in self.refunds_of(payment_id) if row["reason"] != MOVED}
            if cents and ticket["id"] not in owed and not payment_id.startswith(RESERVATION_PAYMENT):
                self._owe(ticket, ticket["screening_id"], payment_id, cents, "ticket_cancelled")

    def _owe(
        self, ticket: Mapping[str, Any], screening_id: int, payment_id: str, cents: int, reason: str
    ) -> None:
        refund_id = next(self.refund_ids)
        refund = {
            "id": refund_id,
            "payment_id": payment_id,
            "screening_id": screening_id,
            "ticket_id": ticket["id"],
            "holder": ticket["holder"],
            "amount_cents": cents,
            "reason": reason,
            "booking_id": ticket["booking_id"],
            "currency": None,
        }
        self._set(self.refunds, refund_id, refund)

    def _write_moves(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        new = {key: row for row in rows if (key := tuple([row[name] for name in _MOVE])) not in self.moves}
        for key, row in new.items():
            self._set(self.moves, key, row)
        for key, row in new.items():
            self._check_payment_of_move(key, row)
        # A seat may pass from one ticket to another: first all seats are left.
        for row in new.values():
            before = self.tickets.get(row["ticket_id"], {})
            place = tuple([before.get(name) for name in ("screening_id", "seat_id", "price_cents", "status")])
            left = (row["from_screening_id"], row["from_seat_id"], row["from_price_cents"])
            if place != (*left, "confirmed"):
                raise StatementRefused("not where it should move from", "23514", "tickets_place")
            self._set(self.sold, left[:2], None)
        for row in new.values():
            changed = {name: row[name] for name in ("screening_id", "seat_id", "price_cents")}
            ticket = {**self.tickets[row["ticket_id"]], **changed, "paid": orjson.loads(row["paid"])}
            self._put(ticket)
            for payment_id, cents in orjson.loads(row["owed"]):
                self._owe(ticket, row["from_screening_id"], payment_id, cents, MOVED)

    def _check_payment_of_move(self, key: tuple[int, ...], move: Mapping[str, Any]) -> None:
        """A payment pays for one booking, and for a move only if it has paid for nothing else."""
        payment_id, booking_id = move["payment_id"], move["booking_id"]
        if payment_id is None:
            return
        spent = any(
            (row["booking_id"], row["payment_id"]) == (booking_id, payment_id)
            for row in self.tickets.values()
        ) or any(
            row["payment_id"] == payment_id and other[1:] != key[1:] for other, row in self.moves.items()
        )
        if spent or self.payments.get(payment_id, {}).get("booking_id") != booking_id:
            raise StatementRefused(f"payment {payment_id}", "23503", "tickets_payment")

    def refunds_of(self, payment_id: str) -> list[dict[str, Any]]:
        """The refunds of a payment, oldest first."""
        return [row for row in self.refunds.values() if row["payment_id"] == payment_id]

    def _check_payments(self, tickets: list[dict[str, Any]]) -> None:
        for ticket in tickets:
            payment_id = ticket["payment_id"]
            if payment_id is None:
                continue
            paid = self.payments.get(payment_id)
            if paid is None or paid["booking_id"] != ticket["booking_id"]:
                raise StatementRefused(f"payment {payment_id}", "23503", "tickets_payment")

    def _write_answers(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            if (row["scope"], row["key"]) not in self.answers:
                self._set(self.answers, (row["scope"], row["key"]), row)

    def _write_receipts(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            key = (row["scope"], row["key"])
            if again and (row["screening_id"], row["epoch"], row["seq"]) in self.events:
                continue
            if key in self.answers:
                raise StatementRefused(f"{key} exists", UNIQUE_VIOLATION, "idempotency_keys_pkey")
            self._set(self.answers, key, {name: row[name] for name in _ANSWER})

    def _write_events(
        self, rows: list[dict[str, Any]], seat_ids: list[int], ids: list[int], *, again: bool
    ) -> None:
        for row in rows:
            self._log(row, row["kind"], again)

    def _write_blocks(self, rows: list[dict[str, Any]], seat_ids: list[int], *, again: bool) -> None:
        for row in rows:
            stored = self.blocks.get(row["id"])
            new = {**row, "seat_ids": seat_ids[(row["first_seat"] or 1) - 1 : row["last_seat"]]}
            if stored is None:
                self._set(self.blocks, row["id"], new)
            elif stored["released_at"] is None:
                changed = {name: new[name] for name in ("released_at", "released_by")}
                kept = stored if row["released_at"] is not None else new
                self._set(self.blocks, row["id"], {**stored, **changed, "seat_ids": kept["seat_ids"]})

    def _write_waitlist(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            stored = self.waitlist.get(row["id"])
            new = {**row, "seat_ids": array(row["seat_ids"], "bigint")}
            if stored is None:
                self._set(self.waitlist, row["id"], new)
            elif (stored["epoch"], stored["seq"]) < (row["epoch"], row["seq"]):
                changed = {name: new[name] for name in _CHANGING_IN_LINE}
                self._set(self.waitlist, row["id"], {**stored, **changed})
        self._check_order()

    def _check_order(self) -> None:
        """Record if somebody who still waits had joined before somebody who was served."""
        entries = sorted(self.waitlist.values(), key=lambda row: (row["joined_epoch"], row["joined_seq"]))
        waiting = next((row["id"] for row in entries if row["status"] == "waiting"), None)
        served = [row["id"] for row in entries if row["expires_at"] is not None]
        if waiting is not None and served:
            ids = [row["id"] for row in entries]
            if ids.index(waiting) < ids.index(served[-1]):
                self.overtaken.append((served[-1], waiting))

    def _write_given_back(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        """Do nothing: nobody is admitted at the door here."""

    def _write_state_hashes(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        pass


def kept_for(ticket: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return how many cents of which payments have been kept for a ticket."""
    if (paid := ticket.get("paid")) is not None:
        return [(payment_id, cents) for payment_id, cents in paid]
    return [] if ticket["payment_id"] is None else [(ticket["payment_id"], ticket["price_cents"])]
