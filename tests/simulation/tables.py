"""What PostgreSQL decides about the journal and about ownership, in memory.

Only the statements that a cluster of servers sends for screenings with seats are understood, and they are
carried out as the schema demands: keys, the unique index over live tickets, the rules for payments and for
the status of tickets. `test_tables.py` sends the same statements here and to PostgreSQL.

The columns of the journal's prepared statements are found in their SQL, so they follow it. What the SQL
does with them is written down here once more.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from engine.records import Layout, ScreeningInfo
from persistence import statements, store
from persistence.errors import DefectiveStatement, StatementRefused
from persistence.idempotency import LOOKUP
from persistence.journal_connection import EPOCHS, WRITTEN
from persistence.statements import NOT_OWNED, UNIQUE_VIOLATION
from persistence.tickets import MOVED_BY_PAYMENT, TICKETS_OF_PAYMENT

Row = tuple[Any, ...]

_BLOCKS = (
    statements.OWNED,
    statements.PAYMENTS,
    statements.TICKETS,
    statements.GIVEN_BACK,
    statements.SALES,
    statements.HOLDS,
    statements.HELD,
    statements.STATE_HASHES,
    statements.ANSWERS,
    statements.EVENTS,
)
_LIVE = ("pending", "confirmed")
_MISSING = object()
_TRANSITIONS = frozenset(
    {("pending", "confirmed"), ("pending", "cancelled"), ("pending", "lapsed"), ("confirmed", "cancelled")}
)
_CHANGING = ("status", "confirmed_at", "cancelled_at", "payment_id", "payment_deadline", "sold_by")
_EXECUTED = re.compile(r"EXECUTE (\w+) \(([^)]*)\);")
_PREPARED = re.compile(r"PREPARE (\w+) \(([^)]*)\) AS")
_ROW = re.compile(r"AS row \(([^)]*)\)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",]+)')


class _Form:
    """The columns of a prepared statement: those of its rows, and arrays of any length."""

    def __init__(self, preparation: str) -> None:
        _, signature = _PREPARED.search(preparation).groups()  # type: ignore[union-attr]
        self.kinds = [kind.removesuffix("[]") for kind in signature.split(", ")]
        self.names = _ROW.search(preparation)[1].split(", ")  # type: ignore[index]

    def read(self, literals: Sequence[str]) -> tuple[list[dict[str, Any]], list[list[Any]]]:
        """Return the rows, and the arrays beside them."""
        columns = [array(literal, kind) for literal, kind in zip(literals, self.kinds, strict=True)]
        number = len(self.names)
        rows = [dict(zip(self.names, row, strict=True)) for row in zip_longest(*columns[:number])]
        return rows, columns[number:]


def array(literal: str, kind: str) -> list[Any]:
    """Read an array literal of a type of `persistence.columns`."""
    inside = literal[1:-1]
    if not inside:
        return []
    if kind in ("text", "bytea"):
        found = [
            None if bare == "NULL" else re.sub(r"\\(.)", r"\1", quoted) if bare == "" else bare
            for quoted, bare in _TEXT.findall(inside)
        ]
        return [value and bytes.fromhex(value[2:]) for value in found] if kind == "bytea" else found
    if kind == "boolean":
        return [value == "t" for value in inside.split(",")]
    convert: Callable[[str], Any] = float if kind == "float8" else int
    return [None if value in ("null", "NULL") else convert(value) for value in inside.split(",")]


_FORMS = {_PREPARED.search(block.preparation)[1]: _Form(block.preparation) for block in _BLOCKS}  # type: ignore[index]


class Tables:
    """The tables.

    Attributes:
        screenings: terms and layouts; nothing changes them.
        epochs: epoch and owner by screening.
        holds, tickets, payments, events, answers: rows by key.
        sold: the live ticket of each seat.
        late: keys of events that were written although their epoch was over.
        taken: called with screening, new epoch, former and new owner when an epoch was raised.
    """

    def __init__(self, screenings: Mapping[int, tuple[ScreeningInfo, Layout]]) -> None:
        self.screenings = screenings
        self.epochs: dict[int, tuple[int, str]] = {}
        self.holds: dict[tuple[str, int, int], dict[str, Any]] = {}
        self.tickets: dict[tuple[int, int], dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.events: dict[tuple[int, int, int], dict[str, Any]] = {}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self.sold: dict[tuple[int, int], int | None] = {}
        self.late: list[tuple[int, int, int]] = []
        self.taken: Callable[[int, int, str, str], None] = lambda screening, epoch, before, after: None
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._queries: dict[str, Callable[[Any], list[Row]]] = {
            EPOCHS: self._epochs_of,
            WRITTEN: self._written,
            LOOKUP: self._answer,
            TICKETS_OF_PAYMENT: self._tickets_of_payment,
            MOVED_BY_PAYMENT: lambda _: [],
            store.TAKE_AT_EPOCH: self._take_at_epoch,
            store.KNOWN: lambda wanted: [(wanted["screening_id"] in self.screenings,)],
            store.OWNER: self._owner,
            store.RESIGN: self._resign,
            store.LOST: self._lost,
            store.OVERDUE: self._overdue,
            store.SCREENING: self._screening,
            store.LAYOUT: self._layout,
            store.ACTIVE_HOLDS: self._active_holds,
            store.LIVE_TICKETS: self._live_tickets,
            store.PRESENT_BLOCKS: lambda _: [],
            store.WAITING: lambda _: [],
        }

    def run(self, sql: str, parameters: Any) -> list[Row]:
        """Carry a statement or a whole transaction out, or nothing of it.

        Raises:
            StatementRefused: a rule of the schema forbids it.
            DefectiveStatement: it is not understood.
        """
        if sql.startswith("BEGIN;EXECUTE") and sql.endswith("COMMIT"):
            self._transaction(sql, parameters)
            return []
        query = self._queries.get(sql)
        if query is None:
            raise DefectiveStatement(f"not understood: {sql[:200]}")
        return query(parameters)

    def screenings_in(self, sql: str, parameters: Any) -> Sequence[int]:
        """Return the screenings whose epochs a statement locks."""
        if sql is store.TAKE_AT_EPOCH or sql == store.TAKE_AT_EPOCH:
            return [parameters["screening_id"]]
        if sql.startswith("BEGIN;EXECUTE owned"):
            return array(parameters[0], "bigint")
        return ()

    # The journal

    def _transaction(self, sql: str, parameters: Sequence[str]) -> None:
        self._undo.clear()
        start = 0
        try:
            for name, places in _EXECUTED.findall(sql):
                end = start + places.count("%s")
                form = _FORMS.get(name.removesuffix("_again"))
                if form is None:
                    raise DefectiveStatement(f"{name} is not simulated")
                rows, beside = form.read(parameters[start:end])
                write = getattr(self, f"_write_{name.removesuffix('_again')}")
                write(rows, *beside, again=name.endswith("_again"))
                start = end
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
        """Whether a row may be inserted; False if it is there and may be."""
        if key not in table:
            return True
        if not again:
            raise StatementRefused(f"{key} exists", UNIQUE_VIOLATION, constraint)
        return False

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
            if row["payment_id"] not in self.payments:
                self._set(self.payments, row["payment_id"], row)

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
                key = (ticket["id"], ticket["screening_id"])
                if self._is_new(self.tickets, key, again, "tickets_pkey"):
                    self._put(key, ticket)
        self._check_payments(rows)

    def _write_tickets(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        for row in rows:
            key = (row["id"], row["screening_id"])
            stored = self.tickets.get(key)
            if stored is None:
                self._put(key, row)
            elif stored["status"] != row["status"]:
                if (stored["status"], row["status"]) not in _TRANSITIONS:
                    raise StatementRefused("no such transition", "23514", "tickets_transition")
                names = (
                    "status",
                    "confirmed_at",
                    "cancelled_at",
                    "payment_id",
                    "payment_deadline",
                    "sold_by",
                )
                self._put(key, {**stored, **{name: row[name] for name in names}})
        self._check_payments(rows)

    def _put(self, key: tuple[int, int], ticket: dict[str, Any]) -> None:
        seat = (ticket["screening_id"], ticket["seat_id"])
        holder = self.sold.get(seat)
        if ticket["status"] in _LIVE:
            if holder not in (None, key[0]):
                raise StatementRefused(f"seat {seat} is sold", UNIQUE_VIOLATION, "tickets_live_seat_key")
            self._set(self.sold, seat, key[0])
        elif holder == key[0]:
            self._set(self.sold, seat, None)
        self._set(self.tickets, key, ticket)

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

    def _write_events(
        self, rows: list[dict[str, Any]], seat_ids: list[int], ids: list[int], *, again: bool
    ) -> None:
        for row in rows:
            self._log(row, row["kind"], again)

    def _write_given_back(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        """Nobody is admitted here."""

    def _write_state_hashes(self, rows: list[dict[str, Any]], *, again: bool) -> None:
        pass

    # Queries

    def _epochs_of(self, parameters: Sequence[str]) -> list[Row]:
        wanted = array(parameters[0], "bigint")
        return [(each, self.epochs[each][0]) for each in wanted if each in self.epochs]

    def _written(self, parameters: Sequence[str]) -> list[Row]:
        keys = zip(*[array(column, "bigint") for column in parameters], strict=True)
        return [key for key in keys if key in self.events]

    def _answer(self, parameters: tuple[str, str]) -> list[Row]:
        row = self.answers.get(parameters)
        return [] if row is None else [(*parameters, row["fingerprint"], row["status"], row["body"])]

    def _take_at_epoch(self, wanted: Mapping[str, Any]) -> list[Row]:
        screening_id, known = wanted["screening_id"], wanted["known_epoch"]
        present = self.epochs.get(screening_id, (0, ""))[0]
        if screening_id not in self.screenings or present != known:
            return []
        _, before = self.epochs.get(screening_id, (0, ""))
        self.epochs[screening_id] = (present + 1, wanted["owner"])
        self.taken(screening_id, present + 1, before, wanted["owner"])
        return [(present + 1,)]

    def _owner(self, wanted: Mapping[str, Any]) -> list[Row]:
        row = self.epochs.get(wanted["screening_id"])
        return [] if row is None else [(row[1], row[0], row[1] in (wanted["owner"], ""))]

    def _resign(self, parameters: tuple[str, Sequence[int]]) -> list[Row]:
        owner, kept = parameters
        for screening_id, (epoch, name) in self.epochs.items():
            if name == owner and screening_id not in kept:
                self.epochs[screening_id] = (epoch, "")
        return []

    def _lost(self, wanted: Mapping[str, Sequence[int]]) -> list[Row]:
        pairs = zip(wanted["screening_ids"], wanted["epochs"], strict=True)
        return [(each,) for each, epoch in pairs if self.epochs.get(each, (0, ""))[0] != epoch]

    def _overdue(self, wanted: Mapping[str, Any]) -> list[Row]:
        now = wanted["now"]
        due = {
            row["screening_id"]
            for row in self.holds.values()
            if row["status"] == "active" and row["expires_at"] <= now
        }
        due |= {
            row["screening_id"]
            for row in self.tickets.values()
            if row["status"] == "pending" and row["payment_deadline"] <= now
        }
        return [(each,) for each in sorted(due) if each > wanted["after_id"]][: wanted["limit"]]

    def _screening(self, parameters: tuple[int]) -> list[Row]:
        (screening_id,) = parameters
        if screening_id not in self.screenings:
            return []
        info, layout = self.screenings[screening_id]
        rules = info.rules
        touched = any(
            row["screening_id"] == screening_id and row["status"] == "active" for row in self.holds.values()
        ) or any(sold and seat[0] == screening_id for seat, sold in self.sold.items())
        return [
            (
                *(layout.room_id, layout.version, info.starts_at, info.ends_at, info.price_cents),
                *(rules.orphan_rule.value, rules.orphan_share, rules.max_per_user),
                *(rules.sales_start, rules.sales_end, []),
                *(list(info.surcharges_cents), list(info.surcharges_cents.values())),
                *(info.moves_until, touched),
            )
        ]

    def _layout(self, parameters: tuple[int]) -> list[Row]:
        layout = next(each for _, each in self.screenings.values() if each.room_id == parameters[0])
        return [(layout.version, {}, *seat) for seat in layout.seats]

    def _active_holds(self, parameters: tuple[int]) -> list[Row]:
        names = ("id", "reservation_id", "screening_id", "seat_id", "holder", "reserved_at", "expires_at")
        names += ("extensions", "note", "price_cents", "status")
        return [
            tuple([row[name] for name in names])
            for row in self.holds.values()
            if row["screening_id"] == parameters[0] and row["status"] == "active"
        ]

    def _live_tickets(self, parameters: tuple[int]) -> list[Row]:
        return [
            _ticket(row)
            for row in self.tickets.values()
            if row["screening_id"] == parameters[0] and row["status"] in _LIVE
        ]

    def _tickets_of_payment(self, wanted: Mapping[str, str]) -> list[Row]:
        paid = self.payments.get(wanted["paid"])
        if paid is None:
            return []
        found = [
            _ticket(row)
            for row in self.tickets.values()
            if row["booking_id"] == paid["booking_id"] and row["payment_id"] == wanted["paid"]
        ]
        return sorted(found)


def _ticket(row: Mapping[str, Any]) -> Row:
    names = ("id", "booking_id", "screening_id", "seat_id", "holder", "price_cents", "status", "booked_at")
    names += ("confirmed_at", "cancelled_at", "payment_id", "payment_deadline", "code", "paper", "held_at")
    names += ("sold_by", "free_because")
    return (*[row[name] for name in names], None)
