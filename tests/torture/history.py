"""History of a run: requests with their answers, messages of sockets, and faults.

A history is JSON lines, one record a line, in any order. `kind` says what a record is:

    settings   limits that the run was promised (`Settings`); at most one
    invoke     a request was sent; `return` or `unknown` with the same `op` may follow
    watching   a watcher has begun to open a socket; left: it is gone for good
    seen       a watcher was shown one complete update or picture; hashed: it was sent the hash of its picture
    fault      something was broken between `from` and `to`
    lie        somebody asked for what belongs to others; `what` it was, and the `status` of the answer

All times are seconds of one monotonic clock, that of the recording process. A request without `return` may
have taken effect at any time after it was sent, or never. Unknown fields are ignored.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from pathlib import Path
from typing import Any

import orjson

Id = int | str

_HALTING = ("kill", "stop")
_STALLING = ("partition", "delay", "slow", "full", "loss", "cut")
_DATABASES = ("database", "postgres")


class BadHistory(Exception):
    """A record is incomplete or contradicts another one, so the history cannot be judged."""


@dataclass(frozen=True)
class Settings:
    """Limits that the run was promised.

    Attributes:
        hold_seconds: how long a hold lasts at least; needed only for holds without an answer.
        early_seconds: a hold may end this much before its promised expiry, because times are not exact.
        late_seconds: a request may see it as long after.
        stepped_early_seconds, stepped_late_seconds: the same while a clock was changed (`clock_errors`).
        loss_window_seconds: a crash may cost holds that were acknowledged this long before it.
        arrival_seconds: a seat may look reserved so long for a ticket that moves to it.
        settle_seconds: how long after the end of a fault its losses may show: screenings of a node that is
            gone can be booked again after 3 to 5 seconds (docs/cluster.md), on a busy machine after 10.
        look_lag_seconds: how old a seat map may be when it is asked for.
        success_share: share of the operations that must succeed, or the run proves nothing.
    """

    hold_seconds: float | None = None
    early_seconds: float = 0.1
    late_seconds: float = 0.25
    stepped_early_seconds: float = 1.0
    stepped_late_seconds: float = 2.0
    loss_window_seconds: float = 1.0
    arrival_seconds: float = 10.0
    settle_seconds: float = 10.0
    look_lag_seconds: float = 0.0
    success_share: float = 0.0


@dataclass
class Operation:
    """One request, and its answer if there was one.

    Attributes:
        op: its id.
        returned_at: when the answer was read; infinity if none came.
        status: HTTP status of the answer; None without one.
        data: what the answer said, in the names of the history's format.
        from_screening, from_seat: where a ticket moves from; `screening` and `seats` say where it goes.
        was_unanswered: whether it was sent before without an answer; set when repeats are put together.
    """

    op: Id
    client: str
    action: str
    screening: Id | None
    user: Id | None
    invoked_at: float
    seats: tuple[Id, ...] | None = None
    ticket_type: Id | None = None
    quantity: int = 1
    reservation: Id | None = None
    ticket: Id | None = None
    payment_id: str | None = None
    key: str | None = None
    node: str | None = None
    returned_at: float = inf
    status: int | None = None
    code: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    from_screening: Id | None = None
    from_seat: Id | None = None
    was_unanswered: bool = False

    @property
    def succeeded(self) -> bool:
        """True if the request was answered with success."""
        return self.status is not None and self.status < 300

    @property
    def unknown(self) -> bool:
        """True if the request has no answer, so that it may or may not have taken effect."""
        return self.status is None

    @property
    def refused(self) -> bool:
        """True if the request was answered, and certainly did not take effect."""
        return self.status is not None and self.status >= 300

    def __str__(self) -> str:
        wanted = [f"{self.user} {self.action}"]
        if self.ticket_type is not None:
            wanted.append(f"{self.quantity} of ticket type {self.ticket_type}")
        if self.seats is not None:
            wanted.append(f"seats {', '.join(map(str, self.seats))}")
        wanted += [
            f"{name} {value}"
            for name in ("reservation", "ticket", "payment_id", "key")
            if (value := getattr(self, name)) is not None
        ]
        if self.unknown:
            answer = "no answer"
        else:
            code = f" {self.code}" if self.code else ""
            answer = f"{self.returned_at:.3f} {self.status}{code}{_short(self.data)}"
        at = f" at {self.node}" if self.node else ""
        return f"op {self.op}{at}: {self.invoked_at:.3f} {' '.join(wanted)} -> {answer}"


@dataclass(frozen=True)
class Sighting:
    """One message that a watcher was shown: a complete update, or a picture of all seats.

    Attributes:
        position: (epoch, seq) after it.
        seats: documents with seat, status, and perhaps user and until.
        whole: whether it replaces everything that was shown before.
        since: when the socket was opened: what it showed was so then or later.
        hash: only that of the seats as they should have been shown by now; None if seats were shown.
        taken: number of seats that count in the hash.
    """

    time: float
    screening: Id
    position: tuple[int, int]
    seats: Sequence[Mapping[str, Any]]
    whole: bool
    since: float = -inf
    hash: str | None = None
    taken: int = 0


@dataclass
class Watcher:
    """A socket and what it was shown, in order.

    Attributes:
        opened: when its sockets were opened.
        left: whether it went away before the end.
    """

    name: str
    sightings: list[Sighting] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)
    left: bool = False


@dataclass(frozen=True)
class Fault:
    """Something that was broken on purpose.

    Attributes:
        loses_holds: whether acknowledged holds may be lost by it.
        stalls_writes: whether the database may have been slow or out of reach.
        clock_seconds: how far the clock of the target was moved.
        screening: the only one that is concerned; None for all.
    """

    name: str
    target: str
    begins_at: float
    ends_at: float
    loses_holds: bool
    stalls_writes: bool
    clock_seconds: float = 0.0
    screening: Id | None = None

    @property
    def halts(self) -> bool:
        """True if the target did nothing while the fault lasted."""
        return self.name.startswith(_HALTING)


@dataclass
class History:
    """Everything that a run has recorded."""

    settings: Settings
    operations: list[Operation]
    watchers: list[Watcher]
    faults: list[Fault]
    lies: list[Mapping[str, Any]]


def read_history(path: Path) -> History:
    """Read a file of JSON lines.

    Raises:
        BadHistory: a line is no JSON, or a record cannot be understood.
    """
    records = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                records.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise BadHistory(f"{path}, line {number}: {error}") from error
    return parse(records)


def parse(records: Iterable[Mapping[str, Any]]) -> History:
    """Turn records into a history.

    Raises:
        BadHistory: a record cannot be understood.
    """
    settings = Settings()
    operations: dict[Id, Operation] = {}
    ends: list[Mapping[str, Any]] = []
    watchers: dict[str, Watcher] = {}
    faults, lies = [], []
    for record in records:
        try:
            match record["kind"]:
                case "settings":
                    settings = _settings(record)
                case "invoke":
                    if record["op"] in operations:
                        raise BadHistory(f"op {record['op']} is sent twice: a repeat needs an id of its own")
                    operations[record["op"]] = _invoked(record)
                case "return":
                    ends.append(record)
                case "seen" | "hashed":
                    _watcher(watchers, record).sightings.append(_sighting(record))
                case "watching":
                    _watcher(watchers, record).opened.append(float(record["time"]))
                case "left":
                    _watcher(watchers, record).left = True
                case "fault":
                    faults.append(_fault(record))
                case "lie":
                    lies.append({**record, "status": int(record["status"])})
                case "unknown":
                    pass
                case other:
                    raise BadHistory(f"records of the kind {other!r} are not known")
        except (KeyError, TypeError, ValueError) as error:
            raise BadHistory(f"{error!r} in the record {dict(record)}") from error
    for record in ends:
        _answer(operations, record)
    for watcher in watchers.values():
        _put_in_order(watcher)
    ordered = sorted(operations.values(), key=lambda operation: operation.invoked_at)
    return History(settings, ordered, list(watchers.values()), faults, lies)


def _settings(record: Mapping[str, Any]) -> Settings:
    return Settings(**{one.name: record[one.name] for one in fields(Settings) if one.name in record})


def _invoked(record: Mapping[str, Any]) -> Operation:
    seats = record.get("seats")
    return Operation(
        op=record["op"],
        client=str(record.get("client", "")),
        action=record["action"],
        screening=record.get("screening"),
        user=record.get("user"),
        invoked_at=float(record["time"]),
        seats=None if seats is None else tuple(seats),
        ticket_type=record.get("ticket_type"),
        quantity=record.get("quantity", 1),
        reservation=record.get("reservation"),
        ticket=record.get("ticket"),
        payment_id=record.get("payment_id"),
        key=record.get("key"),
        node=record.get("node"),
        from_screening=record.get("from_screening"),
        from_seat=record.get("from_seat"),
    )


def _answer(operations: Mapping[Id, Operation], record: Mapping[str, Any]) -> None:
    try:
        operation = operations[record["op"]]
        returned_at, status = float(record["time"]), int(record["status"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadHistory(f"{error!r} in the record {dict(record)}") from error
    if operation.status is not None:
        raise BadHistory(f"op {operation.op} has two answers")
    if returned_at < operation.invoked_at:
        raise BadHistory(f"op {operation.op} is answered before it is sent")
    if status >= 500 and (status != 503 or record.get("code") in (None, "outcome_unknown")):
        return  # the server does not know either
    operation.returned_at, operation.status = returned_at, status
    operation.code, operation.data = record.get("code"), record.get("data") or {}


def _watcher(watchers: dict[str, Watcher], record: Mapping[str, Any]) -> Watcher:
    return watchers.setdefault(record["watcher"], Watcher(record["watcher"]))


def _put_in_order(watcher: Watcher) -> None:
    """Sort what a watcher was shown, and note of each sighting when its socket was opened."""
    watcher.opened.sort()
    watcher.sightings = [
        replace(one, since=watcher.opened[number - 1] if number else -inf)
        for one in sorted(watcher.sightings, key=lambda sighting: sighting.time)
        for number in (bisect_right(watcher.opened, one.time),)
    ]


def _sighting(record: Mapping[str, Any]) -> Sighting:
    shown = float(record["time"]), record["screening"], (int(record["epoch"]), int(record["seq"]))
    if record["kind"] == "hashed":
        return Sighting(*shown, (), False, hash=str(record["hash"]), taken=int(record["taken"]))
    whole = "picture" in record
    return Sighting(*shown, record["picture" if whole else "changes"], whole)


def _fault(record: Mapping[str, Any]) -> Fault:
    name, target = record["fault"], str(record.get("target", ""))
    loses_holds = record.get("loses_holds", _loses_holds(name, target))
    stalls_writes = record.get("stalls_writes", name.startswith(_STALLING) or target.startswith(_DATABASES))
    begins_at, ends_at = float(record["from"]), float(record["to"])
    details = record.get("details") or {}
    clock_seconds = abs(details.get("seconds", 0.0)) + abs(details.get("rate", 0.0)) * (ends_at - begins_at)
    return Fault(
        *(name, target, begins_at, ends_at, bool(loses_holds), bool(stalls_writes)),
        clock_seconds=clock_seconds,
        screening=record.get("screening"),
    )


def _loses_holds(name: str, target: str) -> bool:
    """Return whether docs/cluster.md lets a fault cost holds: a node is gone, or nodes may believe so."""
    if name.startswith("partition"):
        return "clients" not in target
    return name.startswith(_HALTING) and "node" in target


def _short(data: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in data.items())
    return f" ({shown if len(shown) <= 160 else shown[:160] + '...'})" if shown else ""
