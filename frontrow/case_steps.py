"""Turns records of the event log, the outbox and the door into steps that people can read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from api.papers.aliases import Aliases
from api.wire import user_id_of
from engine.events import SYSTEM
from engine.seat_states import SeatStatus
from engine.vouching import VOUCHERS
from engine.waitlist_records import WAITLIST
from frontrow.lines import aligned
from persistence.server_lock import ServerName

Record = Mapping[str, Any]

_HEADINGS = ("TIME", "SCREENING", "SEATS", "WHAT", "BY", "FOR", "AFTER", "REQUEST", "EPOCH/SEQ", "NODE")

_NAMES = {
    "seats_held": "held",
    "holds_extended": "hold extended",
    "holds_released": "released",
    "holds_expired": "hold lapsed",
    "tickets_confirmed": "paid",
    "tickets_cancelled": "cancelled",
    "tickets_lapsed": "payment lapsed",
    "seats_blocked": "blocked",
    "seats_unblocked": "unblocked",
    "tickets_left": "left for another seat",
    "tickets_moved": "moved here",
}

_SCANS = {"in": "checked in", "out": "left the house", "undo": "check-in undone"}


class Step(NamedTuple):
    """Something that has happened.

    Attributes:
        at: in seconds since the epoch.
        seats: what people call them; ids of places and of seats that are gone.
        what: in words.
        by: who has done it.
        holder: who had or got the seats.
        after_seconds: how long they had been held, or booked, before.
        node: which server owned the screening, if that is still known.
    """

    at: float
    screening_id: int | None
    seats: tuple[str, ...]
    what: str
    by: str | None = None
    holder: str | None = None
    after_seconds: float | None = None
    request_id: str | None = None
    epoch: int | None = None
    seq: int | None = None
    node: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The step as JSON."""
        at = _time(self.at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {**self._asdict(), "at": at, "seats": list(self.seats)}

    @property
    def cells(self) -> tuple[str, ...]:
        """The step as a row of a table."""
        place = "" if self.epoch is None else f"{self.epoch}/{self.seq}"
        return (
            f"{_time(self.at):%Y-%m-%d %H:%M:%S.%f}"[:-3],
            str(self.screening_id or ""),
            ",".join(self.seats),
            self.what,
            self.by or "",
            self.holder or "",
            "" if self.after_seconds is None else _period(self.after_seconds),
            self.request_id or "",
            place,
            self.node or "",
        )


def lines_of(steps: Sequence[Step]) -> list[str]:
    """Return steps as an aligned table."""
    return aligned([_HEADINGS, *[step.cells for step in steps]])


def steps_of_seat(
    seat_id: int, events: Iterable[Record], scans: Iterable[Record], aliases: Aliases
) -> list[Step]:
    """Return the life of a seat.

    Args:
        seat_id: the seat.
        events: those that it was part of, oldest first.
        scans: of its tickets at the door.
        aliases: of guests.
    """
    steps: list[Step] = []
    holder: str | None = None
    since: float | None = None
    for event in events:
        number = event["seat_ids"].index(seat_id)
        free_after = event["to_status"] == SeatStatus.AVAILABLE
        taken = event["kind"] in ("seats_held", "tickets_issued", "tickets_moved")
        if taken:
            holder = event["holder"] or event["actor"]
        lasted = None if since is None or event["kind"] == "holds_extended" else event["at"] - since
        step = _step(event, aliases, holder)
        steps.append(step._replace(seats=(event["seats"][number],), after_seconds=lasted))
        if free_after:
            holder = since = None
        elif taken or event["kind"] == "seats_blocked":
            since = event["at"]
    return sorted([*steps, *[_scan(scan, aliases) for scan in scans]], key=lambda step: step.at)


def steps_of_booking(known: Mapping[str, Sequence[Record]], aliases: Aliases) -> list[Step]:
    """Return what happened to a booking.

    Args:
        known: from `persistence.histories.Histories.of_booking`.
        aliases: of guests.
    """
    buyer = known["tickets"][0]["holder"]
    booked = [_step(event, aliases, buyer) for event in known["events"]]
    held = [
        Step(
            ticket["held_at"],
            ticket["screening_id"],
            (ticket["seat"],),
            "held",
            holder=shown(buyer, aliases),
        )
        for ticket in known["tickets"]
        if ticket["held_at"] is not None
    ]
    refunds: list[Step] = []
    for refund in known["refunds"]:
        about = f"{refund['amount']} ({refund['reason']})"
        refunds.append(Step(refund["at"], refund["screening_id"], (), f"refund owed: {about}"))
        if refund["settled_at"] is not None:
            reference = f", {refund['reference']}" if refund["reference"] else ""
            settled = f"refund settled: {about}{reference}"
            refunds.append(Step(refund["settled_at"], refund["screening_id"], (), settled))
    more = [*refunds, *_messages(known), *[_scan(scan, aliases) for scan in known["scans"]]]
    return sorted([*_joined(held), *booked, *more], key=lambda step: step.at)


def steps_of_request(known: Mapping[str, Sequence[Record]], aliases: Aliases) -> list[Step]:
    """Return what a request has caused.

    Args:
        known: from `persistence.histories.Histories.of_request`.
        aliases: of guests.
    """
    events = [_step(event, aliases, event["holder"]) for event in known["events"]]
    return sorted([*events, *_messages(known)], key=lambda step: step.at)


def _messages(known: Mapping[str, Sequence[Record]]) -> list[Step]:
    """Return the mails and events of webhooks."""
    steps = []
    for message in known["messages"]:
        failed = f": {message['error']}" if message["error"] else ""
        what = f"{message['kind']} {message['status']}{failed} ({message['subject']})"
        steps.append(Step(message["at"], None, (), what, request_id=message["request_id"]))
    for sent in known["sent"]:
        to = f" to webhook {sent['webhook_id']}: {sent['status']}" if sent["webhook_id"] else ", not sent yet"
        steps.append(
            Step(
                sent["at"],
                sent["screening_id"],
                (),
                f"event {sent['type']}{to}",
                request_id=sent["request_id"],
                epoch=sent["epoch"],
                seq=sent["seq"],
            )
        )
    return steps


def _step(event: Record, aliases: Aliases, holder: str | None) -> Step:
    kind: str = event["kind"]
    what = _NAMES.get(kind, kind)
    if kind == "tickets_issued":
        what = "booked, not paid yet" if event["to_status"] == SeatStatus.PENDING else "booked"
    owner = ServerName.parsed(event["owner"] or "")
    return Step(
        event["at"],
        event["screening_id"],
        tuple(event["seats"]),
        what,
        shown(event["actor"], aliases),
        shown(holder, aliases),
        request_id=event["request_id"],
        epoch=event["epoch"],
        seq=event["seq"],
        node=None if owner is None else f"{owner.host} ({owner.mark})",
    )


def _scan(scan: Record, aliases: Aliases) -> Step:
    what = _SCANS[scan["direction"]]
    refused = "" if scan["result"] in ("admitted", "left", "undone") else f" ({scan['result']})"
    gate = f" at {scan['gate']}" if scan["gate"] else ""
    return Step(
        scan["at"],
        scan["screening_id"],
        (scan["seat"] or "",),
        f"{what}{gate}{refused}",
        shown(scan["actor"], aliases),
    )


def _joined(steps: Iterable[Step]) -> list[Step]:
    """Return one step for all that happened at the same time."""
    joined: dict[tuple[float, int | None], Step] = {}
    for step in steps:
        before = joined.get((step.at, step.screening_id))
        joined[step.at, step.screening_id] = (
            step if before is None else before._replace(seats=before.seats + step.seats)
        )
    return list(joined.values())


def shown(holder: str | None, aliases: Aliases) -> str | None:
    """Return how a holder is shown: guests by an alias, since what the engine calls them is a secret."""
    if holder is None or holder in (SYSTEM, WAITLIST, *VOUCHERS) or user_id_of(holder) is not None:
        return holder
    return f"{holder.partition(':')[0]} {aliases.of(holder)}"


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _period(seconds: float) -> str:
    """Return a period such as 2 h 05 min, 4 min 59 s or 0.3 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
